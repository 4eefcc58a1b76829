package runner

import (
	"strings"
	"testing"
)

func TestTheSecondOfTwoRunsKnowsThatItIsNotAlone(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir()) // Where that is not Linux.
	var log strings.Builder
	crowded, release := claimMachine(&log)
	if crowded || log.Len() > 0 {
		t.Fatalf("the first is told %q", log.String())
	}
	second, releaseSecond := claimMachine(&log)
	if !second || !strings.Contains(log.String(), "another run") {
		t.Errorf("the second is told %q", log.String())
	}
	releaseSecond()
	if third, _ := claimMachine(&log); !third {
		t.Error("the second gave away what was the first's")
	}
	release()
	if again, release := claimMachine(&log); again {
		t.Error("the lock outlives the run")
	} else {
		release()
	}
}
