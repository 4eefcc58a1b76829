package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Visits describes the sessions of users whose operations a schedule offers
// (partly-open traffic; Schroeder et al., "Open Versus Closed", NSDI 2006).
// Visits begin independently of each other. The operations in one are a geometric
// number; between them lie think times from an exponential distribution,
// counted from when an operation was due: a plan does not wait for replies.
type Visits struct {
	// Operations is the mean number of operations in a visit, from 1 to
	// [MaxVisitOperations].
	Operations float64
	// Think is the mean time between two operations of a visit, from
	// [MinThink] to [MaxSpan].
	Think time.Duration
}

// What visits may be like.
const (
	MaxVisitOperations = 1e6
	MinThink           = time.Microsecond
	// MaxVisits bounds the visits that are under way at one moment.
	MaxVisits = 4_000_000
)

// DefaultVisits returns visits of 40 operations, as many as a user's visit to a
// site has requests that look at the session. Pages fire theirs in volleys and
// people read between; one think time of 250 ms stands for both. Both are
// estimates: measure your own.
func DefaultVisits() Visits { return Visits{Operations: 40, Think: 250 * time.Millisecond} }

// String returns the form that [ParseSpread] reads after visits=, such as
// 8x250ms.
func (v Visits) String() string {
	return strconv.FormatFloat(v.Operations, 'f', -1, 64) + "x" + v.Think.String()
}

// more is the probability that another operation follows one.
func (v Visits) more() float64 { return 1 - 1/v.Operations }

// underWay is how many visits are between two operations, for each operation a
// second (Little's law).
func (v Visits) underWay() float64 { return v.more() * v.Think.Seconds() }

func (v Visits) check(rate float64) error {
	// NaN fails both comparisons.
	if !(v.Operations >= 1 && v.Operations <= MaxVisitOperations) || v.Think < MinThink || v.Think > MaxSpan {
		return fmt.Errorf("schedule: visits %v; a visit has from 1 to %.0f operations on average, and a think time of %v to %v",
			v, float64(MaxVisitOperations), MinThink, MaxSpan)
	}
	if n := v.underWay() * rate; n > MaxVisits {
		return fmt.Errorf("schedule: visits %v at %s/s are %.0f under way at once; at most %d may be: give fewer operations a second or shorter think times",
			v, formatRate(rate), n, MaxVisits)
	}
	return nil
}

// Spread is how arrivals are spread at their rate. Its zero value is Poisson.
type Spread struct {
	kind   kind
	visits Visits // Of visits alone.
}

// kind is also the spread's name in a spec, but for Poisson's.
type kind string

const (
	poisson  kind = ""
	constant kind = "constant"
	visits   kind = "visits"
)

// spreadForms ends the messages of parse errors.
const spreadForms = "write poisson, constant, visits or visits=8x250ms (8 operations on average, 250 ms between them)"

// InVisits spreads arrivals as those of visits.
func InVisits(v Visits) Spread { return Spread{kind: visits, visits: v} }

// ParseSpread reads poisson, constant, visits (which are the [DefaultVisits]) or
// visits=8x250ms. The error says what is allowed.
func ParseSpread(s string) (Spread, error) {
	name, params, given := strings.Cut(s, "=")
	switch {
	case s == "poisson":
		return Spread{}, nil
	case s == string(constant):
		return Spread{kind: constant}, nil
	case s == string(visits):
		return InVisits(DefaultVisits()), nil
	case given && name == string(visits):
		return parseVisits(params)
	}
	return Spread{}, fmt.Errorf("arrivals %q are not understood; %s", s, spreadForms)
}

func parseVisits(s string) (Spread, error) {
	number, think, _ := strings.Cut(s, "x")
	operations, ok := parseDecimal(number, "")
	d, err := time.ParseDuration(think)
	if !ok || err != nil {
		return Spread{}, fmt.Errorf("visits %q are not understood; %s", s, spreadForms)
	}
	v := Visits{Operations: operations, Think: d}
	return InVisits(v), v.check(0)
}

// String returns what [ParseSpread] reads back.
func (s Spread) String() string {
	switch s.kind {
	case poisson:
		return "poisson"
	case visits:
		return string(visits) + "=" + s.visits.String()
	case constant:
	}
	return string(s.kind)
}

func (s Spread) check(rate float64) error {
	if s.kind == visits {
		return s.visits.check(rate)
	}
	return nil
}
