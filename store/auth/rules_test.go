package auth

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/toriibench/toriibench/store"
)

func TestEmailsOfTheForm(t *testing.T) {
	for _, email := range []string{"a@b.cd", "A.b_c%d+e-f@sub.example.ORG", ".@-.aa", "a@b..cd", "0@0.zz", strings.Repeat("a", 249) + "@b.cd"} {
		if err := CheckEmail(email); err != nil {
			t.Errorf("%q: %v", email, err)
		}
	}
	for _, email := range []string{
		"", "@", "a", "a@", "a@b", "a@.cd", "a@b.c", "a@b.c1", "a@b.cd.", "a@@b.cd", "a@b@c.de", "a b@c.de", "a@b c.de", "a@b.c-d",
		"ü@b.cd", "a@ü.cd", "a@b.cü", "a@b.cd\n", "\xff@b.cd", "a\x00@b.cd", "{a}@b.cd", strings.Repeat("a", 250) + "@b.cd",
	} {
		if err := CheckEmail(email); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", email, err)
		}
	}
}

// The rule as a regular expression says the same.
func TestEmailRule(t *testing.T) {
	rule := regexp.MustCompile(`\A[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\z`)
	rapid.Check(t, func(t *rapid.T) {
		email := rapid.StringMatching(`[a1.@ü_-]{0,6}@?[a1.-]{0,4}\.?[ab1.]{0,4}`).Draw(t, "email")
		if got := CheckEmail(email) == nil; got != rule.MatchString(email) {
			t.Errorf("%q is accepted: %t", email, got)
		}
	})
}

func TestPasswordsAndNames(t *testing.T) {
	for password, want := range map[string]bool{
		"": false, "1234567": false, "12345678": true, "        ": false, "\t\n\v\f\r   ": false, "       x": true,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "\xff\xff\xff\xff\xff\xff\xff\xff": true,
	} {
		if err := CheckPassword(password); (err == nil) != want || err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("password %q: %v", password, err)
		}
	}
	if err := CheckName(nil); err != nil {
		t.Errorf("no name: %v", err)
	}
	for name, want := range map[string]bool{
		"": false, " ": false, "a": true, " a ": true, strings.Repeat("x", 100): true, strings.Repeat("x", 101): false, "\xff": false,
	} {
		if err := CheckName(&name); (err == nil) != want || err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestWhatAClientSaysIsCut(t *testing.T) {
	if cut(nil, 1) != nil {
		t.Error("absent became present")
	}
	rapid.Check(t, func(t *rapid.T) {
		text, size := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")), rapid.IntRange(0, 9).Draw(t, "size")
		got := *cut(&text, size)
		if len(got) > size || !utf8.ValidString(got) || utf8.ValidString(text) && !strings.HasPrefix(text, got) {
			t.Errorf("%q cut to %d bytes is %q", text, size, got)
		}
	})
}
