package store

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestNewUserID(t *testing.T) {
	a, b := NewUserID(), NewUserID()
	if a == b || !ValidUserID(a) || !ValidUserID(b) {
		t.Errorf("ids %q and %q, want two valid ones", a, b)
	}
	if strings.Trim(a[len(userIDPrefix):], base58) != "" {
		t.Errorf("id %q has other characters than base58", a)
	}
}

func TestIDsWithLeadingZerosAreValid(t *testing.T) {
	for zeros := range userIDBytes + 1 {
		raw := make([]byte, userIDBytes)
		for i := zeros; i < userIDBytes; i++ {
			raw[i] = 0xff
		}
		id := userIDPrefix + encodeBase58(raw)
		if got, _ := DecodeID(userIDPrefix, id); !bytes.Equal(got, raw) || !ValidUserID(id) {
			t.Errorf("%d leading zeros: %q stands for %x, want %x", zeros, id, got, raw)
		}
	}
	if got := encodeBase58([]byte("Hello World!")); got != "2NEpo7TZRRrLZSi2U" {
		t.Errorf("base58 of a known text is %s", got)
	}
}

func TestInvalidUserIDs(t *testing.T) {
	good := NewUserID()
	for name, id := range map[string]string{
		"empty":            "",
		"plain word":       "user",
		"other prefix":     "ses_" + good[4:],
		"prefix only":      userIDPrefix,
		"short tail":       good[:12],
		"upper-case start": "USR_" + good[4:],
		"not base58":       good[:len(good)-1] + "0",
		"endless":          userIDPrefix + strings.Repeat("z", maxText+1),
	} {
		if ValidUserID(id) {
			t.Errorf("%s: %.40q is valid", name, id)
		}
	}
}

func TestIDsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		prefix string
		size   int
	}{
		"too few bytes":   {"org_", MinIDBytes - 1},
		"none":            {"org_", 0},
		"fewer than none": {"org_", -1},
		"too many bytes":  {"org_", MaxIDBytes + 1},
		"no prefix":       {"", MinIDBytes},
		"long prefix":     {strings.Repeat("x", 33), MinIDBytes},
		"odd prefix":      {"org/", MinIDBytes},
		"not ASCII":       {"\u00fc_", MinIDBytes},
		"not UTF-8":       {"\xff", MinIDBytes},
	} {
		if id, err := NewID(c.prefix, c.size); !errors.Is(err, ErrInvalid) || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}
