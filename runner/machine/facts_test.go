package machine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFactsAreWhatTheSystemTells(t *testing.T) {
	root := t.TempDir()
	write(t, root, "proc/pressure/cpu", somePressure)
	write(t, root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
	write(t, root, "sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
	for cpu, governor := range map[string]string{"cpu0": "schedutil", "cpu1": "performance", "cpu12": "schedutil"} {
		write(t, root, "sys/devices/system/cpu/"+cpu+"/cpufreq/scaling_governor", governor+"\n")
	}
	average := 1.25
	want := Facts{Cores: Cores(), Governor: "performance,schedutil", HugePages: "madvise", ClockSource: "tsc", Pressure: &average}
	if diff := cmp.Diff(want, look(root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFactsStayEmptyWhereTheSystemDoesNotTell(t *testing.T) {
	if diff := cmp.Diff(Facts{Cores: Cores()}, look(t.TempDir())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if Cores() < 1 {
		t.Errorf("%d cores may be used", Cores())
	}
}

func TestReadingTheClockCostsSomethingAndLittle(t *testing.T) {
	if cost := ClockCost(); cost <= 0 || cost > 100*time.Microsecond {
		t.Errorf("reading the time takes %v", cost)
	}
}
