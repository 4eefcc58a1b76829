package machine

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

// pressure is the "some" line of a pressure file.
type pressure struct {
	// avg10 is the share of the last ten seconds, in percent.
	avg10 float64
	total time.Duration
}

// parsePressure reads a file such as /proc/pressure/cpu. Like the other parser
// it allocates nothing, since it runs beside a measurement.
func parsePressure(data []byte) (p pressure, ok bool) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line, ok = bytes.CutPrefix(line, []byte("some "))
	if !ok {
		return p, false
	}
	var average, total bool
	for field := range bytes.FieldsSeq(line) {
		name, value, _ := bytes.Cut(field, []byte("="))
		switch string(name) {
		case "avg10":
			p.avg10, average = parsePercent(value)
		case "total":
			var us uint64
			us, total = parseUint(value)
			total = total && us <= math.MaxInt64/uint64(time.Microsecond)
			p.total = time.Duration(us) * time.Microsecond
		}
	}
	return p, average && total
}

// ticks are of all processors together.
type ticks struct{ steal, total uint64 }

// The fields of the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq and steal. What follows, a guest's time, is in user already.
const (
	stealField = 7
	statFields = 8
)

// parseStat reads the beginning of /proc/stat. A kernel that does not count
// steal has no such field.
func parseStat(data []byte) (t ticks, ok bool) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line, ok = bytes.CutPrefix(line, []byte("cpu "))
	if !ok {
		return ticks{}, false
	}
	i := 0
	for field := range bytes.FieldsSeq(line) {
		if i == statFields {
			break
		}
		n, ok := parseUint(field)
		if !ok || n > math.MaxUint64-t.total {
			return ticks{}, false
		}
		if i == stealField {
			t.steal = n
		}
		t.total += n
		i++
	}
	return t, i == statFields
}

func parseUint(text []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	return n, err == nil
}

func parsePercent(text []byte) (float64, bool) {
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil && v >= 0 && v <= 100
}

// parseChoice returns the word in brackets: "always [madvise] never".
func parseChoice(text string) string {
	_, rest, _ := strings.Cut(text, "[")
	choice, _, ok := strings.Cut(rest, "]")
	if !ok {
		return ""
	}
	return choice
}
