package peers

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	// trial is how many requests tell how many there are to be: these programs
	// take a number of requests, and no time.
	trial = 20_000
	// maxRequests bounds what a wrong rate could lead to.
	maxRequests = 1_000_000_000
)

// Benchmark is redis-benchmark or valkey-benchmark, run by a command of at
// least one word.
func Benchmark(name, version, origin string, command []string) *Peer {
	return &Peer{Name: name, Version: version, Origin: origin, command: command, do: runBenchmark, counts: true}
}

// runBenchmark makes as many requests as fit into the job's length at the rate
// of the last run, or else of the trial.
func runBenchmark(ctx context.Context, p *Peer, job Job) (Outcome, error) {
	return p.requests(ctx, job, int64(min(maxRequests, max(1, p.rate*job.Length.Seconds()))))
}

// requests makes n requests.
func (p *Peer) requests(ctx context.Context, job Job, n int64) (Outcome, error) {
	args := append([]string{"-h", job.Host}, job.place()...)
	args = append(args, "-t", "get", "-r", strconv.Itoa(job.Keys), "-n", strconv.FormatInt(n, 10), "--csv")
	out, cpu, err := p.run(ctx, job, args)
	if err != nil {
		return Outcome{}, err
	}
	rate, err := parseCSV(out)
	return Outcome{Operations: n, PerSecond: rate, CPU: cpu}, err
}

// parseCSV reads the rate of GET out of what the programs print with --csv:
// since 6.2 a line of names and one of values, before that "GET","112359.55"
// alone. Warnings may stand before them.
func parseCSV(out []byte) (perSecond float64, err error) {
	lines := csv.NewReader(bytes.NewReader(out))
	lines.FieldsPerRecord, lines.LazyQuotes = -1, true
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("read its output: no line of GET in %q", beginning(out))
		}
		if err != nil {
			return 0, fmt.Errorf("read its output: %w", err)
		}
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "GET") {
			continue
		}
		rate, err := strconv.ParseFloat(fields[1], 64)
		if err != nil || math.IsInf(rate, 0) || !(rate > 0) {
			return 0, fmt.Errorf("read its output: GET has the rate %q", fields[1])
		}
		return rate, nil
	}
}

// beginning is what an error shows of a program's output.
func beginning(out []byte) string {
	const most = 200
	return strings.ToValidUTF8(string(out[:min(len(out), most)]), "?")
}
