package results

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
)

// writeLog writes five intervals of three tags, the third one only twice, and
// returns what each tag holds in all.
func writeLog(tb testing.TB, dir string) map[string]*hdrhistogram.Histogram {
	tb.Helper()
	l, err := CreateLog(dir)
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]*hdrhistogram.Histogram{}
	start := l.base.Add(1234 * time.Millisecond)
	for second := range 5 {
		for i, tag := range []string{"s/redis:7.0/go-redis/validate/response", "s/redis:7.0/go-redis/validate/lag", "rare"} {
			h := newHistogram(tb)
			if tag != "rare" || second%2 == 1 {
				h = newHistogram(tb, lognormal(uint64(10*second+i), 1000)...)
			}
			h.SetTag("caller's own")
			from := start.Add(time.Duration(second) * time.Second)
			if err := l.Append(tag, from, from.Add(time.Second), h); err != nil {
				tb.Fatal(err)
			}
			if h.Tag() != "caller's own" || h.StartTimeMs() != newHistogram(tb).StartTimeMs() {
				tb.Fatal("Append changed the caller's histogram")
			}
			if all[tag] == nil {
				all[tag] = newHistogram(tb)
			}
			if dropped := all[tag].Merge(h); dropped != 0 {
				tb.Fatalf("dropped %d", dropped)
			}
		}
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return all
}

func TestLogReadsBackWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	want := writeLog(t, dir)
	log, err := ReadLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if log.Partial || log.Cut || len(log.Tags) != len(want) {
		t.Fatalf("partial %v, cut %v, %d tags", log.Partial, log.Cut, len(log.Tags))
	}
	for tag, h := range want {
		got := log.Tags[tag]
		if got == nil {
			t.Fatalf("no tag %s", tag)
		}
		if !got.Merged.Equals(h) || got.Merged.ValueAtQuantile(99.9) != h.ValueAtQuantile(99.9) {
			t.Errorf("%s: %d values with p99.9 %d, want %d with %d", tag,
				got.Merged.TotalCount(), got.Merged.ValueAtQuantile(99.9), h.TotalCount(), h.ValueAtQuantile(99.9))
		}
	}
	if n := len(log.Tags["rare"].Intervals); n != 2 {
		t.Errorf("rare has %d intervals, want the 2 that are not empty", n)
	}
	if log.Get("s/redis:7.0/go-redis", "validate", ClockLag) != log.Tags["s/redis:7.0/go-redis/validate/lag"] {
		t.Error("Get does not find a tag by its parts")
	}
	if (*Log)(nil).Get("a", "b", "c") != nil {
		t.Error("a nil log has a tag")
	}
	assertFiles(t, dir, LogFile)
}

