package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a mutant changes must be there: a mutant that changes nothing would only
// show the suite to be good.
func TestEveryMutantChangesTheStore(t *testing.T) {
	store, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			if seen[m.name] || m.name == "" || m.breaks == "" {
				t.Error("it has the name of another, or none, or does not say what it breaks")
			}
			seen[m.name] = true
			if !runs(m) {
				t.Errorf("%q is not among the cases that run, %q", m.finder, m.cases)
			}
			overlay, err := m.overlay(store, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			wantChanged(t, overlay, store)
		})
	}
}

// runs says whether the case that is there for a mutant is one of those that run.
func runs(m mutant) bool {
	for cases := range strings.SplitSeq(m.cases, "|") {
		if strings.HasPrefix(m.finder, cases) {
			return true
		}
	}
	return false
}

func wantChanged(t *testing.T, overlay, store string) {
	t.Helper()
	text, err := os.ReadFile(overlay)
	if err != nil {
		t.Fatal(err)
	}
	var files struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	if len(files.Replace) == 0 {
		t.Error("no file is replaced")
	}
	for old, replaced := range files.Replace {
		before, err := os.ReadFile(old)
		if err != nil || !strings.HasPrefix(old, store) {
			t.Fatalf("%s is no file of the store: %v", old, err)
		}
		after, err := os.ReadFile(replaced)
		if err != nil || bytes.Equal(before, after) {
			t.Errorf("%s is unchanged: %v", old, err)
		}
	}
}

func TestAnEditThatFitsNothingIsAnError(t *testing.T) {
	for name, e := range map[string]edit{
		"what is not there":   {old: "c", new: "d"},
		"what is there twice": {old: "a", new: "d"},
		"no change":           {old: "b", new: "b"},
	} {
		if got, err := e.apply("a b a"); err == nil {
			t.Errorf("%s gave %q", name, got)
		}
	}
	if got, err := (edit{old: "a", new: "d", times: 2}).apply("a b a"); err != nil || got != "d b d" {
		t.Errorf("got %q, %v", got, err)
	}
}

const output = `=== RUN   TestConformance
--- FAIL: TestConformance (1.00s)
    --- FAIL: TestConformance/redis:7.0 (1.00s)
        --- PASS: TestConformance/redis:7.0/U-1_a_user_(of_some_kind)_is_found (0.00s)
        users.go:1: --- FAIL: nothing
        --- FAIL: TestConformance/redis:7.0/S-21_an_outage_is_never_absence (0.10s)
            --- FAIL: TestConformance/redis:7.0/S-21_an_outage_is_never_absence/find (0.00s)
            --- PASS: TestConformance/redis:7.0/S-21_an_outage_is_never_absence/list (0.00s)
FAIL
`

// passes is the output of a suite in which something other than a case fails.
const passes = `=== RUN   TestConformance
--- FAIL: TestConformance (1.00s)
    --- FAIL: TestConformance/redis:7.0 (1.00s)
        --- PASS: TestConformance/redis:7.0/U-1_a_user_is_found (0.00s)
FAIL
`

func TestReadsOutcomes(t *testing.T) {
	got, err := readOutcome(output)
	if err != nil {
		t.Fatal(err)
	}
	passed, failed := []string{"U-1 a user (of some kind) is found"}, []string{"S-21 an outage is never absence"}
	if diff := cmp.Diff(append(passed, failed...), append(got.passed, got.failed...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerdicts(t *testing.T) {
	const other = "U-1 a user is found"
	for _, c := range []struct {
		name    string
		runs    []outcome
		verdict string
		good    bool
	}{
		{"found", []outcome{{failed: []string{"S-1 x"}, passed: []string{other}}}, "found", true},
		{"by another case alone", []outcome{{failed: []string{other}, passed: []string{"S-1 x"}}}, "SURVIVED", false},
		{"by none", []outcome{{passed: []string{"S-1 x", other}}}, "SURVIVED", false},
		{"once of twice", []outcome{
			{failed: []string{"S-1 x"}, passed: []string{other}},
			{passed: []string{"S-1 x", other}},
		}, "found 1/2", false},
		{"nothing passes", []outcome{{failed: []string{"S-1 x", other}}}, "WRECKED", false},
		{"a script does not run", []outcome{
			{failed: []string{"S-1 x"}, passed: []string{other}, output: "run script x: " + scriptError},
		}, "WRECKED", false},
	} {
		tried := trial{mutant: mutant{name: "m", finder: "S-1"}, tries: len(c.runs)}
		for _, o := range c.runs {
			tried.add(o)
		}
		var table strings.Builder
		good := show(&table, []trial{tried}, 2)
		if got := tried.verdict(); got != c.verdict || good != c.good || !strings.Contains(table.String(), c.verdict) {
			t.Errorf("%s: verdict %q, good %t, want %q, %t:\n%s", c.name, got, good, c.verdict, c.good, &table)
		}
	}
}

func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	for args, want := range map[string]int{"-help": exitOK, "-tries 0": exitUsage, "nonesuch": exitUsage, "-x": exitUsage} {
		var stdout, stderr strings.Builder
		if got := run(t.Context(), strings.Fields(args), &stdout, &stderr); got != want || stderr.Len() == 0 || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, want %d:\n%s%s", args, got, want, &stdout, &stderr)
		}
	}
}

// What follows a line that cannot be read is not known.
func TestALineTooLongToReadIsAnError(t *testing.T) {
	if got, err := readOutcome(strings.Repeat("x", 2<<20) + "\n" + output); err == nil {
		t.Errorf("%d cases passed and %d failed, in spite of a line that is too long", len(got.passed), len(got.failed))
	}
}

// A suite that was ended from outside says nothing of the mutant.
func TestTellsAFailedSuiteFromOneThatDidNotEnd(t *testing.T) {
	for script, wantErr := range map[string]bool{
		"cat <<'END'\n" + output + "END\nexit 1":            false,
		"cat <<'END'\n" + output + "END\nexit 2":            true, // It panicked, or ran out of time.
		"cat <<'END'\n" + output + "END\nexit 0":            true, // It contradicts itself.
		"cat <<'END'\n" + passes + "END\nexit 1":            true,
		"cat <<'END'\n" + output + "END\nkill -KILL $$":     true,
		"echo 'no server can be had'; exit 1":               true,
		"echo '=== RUN   TestConformance'; echo ok; exit 0": true,
	} {
		s := suite{binary: filepath.Join(t.TempDir(), "suite"), dir: t.TempDir()}
		if err := os.WriteFile(s.binary, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		o, err := s.run(t.Context(), "S-")
		if (err != nil) != wantErr || err == nil && len(o.failed) != 1 {
			t.Errorf("error %v with %d failed cases, want an error: %t, of\n%s", err, len(o.failed), wantErr, script)
		}
	}
}
