package wire

import (
	"errors"
	"fmt"
)

// What a reply may declare. The store writes texts of 16 KiB and asks for at most
// a few thousand values at once; a cluster's map has up to 16384 ranges, each an
// array of arrays. Client libraries make room for what is declared before it
// has come, and descend into arrays as deep as they go.
const (
	maxText   = 64 << 20
	maxValues = 1 << 20
	maxArrays = 1 << 18
)

// errGarbage is why a connection is given up. It does not repeat what came.
var errGarbage = errors.New("what came is not the protocol (RESP)")

// frames follows the framing of RESP through a stream that comes in pieces.
// https://redis.io/docs/latest/develop/reference/protocol-spec/
type frames struct {
	// skip bytes of a text are still to come, its line's end included.
	skip int
	// kind is the first byte of the line under way, 0 between lines; number is
	// what its digits make so far, and digits how many there were.
	kind     byte
	number   int
	digits   int
	negative bool
	// open values are still to come until the one on top is complete, and arrays
	// of them were arrays; push tells that the one on top is none that was asked for.
	open, arrays int
	push         bool
}

// feed takes the next piece. It returns how many values on top were completed,
// pushes apart; where the first bad line, if there is one, begins in b, or 0 if
// it began before; and what is bad about it. It stops early where a value too
// many begins, when enough of them, which may be -1 for any number, are complete.
func (f *frames) feed(b []byte, enough int) (complete, good int, err error) {
	for i := 0; i < len(b); {
		if f.skip > 0 {
			n := min(f.skip, len(b)-i)
			f.skip -= n
			if i += n; f.skip > 0 {
				return complete, i, nil
			}
			complete += f.end()
			continue
		}
		if f.kind == 0 {
			if complete == enough && f.open == 0 && b[i] != '>' {
				return complete, i, nil
			}
			good = i
			if n := f.word(b[i:]); n > 0 {
				i += n
				continue
			}
		}
		done, err := f.line(b[i])
		if err != nil {
			return complete, good, err
		}
		complete += done
		i++
	}
	return complete, len(b), nil
}

// word is a short cut for what commands and replies mostly are made of: within a
// value, a text of up to 9999 bytes whose length lies in b altogether. It returns
// how long that line is, or 0.
func (f *frames) word(b []byte) int {
	if f.open == 0 || b[0] != '$' {
		return 0
	}
	number := 0
	for i, c := range b[1:min(len(b), 6)] {
		if c == '\r' && i > 0 && len(b) > i+2 && b[i+2] == '\n' {
			f.skip = number + len("\r\n")
			return i + 3
		}
		if c < '0' || c > '9' {
			return 0
		}
		number = number*10 + int(c-'0')
	}
	return 0
}

// line takes a byte of a line and returns 1 if it completes a value on top.
func (f *frames) line(c byte) (int, error) {
	switch {
	case f.kind == 0:
		return 0, f.begin(c)
	case c == '\n':
		return f.finish()
	case !counted(f.kind) || c == '\r':
		return 0, nil
	case c == '-' && f.digits == 0 && !f.negative:
		f.negative = true
		return 0, nil
	case c < '0' || c > '9' || f.number > maxText:
		return 0, fmt.Errorf("%w: a length is none, or beyond %d", errGarbage, maxText)
	}
	f.number, f.digits = f.number*10+int(c-'0'), f.digits+1
	return 0, nil
}

// begin takes the first byte of a value.
func (f *frames) begin(c byte) error {
	switch c {
	case '+', '-', ':', '_', ',', '#', '(', '$', '=', '!', '*', '~', '>', '%', '|':
	default:
		return fmt.Errorf("%w: a value begins with byte 0x%02x", errGarbage, c)
	}
	if f.open == 0 {
		f.open, f.arrays, f.push = 1, 0, c == '>'
	}
	f.kind, f.number, f.digits, f.negative = c, 0, 0, false
	return nil
}

// counted tells a line that declares a length.
func counted(kind byte) bool {
	switch kind {
	case '$', '=', '!', '*', '~', '>', '%', '|':
		return true
	}
	return false
}

// finish takes the end of a line.
func (f *frames) finish() (int, error) {
	kind := f.kind
	f.kind = 0
	if !counted(kind) {
		return f.end(), nil
	}
	if f.digits == 0 || f.negative && f.number != 1 {
		return 0, fmt.Errorf("%w: a length is none", errGarbage)
	}
	switch {
	case f.negative && kind != '$' && kind != '*':
		return 0, fmt.Errorf("%w: a length is below 0", errGarbage)
	case f.negative:
		return f.end(), nil // Null.
	case kind == '$' || kind == '=' || kind == '!':
		return f.text()
	default:
		return f.array(kind)
	}
}

// text begins to skip a text.
func (f *frames) text() (int, error) {
	if f.number > maxText {
		return 0, fmt.Errorf("%w: a text of %d bytes, at most %d are taken", errGarbage, f.number, maxText)
	}
	f.skip = f.number + len("\r\n")
	return 0, nil
}

// array opens the values of an array, set, push, map or attribute; the last does
// not count as a value itself.
func (f *frames) array(kind byte) (int, error) {
	n := f.number
	if kind == '%' || kind == '|' {
		n *= 2
	}
	f.open += n
	f.arrays++
	if f.open > maxValues || f.arrays > maxArrays {
		return 0, fmt.Errorf("%w: more than %d values or %d arrays in one reply", errGarbage, maxValues, maxArrays)
	}
	if kind == '|' {
		return 0, nil
	}
	return f.end(), nil
}

// end completes a value and returns 1 if that completes the one on top.
func (f *frames) end() int {
	f.open--
	if f.open > 0 || f.push {
		return 0
	}
	return 1
}
