package load

import (
	"errors"
	"fmt"
	"time"
)

// Defaults and bounds of a [Config].
const (
	defaultWorkers = 64
	defaultBacklog = 1 << 17
	defaultTimeout = time.Second
	maxWorkers     = 1 << 16
	maxBacklog     = 1 << 24
	maxTimeout     = time.Hour
)

// withDefaults fills in what is zero and refuses what makes no sense.
func (cfg Config) withDefaults() (Config, error) {
	if err := cfg.check(); err != nil {
		return cfg, err
	}
	cfg.Workers = orDefault(cfg.Workers, defaultWorkers)
	cfg.Backlog = orDefault(cfg.Backlog, defaultBacklog)
	cfg.Timeout = orDefault(cfg.Timeout, defaultTimeout)
	cfg.Drain = orDefault(cfg.Drain, cfg.Timeout+time.Second)
	if cfg.OnPhase == nil {
		cfg.OnPhase = func(Phase) {}
	}
	return cfg, nil
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func (cfg Config) check() error {
	if err := cfg.Warmup.Validate(); err != nil {
		return fmt.Errorf("check warm-up: %w", err)
	}
	if err := cfg.Measure.Validate(); err != nil {
		return fmt.Errorf("check measurement: %w", err)
	}
	if cfg.Measure.Duration() == 0 {
		return errors.New("check measurement: its schedule is empty; give one such as 10k/10s")
	}
	return errors.Join(
		within("workers", cfg.Workers, maxWorkers),
		within("backlog", cfg.Backlog, maxBacklog),
		within("trace every", cfg.TraceEvery, maxBacklog),
		within("timeout", cfg.Timeout, maxTimeout),
		within("drain", cfg.Drain, maxTimeout),
	)
}

// within refuses what is not from zero, the default, to most.
func within[T int | time.Duration](name string, v, most T) error {
	if v < 0 || v > most {
		return fmt.Errorf("check %s: %v; it is at most %v, and 0 is its default", name, v, most)
	}
	return nil
}
