package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Facts are what does not change from second to second.
type Facts struct {
	// Cores may be used; see [Cores].
	Cores int
	// Governor sets the processors' frequency. Virtual machines have none.
	Governor string
	// HugePages is the kernel's policy for transparent huge pages.
	HugePages string
	// ClockSource is what the kernel reads the time from.
	ClockSource string
	// Pressure is that of the last ten seconds; see [Second].
	Pressure *float64
}

// Look reads the facts of this machine.
func Look() Facts { return look("/") }

func look(root string) Facts {
	word := func(path string) string {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	f := Facts{
		Cores:       Cores(),
		Governor:    governor(root, word),
		HugePages:   parseChoice(word("sys/kernel/mm/transparent_hugepage/enabled")),
		ClockSource: word("sys/devices/system/clocksource/clocksource0/current_clocksource"),
	}
	if p, ok := parsePressure([]byte(word("proc/pressure/cpu"))); ok {
		f.Pressure = &p.avg10
	}
	return f
}

// governor joins the governors of all processors, which may differ.
func governor(root string, word func(path string) string) string {
	cpus, err := filepath.Glob(filepath.Join(root, "sys/devices/system/cpu/cpu[0-9]*"))
	if err != nil {
		return ""
	}
	var found []string
	for _, cpu := range cpus {
		path := filepath.Join("sys/devices/system/cpu", filepath.Base(cpu), "cpufreq/scaling_governor")
		if g := word(path); g != "" && !slices.Contains(found, g) {
			found = append(found, g)
		}
	}
	slices.Sort(found)
	return strings.Join(found, ",")
}

// ClockCost is how long it takes to read the time. A virtual machine without a
// usable time stamp counter pays a system call or a trap, a microsecond and
// more, for what else takes some tens of nanoseconds; an operation reads the
// time twice.
func ClockCost() time.Duration {
	const batches, reads = 20, 500
	best := time.Hour
	for range batches {
		began := time.Now()
		for range reads {
			_ = time.Now()
		}
		best = min(best, time.Since(began)/reads)
	}
	return best
}
