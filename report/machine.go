package report

import (
	"fmt"

	"github.com/toriibench/toriibench/results"
)

// machineWords says what a reader must know of the machine; what the run does
// not know is left out.
func machineWords(e results.Environment) []string {
	var words []string
	for _, w := range []string{e.CPU, cores(e.Cores), memory(e.MemoryMB), e.OS, e.Kernel, e.Go, pacing(e.Pacing)} {
		if w != "" {
			words = append(words, clean(w))
		}
	}
	return words
}

// doctorWords says, where the run knows, what its machine can measure.
func doctorWords(e results.Environment) []string {
	if e.Doctor == nil || e.Doctor.Sentence == "" {
		return nil
	}
	return []string{clean(e.Doctor.Sentence)}
}

func cores(n int) string {
	switch {
	case n <= 0:
		return ""
	case n == 1:
		return "1 core"
	default:
		return fmt.Sprintf("%d cores", n)
	}
}

func memory(mb int64) string {
	if mb <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f GB", float64(mb)/1024)
}

func pacing(p string) string {
	if p == "" {
		return ""
	}
	return "paced by " + p
}
