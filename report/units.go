package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// dash stands for a number that there is not.
const dash = "–"

// latencyUnit is a unit that a latency in microseconds is shown in.
type latencyUnit struct {
	name string
	// micros is how many microseconds one of them has.
	micros float64
}

// unitFor picks the unit for a column of latencies in microseconds, so that all
// of them can be compared by eye: that in which the smallest is at least 1, or
// else microseconds.
func unitFor(micros []float64) latencyUnit {
	least := math.Inf(1)
	for _, v := range micros {
		if v > 0 {
			least = math.Min(least, v)
		}
	}
	switch {
	case math.IsInf(least, 1) || least < 1e3:
		return latencyUnit{"µs", 1}
	case least < 1e6:
		return latencyUnit{"ms", 1e3}
	default:
		return latencyUnit{"s", 1e6}
	}
}

// format gives three significant digits.
func (u latencyUnit) format(micros float64) string { return digits3(micros / u.micros) }

// formatLatency gives a latency with the unit that suits it, as "1.24 ms".
func formatLatency(micros float64) string {
	u := unitFor([]float64{micros})
	return u.format(micros) + " " + u.name
}

// digits3 shows three significant digits, and more only before the point.
func digits3(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return dash
	case a >= 99.95:
		return thousands(int64(math.Round(v)))
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.9995 || a == 0:
		return strconv.FormatFloat(v, 'f', min(2, precision(a)), 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

// precision shows a zero as "0" and not as "0.00".
func precision(a float64) int {
	if a == 0 {
		return 0
	}
	return 2
}

// thousands groups digits by three.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return sign + b.String()
}

// ratio shows how many times as much a is as b, a >= b > 0.
func ratio(a, b float64) string { return strconv.FormatFloat(a/b, 'f', 2, 64) + "×" }

// duration shows seconds for people, rounded up to two digits: it is only ever
// used for a time that is needed at least.
func duration(seconds float64) string {
	switch {
	case math.IsInf(seconds, 0) || math.IsNaN(seconds) || seconds > 1e8:
		return "an endless time"
	case seconds < 100:
		return strconv.Itoa(int(math.Ceil(seconds))) + " s"
	case seconds < 5400:
		return strconv.Itoa(int(math.Ceil(seconds/60))) + " min"
	default:
		return strconv.FormatFloat(math.Ceil(seconds/360)/10, 'f', 1, 64) + " h"
	}
}

// clean takes out of a text from a file what could steer a terminal or break a
// line, and cuts it at a length that fits a note.
func clean(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
