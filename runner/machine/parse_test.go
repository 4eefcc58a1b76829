package machine

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

const (
	somePressure = "some avg10=1.25 avg60=1.80 avg300=4.45 total=164118588\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
	someStat     = "cpu  31835 1 10800 210883 934 2 2573 40 7 8\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n"
)

func TestPressureIsReadFromTheKernelsWords(t *testing.T) {
	tests := map[string]struct {
		data string
		want pressure
		ok   bool
	}{
		"both lines":              {somePressure, pressure{1.25, 164118588 * time.Microsecond}, true},
		"an old kernel's line":    {"some avg10=0.00 avg60=0.00 avg300=0.00 total=0", pressure{}, true},
		"fields in another order": {"some total=7 avg10=100.00\n", pressure{100, 7 * time.Microsecond}, true},
		"nothing":                 {"", pressure{}, false},
		"only the full line":      {"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", pressure{}, false},
		"no total":                {"some avg10=1.25 avg60=1.80\n", pressure{}, false},
		"no average":              {"some total=5\n", pressure{}, false},
		"cut short":               {"some avg10=1.25 avg60=1.80 avg300=4.45 total=", pressure{}, false},
		"a total below zero":      {"some avg10=1 total=-1\n", pressure{}, false},
		"a total beyond time":     {"some avg10=1 total=18446744073709551615\n", pressure{}, false},
		"no number":               {"some avg10=NaN total=1\n", pressure{}, false},
		"more than all the time":  {"some avg10=101 total=1\n", pressure{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parsePressure([]byte(test.data))
			if ok != test.ok || ok && got != test.want {
				t.Errorf("read %+v, %v; want %+v, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestStealIsReadFromTheKernelsWords(t *testing.T) {
	tests := map[string]struct {
		data string
		want ticks
		ok   bool
	}{
		"all fields":              {someStat, ticks{40, 31835 + 1 + 10800 + 210883 + 934 + 2 + 2573 + 40}, true},
		"no guests":               {"cpu 1 2 3 4 5 6 7 8\n", ticks{8, 36}, true},
		"no steal":                {"cpu 1 2 3 4 5 6 7\n", ticks{}, false},
		"the line of a processor": {"cpu0 1 2 3 4 5 6 7 8\n", ticks{}, false},
		"nothing":                 {"", ticks{}, false},
		"words":                   {"cpu a b c d e f g h\n", ticks{}, false},
		"a count below zero":      {"cpu 1 2 3 4 5 6 7 -8\n", ticks{}, false},
		"sums beyond all range":   {"cpu 18446744073709551615 18446744073709551615 0 0 0 0 0 3\n", ticks{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseStat([]byte(test.data))
			if ok != test.ok || ok && got != test.want {
				t.Errorf("read %+v, %v; want %+v, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestChoiceIsTheWordInBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"always [madvise] never": "madvise", "[always] madvise never": "always", "always madvise": "", "": "", "]x[": "", "[x": "",
	} {
		if got := parseChoice(text); got != want {
			t.Errorf("%q: read %q, want %q", text, got, want)
		}
	}
}

// What was read, written again in the kernel's words, reads back the same; and
// no part is larger than the whole.
func FuzzStat(f *testing.F) {
	f.Add([]byte(someStat))
	f.Add([]byte("cpu 1 2 3 4 5 6 7 8"))
	f.Add([]byte("cpu  18446744073709551615 1 0 0 0 0 0 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := parseStat(data)
		if !ok {
			return
		}
		if got.steal > got.total {
			t.Errorf("%d of %d ticks were stolen", got.steal, got.total)
		}
		again, ok := parseStat(fmt.Appendf(nil, "cpu %d 0 0 0 0 0 0 %d 9 9\n", got.total-got.steal, got.steal))
		if !ok || again != got {
			t.Errorf("%+v reads back as %+v, %v", got, again, ok)
		}
	})
}

func FuzzPressure(f *testing.F) {
	f.Add([]byte(somePressure))
	f.Add([]byte("some avg10=NaN total=1\n"))
	f.Add([]byte("some avg10=0x1p2 total=9223372036854775\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := parsePressure(data)
		if !ok {
			return
		}
		if !(got.avg10 >= 0 && got.avg10 <= 100) || got.total < 0 {
			t.Fatalf("%q is read as %+v", data, got)
		}
		again, ok := parsePressure(fmt.Appendf(nil, "some avg10=%v total=%d\n", got.avg10, got.total/time.Microsecond))
		if !ok || again != got {
			t.Errorf("%+v reads back as %+v, %v", got, again, ok)
		}
		first, _, _ := bytes.Cut(data, []byte("\n"))
		if alone, ok := parsePressure(first); !ok || alone != got {
			t.Errorf("the first line alone reads as %+v, %v", alone, ok)
		}
	})
}
