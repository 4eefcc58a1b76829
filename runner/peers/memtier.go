package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// MemtierName is the program's name on PATH.
const MemtierName = "memtier_benchmark"

// Memtier is memtier_benchmark as PATH has it.
func Memtier(ctx context.Context) (*Peer, error) {
	path, err := exec.LookPath(MemtierName)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w; put it on PATH to compare with it", MemtierName, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w: %s", path, err, beginning(out))
	}
	version, err := memtierVersion(string(out))
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return &Peer{Name: MemtierName, Version: version, Origin: path, command: []string{path}, do: runMemtier}, nil
}

// memtierVersion reads "memtier_benchmark 1.4.0" or "memtier_benchmark v=2.1.1
// sha=…"; a build out of its repository says 255.255.255.
func memtierVersion(text string) (string, error) {
	found := regexp.MustCompile(`^memtier_benchmark (?:v=)?([0-9][^ \n]*)`).FindStringSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%q is not its answer", beginning([]byte(text)))
	}
	return found[1], nil
}

// runMemtier uses one thread, as there is one core, and lets it write JSON.
func runMemtier(ctx context.Context, p *Peer, job Job) (done Outcome, err error) {
	dir, err := os.MkdirTemp("", "toriibench-memtier-*")
	if err != nil {
		return Outcome{}, fmt.Errorf("make a folder for its output: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "out.json")
	args := append([]string{"-s", job.Host, "-t", "1"}, job.place()...)
	args = append(args, job.memtierKeys()...)
	// It counts in whole seconds.
	seconds := max(1, int(math.Round(job.Length.Seconds())))
	args = append(args, "--test-time", strconv.Itoa(seconds), "--ratio", "0:1", "--hide-histogram", "--json-out-file", file)
	_, cpu, err := p.run(ctx, job, args)
	if err != nil {
		return Outcome{}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return Outcome{}, fmt.Errorf("read its output: %w", err)
	}
	done, err = parseMemtier(data)
	done.CPU = cpu
	return done, err
}

// memtierKeys draws uniformly from the keys whose numbers have all digits of the
// largest, so that a prefix can stand for the zeros before.
func (j Job) memtierKeys() []string {
	zeros := keyDigits - len(strconv.Itoa(j.Keys-1))
	return []string{
		"--key-prefix", keyPrefix + strings.Repeat("0", zeros), "--key-pattern", "R:R",
		"--key-minimum", strconv.Itoa(j.Keys / 10), "--key-maximum", strconv.Itoa(j.Keys - 1),
	}
}

// parseMemtier reads the file that --json-out-file names.
func parseMemtier(data []byte) (Outcome, error) {
	var file struct {
		All *struct {
			Gets struct {
				Count     int64   `json:"Count"`
				PerSecond float64 `json:"Ops/sec"`
				Misses    float64 `json:"Misses/sec"`
			} `json:"Gets"`
			Totals struct {
				Errors float64 `json:"Connection Errors"`
			} `json:"Totals"`
		} `json:"ALL STATS"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Outcome{}, fmt.Errorf("read its output: %w", err)
	}
	switch {
	case file.All == nil:
		return Outcome{}, errors.New(`read its output: it has no "ALL STATS"`)
	case file.All.Totals.Errors > 0:
		return Outcome{}, fmt.Errorf("%v connections failed", file.All.Totals.Errors)
	case file.All.Gets.Misses > 0:
		return Outcome{}, fmt.Errorf("%v keys a second were not found", file.All.Gets.Misses)
	case file.All.Gets.Count <= 0 || !(file.All.Gets.PerSecond > 0):
		return Outcome{}, ErrNothingDone
	}
	return Outcome{Operations: file.All.Gets.Count, PerSecond: file.All.Gets.PerSecond}, nil
}
