package load

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultSpan is how long a schedule lasts whose text is a bare rate.
const DefaultSpan = 10 * time.Second

// specForms ends the messages of parse errors.
const specForms = "write 10k, poisson:10k/10s, constant:5k/3s, ramp:1k-10k/30s, steps:1k,2k,5k/10s, sine:2k-8k@10s/60s, " +
	"visits:10k/60s, visits=8x250ms:10k/60s or constant+ramp:1k-10k/30s; join stages with commas"

// ParseSchedule reads what [Schedule.String] writes:
//
//	10k                      Poisson arrivals at 10 000/s for [DefaultSpan]
//	poisson:10000/10s        for ten seconds
//	constant:5k/3s           evenly spaced
//	ramp:1k-10k/30s          from one rate to the other
//	steps:1k,2k,5k/10s       ten seconds of each
//	sine:2k-8k@10s/60s       from one rate to the other and back every 10 s
//	visits:10k/60s           10 000 operations/s in [DefaultVisits]
//	visits=8x250ms:10k/60s   in visits of 8 on average, 250 ms after one another
//	constant+ramp:1k-10k/30s a ramp with evenly spaced arrivals
//	visits+sine:2k-8k@1m/10m a sine in visits
//
// Stages follow one another with a comma: ramp:1k-10k/5s,constant:10k/60s. A
// rate is a decimal number, which k or M may follow. A recorded schedule is not
// read from its name: see [ReadRecorded]. The error says what is allowed.
func ParseSchedule(s string) (Schedule, error) {
	if strings.HasPrefix(s, recordedName+":") || strings.Contains(s, ","+recordedName+":") {
		return Schedule{}, fmt.Errorf("parse schedule %q: a recorded schedule is read from its file; give that instead", s)
	}
	if !strings.ContainsAny(s, ":/") {
		rate, err := ParseRate(s)
		if err != nil {
			return Schedule{}, fmt.Errorf("parse schedule %q: %w; %s", s, err, specForms)
		}
		return Poisson(rate, DefaultSpan), nil
	}
	var out Schedule
	for rest, more := s, true; more; {
		var text string
		text, rest, more = cutStage(rest)
		g, err := parseStage(text)
		if err != nil {
			return Schedule{}, fmt.Errorf("parse schedule %q: %w", s, err)
		}
		out.stages = append(out.stages, g)
	}
	if err := out.Validate(); err != nil {
		return Schedule{}, fmt.Errorf("parse schedule %q: %w", s, err)
	}
	return out, nil
}

// cutStage splits after the first stage: at the first comma behind a slash,
// since commas before it part the rates of steps.
func cutStage(s string) (text, rest string, more bool) {
	slash := strings.IndexByte(s, '/')
	if slash < 0 {
		return s, "", false
	}
	tail, rest, more := strings.Cut(s[slash:], ",")
	return s[:slash] + tail, rest, more
}

func parseStage(s string) (stage, error) {
	name, body, named := strings.Cut(s, ":")
	if !named {
		name, body = "poisson", s
	}
	list, span, timed := strings.Cut(body, "/")
	if !timed {
		return stage{}, fmt.Errorf("stage %q is not understood; %s", s, specForms)
	}
	g, err := stageNamed(name)
	if err != nil {
		return stage{}, fmt.Errorf("stage %q: %w", s, err)
	}
	if g.each, err = parseSpan(span); err != nil {
		return stage{}, err
	}
	if g.shape == sine {
		var period string
		list, period, _ = strings.Cut(list, "@")
		if g.period, err = parseSpan(period); err != nil {
			return stage{}, fmt.Errorf("sine %q: %w; write FROM-TO@PERIOD as in 2k-8k@10s", body, err)
		}
	}
	g.rates, err = parseRates(g.shape, list)
	return g, err
}

func parseSpan(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("duration %q is not understood; write 500ms, 10s or 1m30s", s)
	}
	return d, nil
}

