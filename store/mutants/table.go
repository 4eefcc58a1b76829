package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// trial is what the suite says of a mutant.
type trial struct {
	mutant
	outcome // of all runs together; the output is that of the last

	// found is in how many of the tries the case failed that is there for it.
	found, tries int
	// refused says that the server could not run a script: that any case finds.
	refused bool
}

// scriptError is what the store says of a script that cannot run.
const scriptError = "server replied ERR"

func (t *trial) add(o outcome) {
	isFinder := func(name string) bool { return strings.HasPrefix(name, t.finder) }
	if slices.ContainsFunc(o.failed, isFinder) {
		t.found++
	}
	t.refused = t.refused || strings.Contains(o.output, scriptError)
	t.passed, t.failed, t.output = union(t.passed, o.passed), union(t.failed, o.failed), o.output
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// wrecked says that the mutant is no fault but a ruin.
func (t trial) wrecked() bool { return t.refused || len(t.passed) == 0 }

// good says whether the suite has found the mutant each time, and as a fault of
// the store and not of the mutant.
func (t trial) good() bool { return t.found == t.tries && t.tries > 0 && !t.wrecked() }

func (t trial) verdict() string {
	switch {
	case t.wrecked():
		return "WRECKED"
	case t.found == 0:
		return "SURVIVED"
	case t.tries == 1:
		return "found"
	default:
		return fmt.Sprintf("found %d/%d", t.found, t.tries)
	}
}

// shown is how many of the failed cases the table names.
const shown = 4

// show prints what came of the mutants, and says whether all is well.
func show(w io.Writer, trials []trial, cases int) bool {
	good := 0
	fmt.Fprintf(w, "Without any fault all of %d cases pass, on %s through %s.\n\n", cases, engine, driverPackage)
	for _, t := range trials {
		if t.good() {
			good++
		}
		fmt.Fprintf(w, "%-11s %s: %s\n", t.verdict(), t.name, t.breaks)
		fmt.Fprintf(w, "%-11s %d of %d cases fail (%s)\n", "", len(t.failed), len(union(t.passed, t.failed)), t.cases)
		for i, name := range t.finderFirst() {
			if i == shown {
				fmt.Fprintf(w, "%-13s and %d more\n", "", len(t.failed)-shown)
				break
			}
			fmt.Fprintf(w, "%-13s %s\n", "", name)
		}
		if t.found < t.tries {
			fmt.Fprintf(w, "%-11s of %d runs %d were not failed by %q, which is there for it\n", "", t.tries, t.tries-t.found, t.finder)
		}
		if t.wrecked() {
			fmt.Fprintf(w, "%-11s it is no fault but a ruin: a script does not run, or nothing passes\n", "")
		}
	}
	fmt.Fprintf(w, "\n%d of %d mutants found.\n", good, len(trials))
	return good == len(trials)
}

// finderFirst gives the failed cases, first those that are there for the mutant.
func (t trial) finderFirst() []string {
	names := slices.Clone(t.failed)
	slices.SortStableFunc(names, func(a, b string) int {
		switch x, y := strings.HasPrefix(a, t.finder), strings.HasPrefix(b, t.finder); {
		case x == y:
			return 0
		case x:
			return -1
		default:
			return 1
		}
	})
	return names
}
