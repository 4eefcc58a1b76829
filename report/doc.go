// Package report renders a run's files: as pictures, as tables on a terminal,
// as Markdown, and in the formats of other tools. It reads [results] and measures
// nothing, so that a run can be rendered again years later, and it says no more
// than the files do: a percentile that the sample cannot carry is a dash with the
// time that is missing, a cell that is not valid is marked wherever it appears,
// and the tails of a degraded one are ratios.
package report