// stageNamed returns a stage with the arrivals and the shape of a name.
func stageNamed(name string) (stage, error) {
	spread, form, both := strings.Cut(name, "+")
	if known := shape(form); both && known != ramp && known != steps && known != sine {
		return stage{}, fmt.Errorf("shape %q is not known; %s", form, specForms)
	}
	switch known := shape(name); known {
	case ramp, steps, sine:
		return stage{shape: known}, nil
	case flat:
	}
	s, err := ParseSpread(spread)
	if err != nil {
		return stage{}, fmt.Errorf("%w; %s", err, specForms)
	}
	return stage{shape: shape(form), spread: s}, nil
}

func parseRates(form shape, list string) ([]float64, error) {
	parts := []string{list}
	switch form {
	case ramp, sine:
		parts = strings.Split(list, "-")
		if len(parts) != 2 {
			return nil, fmt.Errorf("%s %q is not understood; write FROM-TO as in 1k-10k, with rates above 0", form, list)
		}
	case steps:
		parts = strings.Split(list, ",")
	case flat:
	}
	rates := make([]float64, len(parts))
	for i, part := range parts {
		rate, err := ParseRate(part)
		if err != nil {
			return nil, err
		}
		rates[i] = rate
	}
	return rates, nil
}

// ParseRate reads a rate in operations a second such as 250, 2.5k or 1M. The
// error says what is allowed.
func ParseRate(s string) (float64, error) {
	digits, exponent := s, ""
	switch {
	case strings.HasSuffix(s, "k"):
		digits, exponent = s[:len(s)-1], "e3"
	case strings.HasSuffix(s, "M"):
		digits, exponent = s[:len(s)-1], "e6"
	}
	rate, ok := parseDecimal(digits, exponent)
	if !ok {
		return 0, fmt.Errorf("rate %q is not understood; write a number from %v to %s, such as 250, 2.5k or 1M",
			s, MinRate, formatRate(MaxRate))
	}
	return rate, checkRate(rate)
}

// parseDecimal reads digits with an optional point, times the exponent.
// ParseFloat also takes exponents, hexadecimal, Inf and NaN, which a dash or a
// reader would trip over.
func parseDecimal(digits, exponent string) (float64, bool) {
	if digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(digits+exponent, 64)
	return v, err == nil
}

// String returns the schedule's spec, which [ParseSchedule] reads back as an
// equal schedule. That of a recorded stage tells its file, and is not read back;
// nor is the empty schedule's, which is empty.
func (s Schedule) String() string {
	out := make([]string, len(s.stages))
	for i := range s.stages {
		out[i] = s.stages[i].String()
	}
	return strings.Join(out, ",")
}

func (g *stage) String() string {
	if g.record != nil {
		return g.record.String()
	}
	separator, period := ",", ""
	if g.shape != steps {
		separator = "-"
	}
	if g.shape == sine {
		period = "@" + g.period.String()
	}
	rates := make([]string, len(g.rates))
	for i, rate := range g.rates {
		rates[i] = formatRate(rate)
	}
	return g.name() + ":" + strings.Join(rates, separator) + period + "/" + g.each.String()
}

// name is a stage's name in a spec.
func (g *stage) name() string {
	switch {
	case g.shape == flat:
		return g.spread.String()
	case g.spread.kind == poisson:
		return string(g.shape)
	}
	return g.spread.String() + "+" + string(g.shape)
}

// formatRate writes a rate in full, with a suffix where that loses nothing.
func formatRate(rate float64) string {
	switch {
	case rate >= 1e6 && math.Mod(rate, 1e6) == 0:
		return strconv.FormatFloat(rate/1e6, 'f', -1, 64) + "M"
	case rate >= 1e3 && math.Mod(rate, 1e3) == 0:
		return strconv.FormatFloat(rate/1e3, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(rate, 'f', -1, 64)
}
