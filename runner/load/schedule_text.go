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
const specForms = "write 10k, poisson:10k/10s, constant:5k/3s, ramp:1k-10k/30s, steps:1k,2k,5k/10s or constant+ramp:1k-10k/30s; join stages with commas"

// ParseSchedule reads what [Schedule.String] writes:
//
//	10k                      Poisson arrivals at 10 000/s for [DefaultSpan]
//	poisson:10000/10s        for ten seconds
//	constant:5k/3s           evenly spaced
//	ramp:1k-10k/30s          from one rate to the other
//	steps:1k,2k,5k/10s       ten seconds of each
//	constant+ramp:1k-10k/30s a ramp with evenly spaced arrivals
//
// Stages follow one another with a comma: ramp:1k-10k/5s,constant:10k/60s. A
// rate is a decimal number, which k or M may follow. The error says what is
// allowed.
func ParseSchedule(s string) (Schedule, error) {
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
	g, ok := stageNamed(name)
	list, span, timed := strings.Cut(body, "/")
	if !ok || !timed {
		return stage{}, fmt.Errorf("stage %q is not understood; %s", s, specForms)
	}
	var err error
	if g.each, err = time.ParseDuration(span); err != nil {
		return stage{}, fmt.Errorf("duration %q is not understood; write 500ms, 10s or 1m30s", span)
	}
	g.rates, err = parseRates(g.shape, list)
	return g, err
}

// stageNamed returns a stage with the arrivals and the shape of a name.
func stageNamed(name string) (stage, bool) {
	spread, form, both := strings.Cut(name, "+")
	if !both && (name == string(ramp) || name == string(steps)) {
		spread, form = "poisson", name
	}
	g := stage{shape: shape(form), even: spread == "constant"}
	known := g.shape == ramp || g.shape == steps || g.shape == flat && !both
	return g, known && (g.even || spread == "poisson")
}

func parseRates(form shape, list string) ([]float64, error) {
	parts := []string{list}
	switch form {
	case ramp:
		parts = strings.Split(list, "-")
		if len(parts) != 2 {
			return nil, fmt.Errorf("ramp %q is not understood; write FROM-TO as in 1k-10k, with rates above 0", list)
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
	// ParseFloat also takes exponents, hexadecimal, Inf and NaN, which a dash or
	// a reader would trip over.
	if digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, fmt.Errorf("rate %q is not understood; write a number from %v to %s, such as 250, 2.5k or 1M",
			s, MinRate, formatRate(MaxRate))
	}
	rate, err := strconv.ParseFloat(digits+exponent, 64)
	if err != nil {
		return 0, fmt.Errorf("rate %q is not understood; write a number from %v to %s, such as 250, 2.5k or 1M",
			s, MinRate, formatRate(MaxRate))
	}
	return rate, checkRate(rate)
}

// String returns the schedule's spec, which [ParseSchedule] reads back as an
// equal schedule; the empty schedule's is empty and is not read back.
func (s Schedule) String() string {
	out := make([]string, len(s.stages))
	for i, g := range s.stages {
		out[i] = g.String()
	}
	return strings.Join(out, ",")
}

func (g stage) String() string {
	separator := ","
	if g.shape == ramp {
		separator = "-"
	}
	rates := make([]string, len(g.rates))
	for i, rate := range g.rates {
		rates[i] = formatRate(rate)
	}
	return g.name() + ":" + strings.Join(rates, separator) + "/" + g.each.String()
}

// name is a stage's name in a spec.
func (g stage) name() string {
	switch {
	case g.shape == flat && g.even:
		return "constant"
	case g.shape == flat:
		return "poisson"
	case g.even:
		return "constant+" + string(g.shape)
	}
	return string(g.shape)
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
