package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// stream is a connection that gives what it holds, and takes everything.
type stream struct {
	net.Conn
	in io.Reader
}

func (s *stream) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *stream) Write(b []byte) (int, error) { return len(b), nil }

const command = "*2\r\n$4\r\nMGET\r\n$1\r\nk\r\n"

func TestGuardDeliversReplies(t *testing.T) {
	for _, reply := range []string{
		"+OK\r\n", "-ERR no\r\n", ":-7\r\n", "_\r\n", ",1.5\r\n", "#t\r\n", "(123456789012345678901234567890\r\n",
		"$0\r\n\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "$5\r\na\r\nbc\r\n", "=7\r\ntxt:abc\r\n", "!5\r\nERR x\r\n",
		"*2\r\n$1\r\nv\r\n$-1\r\n", "%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n%0\r\n", "~1\r\n+a\r\n",
		">2\r\n+invalidate\r\n*0\r\n+OK\r\n", "|1\r\n+ttl\r\n:3\r\n*1\r\n+v\r\n", "$3\r\n*9\n\r\n",
	} {
		for name, cut := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader} {
			g := Guard(&stream{in: cut(strings.NewReader(reply + reply))})
			for range 2 {
				if _, err := g.Write([]byte(command)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := io.ReadAll(g)
			if err != nil || string(got) != reply+reply {
				t.Errorf("%s %q: delivered %q and %v", name, reply, got, err)
			}
		}
	}
}

func TestGuardKeepsBack(t *testing.T) {
	for name, c := range map[string]struct {
		bytes     string
		delivered string
		want      error
	}{
		"an unknown type":                 {"HTTP/1.1 400\r\n", "", errGarbage},
		"what follows a good value":       {"*2\r\n:1\r\nHTTP", "*2\r\n:1\r\n", errGarbage},
		"a length that is no number":      {"$1x\r\n", "", errGarbage},
		"no length at all":                {"*\r\n", "", errGarbage},
		"a length below 0":                {"*-2\r\n", "", errGarbage},
		"a map below 0":                   {"%-1\r\n", "", errGarbage},
		"a text without end":              {"$?\r\n", "", errGarbage},
		"a huge text":                     {"*1\r\n$1099511627776\r\n", "*1\r\n", errGarbage},
		"a text that is a little huge":    {"$67108865\r\n", "", errGarbage},
		"a huge array":                    {"*1048577\r\n", "", errGarbage},
		"a map of as many":                {"%524289\r\n", "", errGarbage},
		"a length that overflows":         {"*18446744073709551617\r\n", "", errGarbage},
		"a second reply to one command":   {"+OK\r\n+OK\r\n", "+OK\r\n", errUnasked},
		"a second reply and a push":       {">1\r\n+a\r\n+OK\r\n>1\r\n+b\r\n:1\r\n", ">1\r\n+a\r\n+OK\r\n>1\r\n+b\r\n", errUnasked},
		"arrays in arrays without end":    {strings.Repeat("*1\r\n", maxArrays+1), strings.Repeat("*1\r\n", maxArrays), errGarbage},
		"the same with values in between": {strings.Repeat("*2\r\n:1\r\n", maxArrays+1), strings.Repeat("*2\r\n:1\r\n", maxArrays), errGarbage},
	} {
		g := Guard(&stream{in: strings.NewReader(c.bytes)})
		if _, err := g.Write([]byte(command)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(g)
		if !errors.Is(err, c.want) || string(got) != c.delivered {
			t.Errorf("%s: delivered %.40q and %v, want %.40q and %v", name, got, err, c.delivered, c.want)
		}
		if _, again := g.Read(make([]byte, 1)); !errors.Is(again, c.want) {
			t.Errorf("%s: the next Read gives %v", name, again)
		}
	}
}

// However a stream is cut into pieces, the same is delivered, and what is
// delivered declares nothing huge.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n$1\r\nv\r\n$-1\r\n", "%1\r\n+a\r\n:1\r\n", "|1\r\n+a\r\n+b\r\n+c\r\n", "$99999999999\r\n", ">1\r\n+a\r\n"} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = max(1, size%16)
		whole := Guard(&stream{in: bytes.NewReader(in)})
		parts := Guard(&stream{in: iotest.HalfReader(bytes.NewReader(in))})
		for _, g := range []net.Conn{whole, parts} {
			if _, err := g.Write([]byte(strings.Repeat(command, 3))); err != nil {
				t.Fatal(err)
			}
		}
		a, errA := io.ReadAll(whole)
		var b []byte
		var errB error
		for piece := make([]byte, size); errB == nil; {
			var n int
			n, errB = parts.Read(piece)
			b = append(b, piece[:n]...)
		}
		// A bad line of which pieces were delivered is kept back from where it shows.
		if !bytes.HasPrefix(in, a) || !bytes.HasPrefix(b, a[:min(len(a), len(b))]) || (errA == nil) != errors.Is(errB, io.EOF) {
			t.Errorf("%q: whole %q and %v, in pieces %q and %v", in, a, errA, b, errB)
		}
		if slices.Compare(a, in) != 0 && errA == nil {
			t.Errorf("%q: only %q was delivered", in, a)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	script := "*11\r\n" + strings.Repeat("$40\r\n"+strings.Repeat("x", 40)+"\r\n", 11)
	reply := "*2\r\n" + strings.Repeat("$300\r\n"+strings.Repeat("x", 300)+"\r\n", 2)
	g := &guarded{Conn: &stream{}}
	out, in := []byte(script), []byte(reply)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := g.check(in); err != nil {
			b.Fatal(err)
		}
	}
}
