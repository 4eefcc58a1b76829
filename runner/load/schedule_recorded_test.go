package load

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadRecorded(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		text string
		want []time.Duration
	}{
		"times after a start":        {"0\n0.5\n1.25\n", []time.Duration{0, 500 * ms, 1250 * ms}},
		"Unix times":                 {"1718000000.123456789\n1718000001", []time.Duration{0, 876543211}},
		"comments and empty lines":   {"# cut from a log\n\n 3\n#4\n\n3.001 \n", []time.Duration{0, ms}},
		"line ends of another world": {"1\r\n2\r\n", []time.Duration{0, time.Second}},
		"bursts":                     {"7\n7\n7\n8\n", []time.Duration{0, 0, 0, time.Second}},
		"one time":                   {"99", []time.Duration{0}},
		"points at the edges":        {".5\n1.", []time.Duration{0, 500 * ms}},
		"more digits than are kept":  {"0\n0.0000000019999", []time.Duration{0, 1}},
		"the longest line":           {strings.Repeat("0", MaxRecordedLine-2) + "1\n" + strings.Repeat("0", MaxRecordedLine-2) + "2\r\n", []time.Duration{0, time.Second}},
		"the longest span":           {"0\n86399.999", []time.Duration{0, MaxSpan - ms}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ReadRecorded(iotest.HalfReader(strings.NewReader(tt.text)), "a file")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, collect(s, 1)); diff != "" {
				t.Errorf("due times differ (-want +got):\n%s", diff)
			}
			last := tt.want[len(tt.want)-1]
			if err := s.Validate(); err != nil || s.Duration() != last+ms || s.Count() != float64(len(tt.want)) {
				t.Errorf("it lasts %v with %v arrivals: %v", s.Duration(), s.Count(), err)
			}
			if got, want := s.Expected(0, last), float64(slices.Index(tt.want, last)); got != want {
				t.Errorf("%v are expected before the last instant, want %v", got, want)
			}
			if got, want := s.Rate(0), s.Count()/s.Duration().Seconds(); math.Abs(got-want) > 1e-9*want {
				t.Errorf("its rate is %v, want %v", got, want)
			}
		})
	}
}

func TestReadRecordedRefuses(t *testing.T) {
	long := strings.Repeat("1", MaxRecordedLine+1)
	tests := map[string]struct{ text, says string }{
		"nothing":                {"", "there is no time in it"},
		"comments alone":         {"# 1\n\n", "there is no time in it"},
		"a word":                 {"1\nsoon\n", `line 2: "soon" is not a time`},
		"a log line":             {"12.5 GET /\n", "alone on the line"},
		"a negative time":        {"-1\n", "line 1:"},
		"an exponent":            {"1e3\n", "not a time"},
		"NaN":                    {"NaN\n", "not a time"},
		"Inf":                    {"Inf\n", "not a time"},
		"a point alone":          {".\n", "not a time"},
		"two points":             {"1.2.3\n", "not a time"},
		"a Go duration":          {"1s\n", "not a time"},
		"a comma":                {"1,5\n", "not a time"},
		"a time that falls":      {"# times\n1.5\n\n1.4\n", "line 4: 1.4 s comes after 1.5 s"},
		"too long a span":        {"0\n86400\n", "line 2: it lies 24h0m0s after the first"},
		"nanoseconds":            {"1718000000123456789\n", "too large"},
		"beyond any number":      {strings.Repeat("9", 400), "too large"},
		"too long a line":        {"1\n" + long + "\n", "line 2: it is longer than 1000 bytes"},
		"too long a comment":     {"#" + long, "line 1: it is longer than 1000 bytes"},
		"bytes that are no text": {"\x00\xff\n", "not a time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ReadRecorded(strings.NewReader(tt.text), "a file")
			if err == nil {
				t.Fatalf("accepted as %v", s)
			}
			if !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), `"a file"`) {
				t.Errorf("error %q does not say %q and the file", err, tt.says)
			}
		})
	}
}

func TestReadRecordedPassesOnWhatReadingFailsWith(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := ReadRecorded(io.MultiReader(strings.NewReader("1\n2\n"), iotest.ErrReader(broken)), "a file")
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v", err)
	}
}

