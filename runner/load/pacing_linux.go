package load

// Pacings lists the ways to wait that this system has, the default first.
func Pacings() []Pacing { return []Pacing{PacingTimerfd, PacingNanosleep, PacingTimer} }

// newWaiter opens one of Pacings.
func (p Pacing) newWaiter() (Waiter, error) {
	switch p {
	case PacingTimerfd:
		return newTimerfdWaiter()
	case PacingNanosleep:
		return newNanosleepWaiter()
	default:
		return NewTimerWaiter(), nil
	}
}
