package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/toriibench/toriibench/results"
)

// BenchFile is the run in the Go benchmark format.
const BenchFile = "bench.txt"

// Export writes a run in forms that other tools read into dir, and returns the
// names of the files:
//
//   - bench.txt, the Go benchmark format (golang.org/design/14313-benchmark-format),
//     which benchstat reads: a line for each operation of each cell that is not
//     invalid, with its verdict as a label.
//   - <cell>.hgrm for each cell with a histogram in the log: the response time of
//     its headline operation in HdrHistogram's text format of percentiles, in
//     milliseconds. A closed loop has none.
//
// log may be nil; then only bench.txt is written. Each file is written whole or
// not at all, in place of one that is there.
func Export(run *results.Run, log *results.Log, dir string) ([]string, error) {
	text, err := goBenchmarks(run)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", BenchFile, err)
	}
	if err := results.WriteFile(filepath.Join(dir, BenchFile), text); err != nil {
		return nil, err
	}
	names := []string{BenchFile}
	taken := map[string]bool{}
	for i := range run.Cells {
		c := &run.Cells[i]
		tagged := log.Get(c.ID(), c.HeadlineOperation(), results.ClockResponse)
		if closed(c) || tagged == nil || tagged.Merged.TotalCount() == 0 {
			continue
		}
		name := cellFile(c, taken)
		text, err := percentileText(c, tagged.Merged)
		if err != nil {
			return names, fmt.Errorf("write %s: %w", name, err)
		}
		if err := results.WriteFile(filepath.Join(dir, name), text); err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

// cellFile names a cell's file; cells whose names differ only in what a file name
// cannot hold get a number.
func cellFile(c *results.Cell, taken map[string]bool) string {
	stem := fileName(strings.ReplaceAll(c.Scenario+"-"+strings.TrimSuffix(c.Target, "@standalone")+"-"+c.Client, ".", "_"))
	name := stem
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d", stem, i)
	}
	taken[name] = true
	return name + ".hgrm"
}

// nanosPerMilli scales the histograms to what the HdrHistogram tools show unless
// told otherwise.
const nanosPerMilli = 1e6

// percentileText is a histogram as text, with what it is of as comments at the
// end, where the format has its own.
func percentileText(c *results.Cell, h *hdrhistogram.Histogram) ([]byte, error) {
	const ticksPerHalf = 5 // As the other HdrHistogram libraries have by default.
	var b bytes.Buffer
	if _, err := h.PercentilesPrint(&b, ticksPerHalf, nanosPerMilli); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "#[Unit    = milliseconds, response time of %s, %s]\n", clean(c.HeadlineOperation()), clean(c.ID()))
	if c.Verdict == results.Valid {
		fmt.Fprintln(&b, "#[Verdict = valid]")
	} else {
		fmt.Fprintf(&b, "#[Verdict = %s: %s]\n", c.Verdict, strings.Join(reasons(c), "; "))
	}
	return b.Bytes(), nil
}
