package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// PerfSchema is the version of the files that WritePerf writes.
const PerfSchema = 1

// Perf is one comparison of this program with other load generators, on one
// server and in one go.
type Perf struct {
	Schema  int       `json:"schema"`
	Started time.Time `json:"started"`
	// Complete is false when the comparison ended early; Reason then says why.
	Complete    bool        `json:"complete"`
	Reason      string      `json:"reason,omitempty"`
	Seconds     float64     `json:"seconds"`
	Seed        uint64      `json:"seed"`
	Environment Environment `json:"environment"`
	Target      string      `json:"target"`
	Server      Server      `json:"server"`
	Provider    string      `json:"provider"`
	Origin      string      `json:"origin"`
	Setup       PerfSetup   `json:"setup"`
	// Missing says which generators could not be compared with, and why.
	Missing []string `json:"missing"`
	// Failed are turns without a sample, and why they have none.
	Failed []string `json:"failed"`
	// Generators were driven in a closed loop, Open in an open one; Noop drove
	// nothing. Each has a sample a round.
	Generators []PerfGenerator `json:"generators"`
	Open       []PerfOpen      `json:"open"`
	Noop       []PerfNoop      `json:"noop"`
	Ratios     []PerfRatio     `json:"ratios"`
	Goals      []PerfGoal      `json:"goals"`
}

// PerfSetup is what all generators had in common.
type PerfSetup struct {
	// ServerCPU and ClientCPU are the processors that server and generator were
	// kept to.
	ServerCPU int `json:"server_cpu"`
	ClientCPU int `json:"client_cpu"`
	// Connections of the other generators; ours have as many callers.
	Connections int `json:"connections"`
	// Keys were drawn uniformly; each had a value of ValueBytes.
	Keys         int     `json:"keys"`
	ValueBytes   int     `json:"value_bytes"`
	Sessions     int     `json:"sessions"`
	Rounds       int     `json:"rounds"`
	RoundSeconds float64 `json:"round_seconds"`
}

// PerfGenerator is a generator in a closed loop.
type PerfGenerator struct {
	Name string `json:"name"`
	// Ours is true for this program's engine.
	Ours    bool   `json:"ours"`
	Version string `json:"version"`
	Origin  string `json:"origin"`
	// Operation is "get" or "authenticate".
	Operation string `json:"operation"`
	// Connections carry the operations of Callers.
	Connections int          `json:"connections"`
	Callers     int          `json:"callers"`
	Samples     []PerfSample `json:"samples"`
}

// PerfSample is one round of a generator.
type PerfSample struct {
	Round int `json:"round"`
	// Position is its place in the round's order, from 0.
	Position   int     `json:"position"`
	Operations int64   `json:"operations"`
	PerSecond  float64 `json:"ops_per_second"`
	// PerClientSecond is operations per second of the client's processor time.
	PerClientSecond float64 `json:"ops_per_client_cpu_second"`
	ClientCPU       float64 `json:"client_cpu_us_per_op"`
	ServerCPU       float64 `json:"server_cpu_us_per_op"`
}

// PerfOpen is this program's engine in an open loop.
type PerfOpen struct {
	Name string `json:"name"`
	// Schedule is parseable, for example "poisson:10k/3s".
	Schedule string           `json:"schedule"`
	Rate     float64          `json:"rate"`
	Samples  []PerfOpenSample `json:"samples"`
}

// PerfOpenSample is one round of an open loop. Times are in microseconds.
type PerfOpenSample struct {
	Round   int   `json:"round"`
	Offered int64 `json:"offered"`
	Sent    int64 `json:"sent"`
	Dropped int64 `json:"dropped"`
	Errors  int64 `json:"errors"`
	// Achieved is the share of the offered operations that ended in time.
	Achieved    float64 `json:"achieved"`
	LagP50      float64 `json:"lag_p50_us"`
	LagP99      float64 `json:"lag_p99_us"`
	ResponseP50 float64 `json:"response_p50_us"`
	ResponseP99 float64 `json:"response_p99_us"`
	// ClientShare is the client's processor time as a share of one core.
	ClientShare float64 `json:"client_core_share"`
}

// PerfNoop is the engine with operations that do nothing.
type PerfNoop struct {
	Round           int     `json:"round"`
	Operations      int64   `json:"operations"`
	PerClientSecond float64 `json:"ops_per_client_cpu_second"`
	Allocations     float64 `json:"allocations_per_op"`
}

// Spread is the median over rounds, with the least and the most of them.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Rounds int     `json:"rounds"`
}

// PerfRatio is how many times what one generator reached another did, paired by
// round.
type PerfRatio struct {
	Of string `json:"of"`
	To string `json:"to"`
	// Measure is "ops/s" or "ops per client CPU second".
	Measure string `json:"measure"`
	Spread
}

// PerfGoal is what this program means to reach.
type PerfGoal struct {
	Name string `json:"name"`
	// Bound is the least that will do if AtLeast, and else the most.
	Bound   float64 `json:"bound"`
	AtLeast bool    `json:"at_least"`
	Unit    string  `json:"unit"`
	// Got is nil when there was nothing to compare with.
	Got *Spread `json:"got"`
	// Met tells whether the median is within the bound.
	Met bool `json:"met"`
}

// CreatePerf makes the folder base and in it an empty file named after the UTC
// time of now, which WritePerf fills, so that a place that cannot be written
// shows before anything is measured.
func CreatePerf(base string, now time.Time) (path string, err error) {
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", fmt.Errorf("make the folder %s for results: %w (choose another one)", base, cause(err))
	}
	for i := 1; i <= maxSameName; i++ {
		name := now.UTC().Format(idTime)
		if i > 1 {
			name = fmt.Sprintf("%s-%d", name, i)
		}
		path := filepath.Join(base, name+".json")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, filePerm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("make a file in %s: %w (choose another place for results)", base, cause(err))
		}
		return path, f.Close()
	}
	return "", fmt.Errorf("make a file in %s: %d of the same second are there", base, maxSameName)
}

// WritePerf writes p to path, whole or not at all.
func WritePerf[P Perf | PerfStores](path string, p *P) error {
	data, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return WriteFile(path, append(data, '\n'))
}
