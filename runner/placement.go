package runner

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// The policies of --pin.
const (
	pinAuto = "auto"
	pinOff  = "off"
)

// placement is which processors a server that is started here has for itself,
// and which the generator keeps to. The zero value pins nothing.
type placement struct {
	server, generator []int
	// why says why nothing is pinned.
	why string
}

// String is for the record of a run.
func (p placement) String() string {
	if len(p.server) == 0 {
		return "off: " + p.why
	}
	return fmt.Sprintf("server on CPU %s, generator on CPU %s", numbers(p.server), numbers(p.generator))
}

// numbers are a list's words: 0,1,2.
func numbers(cpus []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(cpus), "[]"), " ", ",")
}

// manyCPUs is from how many processors on a server gets two: one for its
// commands, and one for what it does beside them.
const manyCPUs = 8

// placeFor divides the processors that the program may use.
func placeFor(allowed []int) placement {
	if len(allowed) < 2 {
		return placement{why: "this program may use one processor only"}
	}
	own := 1
	if len(allowed) >= manyCPUs {
		own = 2
	}
	return placement{server: allowed[len(allowed)-own:], generator: allowed[:len(allowed)-own]}
}

// choosePlacement follows a policy of --pin. What cannot be done here is left
// out and said.
func choosePlacement(policy string) placement {
	if policy == pinOff {
		return placement{why: "not asked for"}
	}
	allowed, err := allowedCPUs()
	if err != nil {
		return placement{why: err.Error()}
	}
	chosen := placeFor(allowed)
	release, err := chosen.hold()
	if err == nil {
		err = release()
	}
	if err != nil {
		return placement{why: err.Error()}
	}
	return chosen
}

// hold keeps this program to the generator's processors until release is called.
func (p placement) hold() (release func() error, err error) {
	if len(p.generator) == 0 {
		return func() error { return nil }, nil
	}
	return keepTo(p.generator)
}

// keepTo keeps all threads of this program to some processors, with no more of
// them at work than there are processors, until release is called. Two may not
// be in force at once.
func keepTo(cpus []int) (release func() error, err error) {
	before, err := allowedCPUs()
	if err != nil {
		return nil, err
	}
	if err := setThreads(cpus); err != nil {
		return nil, errors.Join(err, setThreads(before))
	}
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(min(procs, len(cpus)))
	return func() error {
		runtime.GOMAXPROCS(procs)
		return setThreads(before)
	}, nil
}
