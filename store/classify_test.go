package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func TestReplyErrorClasses(t *testing.T) {
	classes := []error{ErrNotFound, ErrConflict, ErrInvalid, ErrUnavailable, ErrCorrupt, ErrOutOfMemory}
	for _, c := range []struct {
		text, code string
		want       []error
	}{
		{"LOADING Redis is loading the dataset in memory", "LOADING", []error{ErrUnavailable}},
		{"CLUSTERDOWN Hash slot not served", "CLUSTERDOWN", []error{ErrUnavailable}},
		{"MASTERDOWN Link with MASTER is down", "MASTERDOWN", []error{ErrUnavailable}},
		{"READONLY You can't write against a read only replica.", "READONLY", []error{ErrUnavailable}},
		{"TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN", []error{ErrUnavailable}},
		{"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", "UNBLOCKED", []error{ErrUnavailable}},
		{"BUSY Redis is busy running a script.", "BUSY", []error{ErrUnavailable}},
		{"NOAUTH Authentication required.", "NOAUTH", []error{ErrUnavailable}},
		{"WRONGPASS invalid username-password pair", "WRONGPASS", []error{ErrUnavailable}},
		{"NOPERM this user has no permissions to run the 'get' command", "NOPERM", []error{ErrUnavailable}},
		{"MISCONF Errors writing to the AOF file", "MISCONF", []error{ErrUnavailable}},
		{"MOVED 3999 127.0.0.1:6381", "MOVED", []error{ErrUnavailable}},
		{"ERR max number of clients reached", "ERR", []error{ErrUnavailable}},
		{"OOM command not allowed when used memory > 'maxmemory'.", "OOM", []error{ErrOutOfMemory, ErrUnavailable}},
		{"WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE", []error{ErrCorrupt}},
		{"ERR unknown command 'EVALSHA'", "ERR", nil},
		{"CROSSSLOT Keys in request don't hash to the same slot", "CROSSSLOT", nil},
		{"DB index is out of range", "ERR", nil},
		{"secret-token", "ERR", nil},
		{"SECRET", "ERR", nil},
		{"", "ERR", nil},
	} {
		t.Run(c.text, func(t *testing.T) {
			err := ReplyError("do it", c.text)
			var reply *ServerError
			if !errors.As(err, &reply) || reply.Code != c.code {
				t.Errorf("code of %v is not %s", err, c.code)
			}
			for _, class := range classes {
				want := false
				for _, w := range c.want {
					want = want || w == class //nolint:errorlint // The table names the sentinels themselves.
				}
				if errors.Is(err, class) != want {
					t.Errorf("%v is %v: %t, want %t", err, class, !want, want)
				}
			}
		})
	}
}

func TestReplyErrorText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"LOADING Redis is loading", "do it: server replied LOADING"},
		{"ERR max number of clients reached", "do it: server replied ERR (max number of clients reached)"},
		{"ERR unknown command 'AUTH', with args beginning with: 'hunter2'", "do it: server replied ERR (unknown command)"},
		{
			"ERR user_script:12: hunter2 script: f_abc, on @user_script:12.",
			"do it: server replied ERR (in the script's line 12)",
		},
		{"ERR value hunter2 is not an integer", "do it: server replied ERR"},
		{"hunter2", "do it: server replied ERR"},
		{"DB index is out of range", "do it: server replied ERR (DB index is out of range)"},
		{"ERR user_script:hunter2", "do it: server replied ERR"},
		{"ERR user_script:12", "do it: server replied ERR (in the script's line 12)"},
	} {
		t.Run(c.text, func(t *testing.T) {
			if got := ReplyError("do it", c.text).Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzReplyError(f *testing.F) {
	f.Add("ERR ", "hunter2")
	f.Add("ERR user_script:1: ", "zz")
	f.Add("", "OOM x")
	f.Fuzz(func(t *testing.T, before, argument string) {
		const mark = "\x00secret\x00"
		err := ReplyError("do it", before+" "+mark+argument)
		if strings.Contains(err.Error(), mark) {
			t.Errorf("the error repeats an argument: %q", err)
		}
	})
}

func TestNoScript(t *testing.T) {
	for text, want := range map[string]bool{
		"NOSCRIPT No matching script. Please use EVAL.": true,
		"NOSCRIPT No matching script.":                  true,
		"NOSCRIPT":                                      true,
		"NOSCRIPTS are here":                            false,
		"ERR NOSCRIPT":                                  false,
		"":                                              false,
	} {
		if got := NoScript(text); got != want {
			t.Errorf("NoScript(%q) = %t", text, got)
		}
	}
}

func TestTransportError(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, c := range []struct {
		name              string
		ctx               context.Context //nolint:containedctx // The context is the table's input.
		err               error
		canceled, expired bool
	}{
		{"a broken connection", t.Context(), io.EOF, false, false},
		{"the deadline of the context", expired, io.EOF, false, true},
		{"a canceled context", canceled, io.EOF, true, false},
		{"a socket's deadline", t.Context(), os.ErrDeadlineExceeded, false, true},
		{"the library's deadline", t.Context(), fmt.Errorf("dial: %w", context.DeadlineExceeded), false, true},
		{"somebody else's canceled context", t.Context(), context.Canceled, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := TransportError(c.ctx, "do it", c.err)
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v is no ErrUnavailable", err)
			}
			if errors.Is(err, ErrOutOfMemory) || errors.Is(err, ErrNotFound) {
				t.Errorf("%v is of another class too", err)
			}
			if got := errors.Is(err, context.Canceled); got != c.canceled {
				t.Errorf("%v is canceled: %t", err, got)
			}
			if got := errors.Is(err, context.DeadlineExceeded); got != c.expired {
				t.Errorf("%v is a timeout: %t", err, got)
			}
		})
	}
}

func TestScriptDigests(t *testing.T) {
	var d ScriptDigests
	s := &Script{Name: "one", Lua: "return 1"}
	const want = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
	if got := d.Of(s); *got != want {
		t.Errorf("got %s, want %s", *got, want)
	}
	if first, second := d.Of(s), d.Of(s); first != second {
		t.Error("the digest is computed anew")
	}
	if n := testing.AllocsPerRun(100, func() { d.Of(s) }); n != 0 {
		t.Errorf("a known digest costs %v allocations", n)
	}
}

func TestMatchPrefix(t *testing.T) {
	for prefix, want := range map[string]string{
		"torii:":  "torii:*",
		"":        "*",
		`a*b?[c]`: `a\*b\?\[c\]*`,
		`a\b`:     `a\\b*`,
	} {
		if got := MatchPrefix(prefix); got != want {
			t.Errorf("MatchPrefix(%q) = %q, want %q", prefix, got, want)
		}
	}
}