func TestLogIntervalsKeepTimeAndCounts(t *testing.T) {
	dir := t.TempDir()
	writeLog(t, dir)
	log, err := ReadLog(filepath.Join(dir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	tagged := log.Tags["s/redis:7.0/go-redis/validate/response"]
	for i, interval := range tagged.Intervals {
		h, err := interval.Histogram()
		if err != nil {
			t.Fatal(err)
		}
		if h.TotalCount() != interval.Count || interval.End.Sub(interval.Start) != time.Second {
			t.Errorf("interval %d: %d of %d values, %v", i, h.TotalCount(), interval.Count, interval.End.Sub(interval.Start))
		}
		if ms := interval.Start.UnixMilli() % 1000; ms != 234 {
			t.Errorf("interval %d starts at millisecond %d, want 234", i, ms)
		}
		sum += interval.Count
	}
	if sum != tagged.Merged.TotalCount() || sum != 5000 {
		t.Errorf("intervals hold %d values, merged %d", sum, tagged.Merged.TotalCount())
	}
}

// Other tools read the log with the library's reader or with Java's.
func TestLogIsReadByTheLibrary(t *testing.T) {
	dir := t.TempDir()
	want := writeLog(t, dir)
	f, err := os.Open(filepath.Join(dir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	reader := hdrhistogram.NewHistogramLogReader(f)
	got := map[string]int64{}
	for range 1000 {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		got[h.Tag()] += h.TotalCount()
	}
	counts := map[string]int64{}
	for tag, h := range want {
		counts[tag] = h.TotalCount()
	}
	if diff := cmp.Diff(counts, got); diff != "" {
		t.Errorf("counts (-written +read):\n%s", diff)
	}
}

// The header is that of the format's definition, the class comment of
// HistogramLogWriter in the Java library, whose HistogramLogProcessor reads it: the
// version first, comments in "#[…]", times in seconds, a legend, and tags before
// start, length, maximum and a V2 histogram ("HISTFAAAA" is its cookie in base64).
func TestLogBeginsAsTheFormatWantsIt(t *testing.T) {
	dir := t.TempDir()
	writeLog(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, pattern := range []string{
		`^#\[Histogram log format version 1\.3\]$`,
		`^#\[Values are nanoseconds, .*\]$`,
		`^#\[StartTime: \d+(\.\d+)? \(seconds since epoch\), \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]$`,
		`^#\[BaseTime: \d+(\.\d+)? \(seconds since epoch\)\]$`,
		`^"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"$`,
		`^Tag=[^, ]+,1\.234000,1\.000000,\d+\.\d+,HISTFAAAA[A-Za-z0-9+/]+=*$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(lines[i]) {
			t.Errorf("line %d is %.120q, want %s", i+1, lines[i], pattern)
		}
	}
}

func TestKilledRunLeavesAReadableLog(t *testing.T) {
	dir := t.TempDir()
	l, err := CreateLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.file.Close() })
	for i := range 3 {
		if err := l.Append("a", l.base, l.base.Add(time.Second), newHistogram(t, 5000, int64(1000*(i+1)))); err != nil {
			t.Fatal(err)
		}
	}
	assertFiles(t, dir, LogFile+partialSuffix)
	log, err := ReadLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !log.Partial || log.Cut || log.Tags["a"].Merged.TotalCount() != 6 {
		t.Errorf("partial %v, cut %v, %d values", log.Partial, log.Cut, log.Tags["a"].Merged.TotalCount())
	}
	t.Run("cut inside its last line", func(t *testing.T) {
		info, err := os.Stat(log.Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(log.Path, info.Size()-7); err != nil {
			t.Fatal(err)
		}
		log, err := ReadLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !log.Cut || log.Tags["a"].Merged.TotalCount() != 4 {
			t.Errorf("cut %v, %d values, want the first two lines", log.Cut, log.Tags["a"].Merged.TotalCount())
		}
	})
}

func TestLogIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	l, err := CreateLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateLog(dir); err == nil {
		t.Error("a second log began beside a partial one")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateLog(dir); err == nil {
		t.Error("a second log began beside a closed one")
	}
	if err := l.Close(); err == nil {
		t.Error("a second Close says nothing")
	}
	if err := l.Append("a", l.base, l.base, newHistogram(t, 5000)); err == nil {
		t.Error("Append to a closed log says nothing")
	}
	if log, err := ReadLog(dir); err != nil || len(log.Tags) != 0 {
		t.Errorf("a log of nothing: %v, %v", log, err)
	}
}

func TestAppendRefusesWhatTheFormatCannotHold(t *testing.T) {
	l, err := CreateLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := newHistogram(t, 5000)
	for _, tag := range []string{"", "a,b", "a b", "a\nb", ",", " a", "a\r", "a\x00b", "a\xff"} {
		if err := l.Append(tag, l.base, l.base, h); err == nil {
			t.Errorf("tag %q was taken", tag)
		}
	}
	if err := l.Append("a", l.base, l.base.Add(-time.Second), h); err == nil {
		t.Error("an interval that ends before it starts was taken")
	}
	if err := l.Append("a", l.base, l.base, nil); err != nil {
		t.Errorf("no histogram: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadLogNamesTheLineThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	writeLog(t, dir)
	path := filepath.Join(dir, LogFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	const first = 5 // The lines before the first interval.
	if !strings.HasPrefix(lines[first], "Tag=") {
		t.Fatalf("line %d is %q", first+1, lines[first])
	}
	narrow := hdrhistogram.New(1, 10, 1)
	if err := narrow.RecordValue(1); err != nil {
		t.Fatal(err)
	}
	payload, err := narrow.EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		change     func(lines []string) []string
	}{
		{"a flipped byte in a histogram", "line 8: decode histogram", func(l []string) []string {
			l[7] = l[7][:len(l[7])-30] + "AAAA" + l[7][len(l[7])-26:]
			return l
		}},
		{"a line of another kind", "line 8: it is no interval", func(l []string) []string {
			l[7] = "hello\n"
			return l
		}},
		{"a time that is none", `line 8: its start "soon"`, func(l []string) []string {
			l[7] = "Tag=a,soon,1,1,x\n"
			return l
		}},
		{"a length below zero", "line 8: its length is -1 seconds", func(l []string) []string {
			l[7] = "Tag=a,1,-1,1,x\n"
			return l
		}},
		{"no tag", "line 8: it has no tag", func(l []string) []string {
			l[7] = "Tag=,1,1,1,x\n"
			return l
		}},
		{"another geometry under one tag", "line 9: 1000 values of b do not fit", func(l []string) []string {
			l[7] = fmt.Sprintf("Tag=b,1,1,1,%s\n", payload)
			_, rest, _ := strings.Cut(l[8], ",")
			l[8] = "Tag=b," + rest
			return l
		}},
		{"no version", "line 1: it does not begin with", func(l []string) []string { return l[1:] }},
		{"a lost line", "holds 11 intervals where its end says 12", func(l []string) []string {
			return append(l[:7:7], l[8:]...)
		}},
		{"a lost end", "cut short after 12 intervals", func(l []string) []string { return l[:len(l)-2] }},
		{"something after the end", "line 19: something follows", func(l []string) []string {
			return append(l[:len(l)-1:len(l)-1], "# more\n")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.Join(test.change(append([]string{}, lines...)), "")
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadLog(dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("err = %v, want one with %q and the path", err, test.want)
			}
		})
	}
}

func FuzzReadLog(f *testing.F) {
	dir := f.TempDir()
	l, err := CreateLog(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, tag := range []string{"a", "b", "a"} {
		if err := l.Append(tag, l.base, l.base.Add(time.Second), newHistogram(f, 5000, 7000)); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, LogFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, true)
	f.Add(data[:len(data)/2], true)
	f.Add([]byte("#[Histogram log format version 1.3]\n#[Intervals: 0]\n"), false)
	f.Add([]byte("#[Histogram log format version 1.3]\n#[BaseTime: 1e9 (\nTag=a,-1,0,0,HISTFAAAAAB42pNpmSzMwMDAyAABTBDKT4GBgQEAN4kCpA==\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, partial bool) {
		r := logReader{log: &Log{Partial: partial, Tags: map[string]*Tagged{}}}
		if r.read(strings.NewReader(string(data))) != nil {
			return
		}
		var lines int64
		for tag, tagged := range r.log.Tags {
			var sum int64
			for _, i := range tagged.Intervals {
				if i.End.Before(i.Start) {
					t.Fatalf("%q: an interval ends before it starts", tag)
				}
				h, err := i.Histogram()
				if err != nil || h.TotalCount() != i.Count {
					t.Fatalf("%q: an interval of %d values decodes to %v, %v", tag, i.Count, h, err)
				}
				sum += i.Count
			}
			if sum != tagged.Merged.TotalCount() {
				t.Fatalf("%q: intervals hold %d values, merged %d", tag, sum, tagged.Merged.TotalCount())
			}
			lines += int64(len(tagged.Intervals))
		}
		if lines != r.intervals {
			t.Fatalf("%d intervals kept of %d read", lines, r.intervals)
		}
	})
}
