package runner

import (
	"runtime/debug"
	"testing"
)

func TestGarbageIsCollectedLessOften(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetGCPercent(before)
	restore := easeGC()
	if now := environment().GCPercent; now != gcPercent {
		t.Errorf("in force is %d, want %d", now, gcPercent)
	}
	if now := debug.SetMemoryLimit(-1); memoryMB() > 0 && now != memoryMB()<<20/2 {
		t.Errorf("the memory limit is %d of %d MB", now, memoryMB())
	}
	restore()
	if now := gcInForce(); now != 100 || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("restored to %d %%", now)
	}
}

func TestTheUsersWordOnGarbageStands(t *testing.T) {
	t.Setenv("GOGC", "70")
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	defer easeGC()()
	if now := gcInForce(); now != 70 {
		t.Errorf("in force is %d, want 70", now)
	}
}
