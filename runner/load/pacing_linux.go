package load

import (
	"errors"
	"runtime"
)

// Pacings lists the ways to wait that this system has, the default first.
func Pacings() []Pacing { return []Pacing{PacingTimerfd, PacingNanosleep, PacingTimer} }

// newWaiter opens one of Pacings.
func (p Pacing) newWaiter() (Waiter, error) {
	switch p {
	case PacingTimerfd:
		return newTimerfdWaiter()
	case PacingNanosleep:
		// The sleeping thread would keep the only processor from the traffic until
		// the runtime notices: at 40 000 operations/s for most of the time.
		if runtime.GOMAXPROCS(0) == 1 {
			return nil, errors.New("it needs a second processor")
		}
		return newNanosleepWaiter()
	default:
		return NewTimerWaiter(), nil
	}
}
