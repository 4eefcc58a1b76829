package results

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Which of an operation's three times a histogram in the log holds.
const (
	ClockResponse = "response"
	ClockService  = "service"
	ClockLag      = "lag"
)

// partialSuffix marks a log that its run has not closed.
const partialSuffix = ".partial"

// Tag names a histogram in the log: "<cell>/<operation>/<clock>", with the
// cell's ID and one of the Clock constants.
func Tag(cell, operation, clock string) string { return cell + "/" + operation + "/" + clock }

// LogWriter writes run.hlog, the HdrHistogram log format 1.3 with V2 compressed
// histograms: a header, then a line for each tag and interval, which other
// HdrHistogram tools read as well. Each line is on its way to the disk when
// Append returns, so that a run that is killed leaves a log that can be read up
// to its last whole line, under the name run.hlog.partial. Close gives it its
// name. Not safe for concurrent use.
type LogWriter struct {
	file      *os.File
	path      string
	base      time.Time
	intervals int64
	err       error
}

// CreateLog starts the log of the run in dir. The folder must exist and hold no
// log yet, neither closed nor partial: a log is never overwritten.
func CreateLog(dir string) (*LogWriter, error) {
	path := filepath.Join(dir, LogFile)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("create log %s: it exists already", path)
	}
	f, err := os.OpenFile(path+partialSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, filePerm)
	if err != nil {
		return nil, fmt.Errorf("create log %s: %w", path+partialSuffix, cause(err))
	}
	// The format's base time counts in whole seconds.
	l := &LogWriter{file: f, path: path, base: time.Now().Truncate(time.Second)}
	if err := l.header(); err != nil {
		_ = f.Close() // What failed is said already.
		return nil, dropFile(f.Name(), err)
	}
	return l, nil
}

func (l *LogWriter) header() error {
	var b bytes.Buffer
	w := hdrhistogram.NewHistogramLogWriter(&b)
	ms := l.base.UnixMilli()
	if err := errors.Join(
		w.OutputLogFormatVersion(),
		w.OutputComment("[Values are nanoseconds, Interval_Max milliseconds. Tag: scenario/target/client/operation/clock]"),
		w.OutputStartTime(ms),
		w.OutputBaseTime(ms),
		w.OutputLegend(),
	); err != nil {
		return err
	}
	return l.write(b.Bytes())
}

// Append adds what h (nanoseconds) recorded from start to end under tag, which
// holds no comma, space or control character. An interval in which nothing was
// recorded is left out. h is unchanged, and not kept. After a failed write,
// every later call returns the same error: the log ends where it broke.
func (l *LogWriter) Append(tag string, start, end time.Time, h *hdrhistogram.Histogram) error {
	if l.err != nil {
		return l.err
	}
	if err := word("tag", tag); err != nil {
		return fmt.Errorf("append to log %s: %w", l.path, err)
	}
	if end.Before(start) {
		return fmt.Errorf("append to log %s: the interval of %s ends before it starts", l.path, tag)
	}
	if h == nil || h.TotalCount() == 0 {
		return nil
	}
	line, err := l.line(tag, start, end, h)
	if err != nil {
		return fmt.Errorf("append to log %s: %w", l.path, err)
	}
	l.intervals++
	return l.write(line)
}

// line borrows h's own stamps, because the library takes them from there and a
// clone would cost 150 kB each second and histogram.
func (l *LogWriter) line(tag string, start, end time.Time, h *hdrhistogram.Histogram) ([]byte, error) {
	defer func(tag string, start, end int64) {
		h.SetTag(tag)
		h.SetStartTimeMs(start)
		h.SetEndTimeMs(end)
	}(h.Tag(), h.StartTimeMs(), h.EndTimeMs())
	h.SetTag(tag)
	h.SetStartTimeMs(start.UnixMilli())
	h.SetEndTimeMs(end.UnixMilli())
	var b bytes.Buffer
	w := hdrhistogram.NewHistogramLogWriter(&b)
	w.SetBaseTime(l.base.UnixMilli())
	err := w.OutputIntervalHistogram(h)
	return b.Bytes(), err
}

// write does nothing after a write that failed.
func (l *LogWriter) write(b []byte) error {
	if l.err != nil {
		return l.err
	}
	if _, err := l.file.Write(b); err != nil {
		l.err = fmt.Errorf("write log %s: %w", l.path+partialSuffix, cause(err))
	}
	return l.err
}

// Close ends the log with the number of its intervals, flushes it to the disk
// and renames it from run.hlog.partial to run.hlog. When something failed, here
// or in Append, the log keeps its partial name. A second Close is an error.
func (l *LogWriter) Close() error {
	err := l.write(fmt.Appendf(nil, "%s%d]\n", trailer, l.intervals))
	if err == nil {
		err = l.file.Sync()
	}
	if closed := l.file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(l.path+partialSuffix, l.path)
	}
	if err != nil {
		return fmt.Errorf("close log %s: %w", l.path, cause(err))
	}
	return syncDir(filepath.Dir(l.path))
}
