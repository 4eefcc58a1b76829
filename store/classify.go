package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// ServerError is an error reply of the server. It keeps the reply's code word
// and drops the rest, because a server repeats arguments in its errors and
// those may be a token or a value. Errors.Is finds its class through it:
// ErrOutOfMemory, ErrUnavailable, ErrCorrupt, or none for an error that
// repeating and waiting cannot cure (a wrong command, a broken script).
type ServerError struct {
	// Code is the reply's code word, for example "LOADING", or "ERR" for every
	// reply without one.
	Code string
	// Detail is a known part of the reply that holds no argument, for example
	// "max number of clients reached"; often empty.
	Detail string
}

// Error is the code word and the detail.
func (e *ServerError) Error() string {
	if e.Detail == "" {
		return "server replied " + e.Code
	}
	return "server replied " + e.Code + " (" + e.Detail + ")"
}

// Unwrap returns the sentinel of the error's class, or nil.
func (e *ServerError) Unwrap() error {
	switch e.Code {
	case "OOM":
		return ErrOutOfMemory
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN", "BUSY", "UNKILLABLE", "MISCONF",
		"NOREPLICAS", "UNBLOCKED", "NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "MOVED", "ASK", "REDIRECT":
		return ErrUnavailable
	case "WRONGTYPE":
		return ErrCorrupt
	}
	if e.Detail == maxClients {
		return ErrUnavailable
	}
	return nil
}

// ReplyError makes an error of the text of a server's error reply. Operation
// says what was asked, for example "run script session-create"; it must not
// hold a key or a value.
func ReplyError(operation, text string) error {
	return fmt.Errorf("%s: %w", operation, &ServerError{Code: codeWord(text), Detail: detail(text)})
}

// NoScript tells whether the text of an error reply says that the server does
// not know the script. Only the code word counts: the sentence after it differs
// between servers.
func NoScript(text string) bool {
	return codeWord(text) == "NOSCRIPT"
}

// TransportError makes an error of err, which kept a reply from arriving: the
// connection could not be made, broke or was closed, or time ran out. It is an
// ErrUnavailable. It is also a context.DeadlineExceeded when any timer ran out,
// the client library's included, and a context.Canceled when ctx was canceled.
//
// Err must come from the network or from the client library's connection
// handling, whose texts name addresses and nothing secret.
func TransportError(ctx context.Context, operation string, err error) error {
	switch own := ctx.Err(); {
	case own != nil:
		return fmt.Errorf("%s: %w: %w", operation, ErrUnavailable, own)
	case isTimeout(err):
		return fmt.Errorf("%s: %w: %w", operation, ErrUnavailable, context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		// Another caller gave up on the connection that both waited for; this
		// caller's context is fine.
		return fmt.Errorf("%s: %w: connecting was given up", operation, ErrUnavailable)
	default:
		return fmt.Errorf("%s: %w: %w", operation, ErrUnavailable, err)
	}
}

// UnexpectedReply makes an error of a reply of the wrong type. The library's
// own error is left out: it repeats the reply.
func UnexpectedReply(operation, want string) error {
	return fmt.Errorf("%s: the reply is not %s", operation, want)
}

// isTimeout tells a timer that ran out: a context's, a socket's, or a dial's.
func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// codeWord is the first word of an error reply if it is one that the servers
// use as a code, and otherwise ERR. What looks like a code need not be one:
// valkey-go takes "ERR " away, so that the text may begin with "DB index".
func codeWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "OOM", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN", "BUSY", "UNKILLABLE", "MISCONF",
		"NOREPLICAS", "UNBLOCKED", "NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "MOVED", "ASK", "REDIRECT", "WRONGTYPE",
		"CROSSSLOT", "NOSCRIPT", "EXECABORT", "NOPROTO":
		return word
	}
	return "ERR"
}

// maxClients is what a server with too many connections says.
const maxClients = "max number of clients reached"

// detail finds the part of an error reply that helps and holds no argument.
func detail(text string) string {
	if strings.Contains(text, maxClients) {
		return maxClients
	}
	for _, known := range []string{
		"invalid DB index", "DB index is out of range", "unknown command", "wrong number of arguments",
		"SELECT is not allowed in cluster mode", "This instance has cluster support disabled",
		"Protected mode",
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(known)) {
			return known
		}
	}
	return scriptLine(text)
}

// scriptLine finds where a script failed, which both engines write as
// user_script:12.
func scriptLine(text string) string {
	_, rest, found := strings.Cut(text, "user_script:")
	if !found {
		return ""
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	if end == 0 || end > 6 {
		return ""
	}
	return "in the script's line " + rest[:end]
}