func TestReadRecordedRefusesTooMany(t *testing.T) {
	if testing.Short() {
		t.Skip("reads ten million lines")
	}
	_, err := ReadRecorded(bytes.NewReader(bytes.Repeat([]byte("1\n"), MaxRecorded+1)), "a file")
	if err == nil || !strings.Contains(err.Error(), "line 10000001: there are more than 10000000 times") {
		t.Errorf("%v", err)
	}
}

func TestARecordingTellsWhatItWas(t *testing.T) {
	read := func(text, name string) Schedule {
		s, err := ReadRecorded(strings.NewReader(text), name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := read("1\n3.5\n", "two, \x1btimes")
	// printf '1\n3.5\n' | sha256sum
	const want = `recorded:"two, \x1btimes" (2 in 2.5s, sha256 a52b8a25990a)`
	if s.String() != want {
		t.Errorf("String = %s, want %s", s, want)
	}
	for _, text := range []string{s.String(), Poisson(1, time.Second).Then(s).String()} {
		if _, err := ParseSchedule(text); err == nil || !strings.Contains(err.Error(), "read from its file") {
			t.Errorf("%s is read back: %v", text, err)
		}
	}
	if !s.Equal(read("1\n3.5\n", "two, \x1btimes")) || s.Equal(read("1\n3.4\n", "two, \x1btimes")) ||
		s.Equal(Schedule{}) || s.Equal(Poisson(1, s.Duration())) || Poisson(1, s.Duration()).Equal(s) {
		t.Error("a recording equals another one")
	}
	if !s.Evenly().Equal(s) {
		t.Errorf("made even, the recording is %v", s.Evenly())
	}
}

func TestRecordingsFollowOtherStages(t *testing.T) {
	s, err := ReadRecorded(strings.NewReader("5\n5.2\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	const ms = time.Millisecond
	got := collect(Constant(10, 200*ms).Then(s).Then(s).Then(Constant(10, 100*ms)), 1)
	want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 401 * ms, 601 * ms, 602 * ms}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due times differ (-want +got):\n%s", diff)
	}
}

func TestARecordingIsOfferedAsItWas(t *testing.T) {
	s, err := ReadRecorded(strings.NewReader("100\n100.5\n100.5\n103\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		traffic := &script{}
		r := mustRun(t, Config{Warmup: s.WarmUp(time.Second), Measure: s}, traffic)
		if r.Offered != 4 {
			t.Errorf("%d operations offered, want 4", r.Offered)
		}
		var due []time.Duration
		for _, op := range traffic.planned[len(traffic.planned)-4:] {
			due = append(due, op.Due)
		}
		if diff := cmp.Diff([]time.Duration{0, 5e8, 5e8, 3e9}, due); diff != "" {
			t.Errorf("due times differ (-want +got):\n%s", diff)
		}
	})
}

func FuzzReadRecorded(f *testing.F) {
	for _, text := range []string{"0\n1\n2.5\n", "# x\n\n1718000000.123\r\n1718000000.124", "1\n0", "9223372036.9", ".5\n.", "1e9\nNaN", "86400\n172799.999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadRecorded(strings.NewReader(text), "fuzz")
		if err != nil {
			return
		}
		due := collect(s, 1)
		if err := s.Validate(); err != nil || len(due) == 0 || due[0] != 0 || !slices.IsSorted(due) || due[len(due)-1] >= s.Duration() {
			t.Fatalf("%q was accepted as %v: %v %v", text, s, due, err)
		}
		// Written out and read again it is the same.
		var b strings.Builder
		for _, d := range due {
			b.WriteString(strconv.FormatInt(int64(d/time.Second), 10) + "." + strconv.FormatInt(int64(1e9+d%time.Second), 10)[1:] + "\n")
		}
		again, err := ReadRecorded(strings.NewReader(b.String()), "fuzz")
		if err != nil || !slices.Equal(due, collect(again, 1)) {
			t.Fatalf("%q is read as %v, and that as %v: %v", text, due, collect(again, 1), err)
		}
	})
}
