//go:build !linux

package load

// Pacings lists the ways to wait that this system has, the default first.
func Pacings() []Pacing { return []Pacing{PacingTimer} }

// newWaiter opens one of Pacings.
func (Pacing) newWaiter() (Waiter, error) { return NewTimerWaiter(), nil }
