// Package stats holds the statistics that a run's audit of itself needs: whether
// arrivals were what was asked for, whether the system was in a steady state, and
// how well a percentile is known. All functions are pure: they change none of
// their arguments, may be called from several goroutines at once, and give the
// same for the same arguments, random numbers coming from a source that is passed
// in. The package imports nothing else of this program.
package stats
