package report

import (
	"strings"
	"testing"

	"github.com/toriibench/toriibench/results"
)

func TestWhatTheMachineCanMeasureIsToldOnce(t *testing.T) {
	run := smallRun(map[string]float64{"redis:7.0": 300})
	without := terminalText(t, run, 0, false)
	run.Environment.Doctor = &results.Doctor{Sentence: "This machine can time\x1b[31m operations to about 30 µs."}
	with := terminalText(t, run, 0, false)
	const told = "This machine can time"
	if strings.Contains(without, told) || strings.Count(with, told) != 1 {
		t.Errorf("it is told %d times without a doctor and %d times with one, want 0 and 1",
			strings.Count(without, told), strings.Count(with, told))
	}
	if strings.Contains(with, "\x1b") {
		t.Error("an escape of the file came through to the terminal")
	}
}
