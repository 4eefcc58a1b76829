package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a recording may hold.
const (
	// MaxRecorded bounds the due times of one.
	MaxRecorded = 10_000_000
	// MaxRecordedLine bounds a line, in bytes.
	MaxRecordedLine = 1000
)

// recordedName begins the text of a recorded schedule.
const recordedName = "recorded"

// recordedTail is how long a recorded schedule goes on after its last arrival.
const recordedTail = time.Millisecond

// errLongLine tells of a file that is something else.
var errLongLine = fmt.Errorf("it is longer than %d bytes; write one time a line", MaxRecordedLine)

// recording is a list of due times from a file.
type recording struct {
	name string
	// hash begins the SHA-256 of the file, in hexadecimal.
	hash string
	// first is the time that the file begins with, and due are all times after
	// it; they never fall.
	first time.Duration
	due   []time.Duration
}

// ReadRecorded reads a schedule of recorded due times, which is offered exactly
// as it was. r holds one time a line, in seconds, as a decimal number:
//
//	# when requests came; this line and empty ones are skipped
//	1718000000.123
//	1718000000.131
//
// Times count from the first one, so that Unix times cut from an access log will do as
// well as times after a start; they may not fall. The schedule ends
// one millisecond after the last. There may be [MaxRecorded] times within
// [MaxSpan], in lines of [MaxRecordedLine] bytes. Fractions below a nanosecond
// are cut off.
//
// name tells the file in [Schedule.String], beside a hash, and in errors, which
// name the line as well.
func ReadRecorded(r io.Reader, name string) (Schedule, error) {
	hash := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(r, hash))
	lines.Buffer(nil, 2*MaxRecordedLine)
	record := &recording{name: name}
	number := 1
	for ; lines.Scan(); number++ {
		if err := record.read(lines.Bytes()); err != nil {
			return Schedule{}, fmt.Errorf("read recorded times of %q: line %d: %w", name, number, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Schedule{}, fmt.Errorf("read recorded times of %q: line %d: %w", name, number, errLongLine)
	} else if err != nil {
		return Schedule{}, fmt.Errorf("read recorded times of %q: line %d: %w", name, number, err)
	}
	if len(record.due) == 0 {
		return Schedule{}, fmt.Errorf("read recorded times of %q: there is no time in it; write one a line, in seconds", name)
	}
	record.hash = hex.EncodeToString(hash.Sum(nil)[:6])
	return single(stage{record: record, each: record.due[len(record.due)-1] + recordedTail}), nil
}

// read takes a line in.
func (r *recording) read(line []byte) error {
	if len(line) > MaxRecordedLine {
		return errLongLine
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	t, err := parseSeconds(string(line))
	if err != nil {
		return err
	}
	return r.add(t)
}

// add appends the time t.
func (r *recording) add(t time.Duration) error {
	if len(r.due) == 0 {
		r.first = t
	}
	after := t - r.first
	switch {
	case len(r.due) > 0 && after < r.due[len(r.due)-1]:
		return fmt.Errorf("%v s comes after %v s; times may not fall: sort the file (sort -n)",
			t.Seconds(), (r.first + r.due[len(r.due)-1]).Seconds())
	case after > MaxSpan-recordedTail:
		return fmt.Errorf("it lies %v after the first; at most %v are allowed", after, MaxSpan-recordedTail)
	case len(r.due) == MaxRecorded:
		return fmt.Errorf("there are more than %d times; give a part of them", MaxRecorded)
	}
	r.due = append(r.due, after)
	return nil
}

// parseSeconds reads a decimal number of seconds to the nanosecond, which a
// float64 could not hold of a Unix time.
func parseSeconds(s string) (time.Duration, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, fmt.Errorf("%.40q is not a time; write seconds as a decimal number, such as 12.345678, alone on the line", s)
	}
	// Nine digits, however many are given.
	nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	seconds, err := strconv.ParseInt("0"+whole, 10, 64)
	if err != nil || seconds >= int64(1<<63-1)/int64(time.Second) {
		return 0, fmt.Errorf("%.40q is too large; write seconds, not milliseconds or less", s)
	}
	return time.Duration(seconds)*time.Second + time.Duration(nanos), nil
}

// String tells what was recorded.
func (r *recording) String() string {
	last := r.due[len(r.due)-1]
	return fmt.Sprintf("%s:%q (%d in %v, sha256 %s)", recordedName, r.name, len(r.due), last, r.hash)
}

func (r *recording) equal(other *recording) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.name == other.name && r.hash == other.hash && slices.Equal(r.due, other.due)
}
