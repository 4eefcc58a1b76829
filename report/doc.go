// Package report renders a run's files: as pictures, as tables on a terminal
// and as Markdown. It reads [results] and measures nothing, so that a run can be
// rendered again years later, and it says no more than the files do: a
// percentile that the sample cannot carry is a dash with the time that is
// missing, and a cell that is not valid is marked wherever it appears.
package report
