package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// trailer begins the comment that ends a closed log. Other readers skip it.
const trailer = "#[Intervals: "

// The bounds of ReadLog, far beyond what a run writes: 150 kB a histogram, a
// few kB a line, a few hundred tags.
const (
	maxHistogramBytes = 4 << 20
	maxLine           = 4 << 20
	maxTags           = 1 << 14
)

// maxLogSeconds bounds the log's times, to the year 2286 and as far back.
const maxLogSeconds = 1e10

// Log is what a run.hlog holds.
type Log struct {
	// Path is the file that was read.
	Path string
	// Partial tells that the run never closed its log: it was killed, or its
	// disk was full. What is here was measured; more was, or would have been.
	Partial bool
	// Cut tells that the last line of a partial log was incomplete and left out.
	Cut  bool
	Tags map[string]*Tagged
}

// Tagged is what a log holds under one tag.
type Tagged struct {
	// Merged is the sum of all intervals, in nanoseconds.
	Merged *hdrhistogram.Histogram
	// Intervals are in the log's order, that of time for a run's own log.
	Intervals []Interval
}

// Interval is one line of a log.
type Interval struct {
	// Start and End are exact to the millisecond.
	Start, End time.Time
	Count      int64
	encoded    string
}

// Histogram decodes the interval afresh at each call: decoded, the histograms
// of a run would take hundreds of megabytes.
func (i Interval) Histogram() (*hdrhistogram.Histogram, error) {
	return hdrhistogram.Decode([]byte(i.encoded))
}

// Get finds a histogram by the parts of its tag; nil when the log has none, or
// when l is nil.
func (l *Log) Get(cell, operation, clock string) *Tagged {
	if l == nil {
		return nil
	}
	return l.Tags[Tag(cell, operation, clock)]
}

// ReadLog reads a log from path: a run's folder (its run.hlog, or else its
// run.hlog.partial) or the file itself. A closed log must be whole. A partial
// one may end anywhere: its last line is left out when it is incomplete. Any
// other line that is not as the format wants it is an error with its number.
func ReadLog(path string) (_ *Log, err error) {
	path = logPath(path)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read log %s: %w", path, cause(err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := logReader{log: &Log{Path: path, Partial: strings.HasSuffix(path, partialSuffix), Tags: map[string]*Tagged{}}}
	if err := r.read(f); err != nil {
		return nil, fmt.Errorf("read log %s: %w", path, err)
	}
	return r.log, nil
}

func logPath(path string) string {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return path
	}
	path = filepath.Join(path, LogFile)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if _, err := os.Stat(path + partialSuffix); err == nil {
		return path + partialSuffix
	}
	return path
}

// logReader goes through a log line by line. It parses the lines itself and not
// with the library's reader, which skips the lines that it does not understand.
type logReader struct {
	log       *Log
	base      float64
	intervals int64
	// total is what the trailer says, once ended.
	total int64
	ended bool
	// version is true after the first line.
	version bool
}

func (r *logReader) read(in io.Reader) error {
	b := bufio.NewReaderSize(in, maxLine)
	for number := 1; ; number++ {
		line, err := b.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("line %d is longer than %d MB", number, maxLine>>20)
		case errors.Is(err, io.EOF):
			return r.end(len(line) > 0)
		case err != nil:
			return cause(err)
		}
		if err := r.line(strings.TrimRight(string(line), "\r\n")); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
}

// end judges what was read when the file ends; cut tells that it ended inside
// a line.
func (r *logReader) end(cut bool) error {
	switch {
	case r.log.Partial:
		r.log.Cut = cut
		return nil
	case cut || !r.ended:
		return fmt.Errorf("it is cut short after %d intervals", r.intervals)
	case r.total != r.intervals:
		return fmt.Errorf("it holds %d intervals where its end says %d", r.intervals, r.total)
	default:
		return nil
	}
}

func (r *logReader) line(s string) error {
	if !r.version {
		r.version = true
		return checkLogVersion(s)
	}
	switch {
	case r.ended:
		return errors.New("something follows the log's end")
	case strings.HasPrefix(s, trailer):
		r.ended = true
		return parseInto(&r.total, strings.TrimSuffix(s[len(trailer):], "]"))
	case strings.HasPrefix(s, "#[BaseTime: "):
		return r.baseTime(s)
	case strings.HasPrefix(s, "#"), strings.HasPrefix(s, `"StartTimestamp"`):
		return nil
	default:
		return r.interval(s)
	}
}

func checkLogVersion(s string) error {
	const want = "#[Histogram log format version " + hdrhistogram.HISTOGRAM_LOG_FORMAT_VERSION + "]"
	if s != want {
		return fmt.Errorf("it does not begin with %q", want)
	}
	return nil
}

func parseInto(n *int64, s string) (err error) {
	*n, err = strconv.ParseInt(s, 10, 64)
	return err
}

func (r *logReader) baseTime(s string) (err error) {
	field, _, _ := strings.Cut(strings.TrimPrefix(s, "#[BaseTime: "), " ")
	r.base, err = seconds("base time", field)
	return err
}

// interval takes in "Tag=<tag>,<start>,<length>,<max>,<histogram>".
func (r *logReader) interval(s string) error {
	f := strings.Split(s, ",")
	if len(f) != 5 || !strings.HasPrefix(f[0], "Tag=") {
		return errors.New("it is no interval: want Tag=,start,length,max,histogram")
	}
	tag := strings.TrimPrefix(f[0], "Tag=")
	if err := word("tag", tag); err != nil {
		return err
	}
	start, err := seconds("start", f[1])
	if err != nil {
		return err
	}
	length, err := seconds("length", f[2])
	if err != nil {
		return err
	}
	if length < 0 {
		return fmt.Errorf("its length is %s seconds", f[2])
	}
	h, err := decodeInterval(f[4])
	if err != nil {
		return err
	}
	from := r.base + start
	r.intervals++
	return r.add(tag, h, Interval{Start: instant(from), End: instant(from + length), Count: h.TotalCount(), encoded: f[4]})
}

func decodeInterval(s string) (*hdrhistogram.Histogram, error) {
	h, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	if h.ByteSize() > maxHistogramBytes {
		return nil, fmt.Errorf("its histogram takes %d bytes of memory, more than %d", h.ByteSize(), maxHistogramBytes)
	}
	return h, nil
}

func (r *logReader) add(tag string, h *hdrhistogram.Histogram, i Interval) error {
	t := r.log.Tags[tag]
	if t == nil {
		if len(r.log.Tags) == maxTags {
			return fmt.Errorf("it holds more than %d tags", maxTags)
		}
		r.log.Tags[tag] = &Tagged{Merged: h, Intervals: []Interval{i}}
		return nil
	}
	if h.TotalCount() > math.MaxInt64-t.Merged.TotalCount() {
		return fmt.Errorf("the counts of %s add up to more than 63 bits hold", tag)
	}
	// Merge drops what does not fit, and says so in its result alone.
	if dropped := t.Merged.Merge(h); dropped != 0 {
		return fmt.Errorf("%d values of %s do not fit the histogram that its first interval has", dropped, tag)
	}
	t.Intervals = append(t.Intervals, i)
	return nil
}

func seconds(name, s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > maxLogSeconds {
		return 0, fmt.Errorf("its %s %q is no time in seconds", name, s)
	}
	return v, nil
}

// instant rounds, where cutting would lose a millisecond now and then.
func instant(seconds float64) time.Time {
	return time.UnixMilli(int64(math.Round(seconds * 1e3))).UTC()
}
