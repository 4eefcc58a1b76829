package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// leastSaving leaves room for both saves.
	leastSaving = 4 * time.Second
	// saveAt and rewriteAt are shares of the measured time.
	saveAt, rewriteAt = 0.25, 0.6
	// savingLook is the pause between two looks at a server that saves, and
	// savingPatience bounds a save.
	savingLook     = 10 * time.Millisecond
	savingPatience = 2 * time.Minute
	// savingLeast is how many operations a percentile is taken of.
	savingLeast = 100
)

// savingKind is a way to save, in the words of the server.
type savingKind struct {
	name, command string
	// Fields of INFO persistence: whether it is under way, how it ended, and the
	// bytes that were copied.
	underWay, status, copied string
}

var (
	bgsave    = savingKind{"save", "BGSAVE", "rdb_bgsave_in_progress", "rdb_last_bgsave_status", "rdb_last_cow_size"}
	bgrewrite = savingKind{"rewrite", "BGREWRITEAOF", "aof_rewrite_in_progress", "aof_last_bgrewrite_status", "aof_last_cow_size"}
)

// savingJob is one save of all primaries.
type savingJob struct {
	kind         savingKind
	began, ended time.Time
	// fork is the longest fork of them, and copied the sum of what was copied.
	fork   time.Duration
	copied int64
}

// watch saves, and then rewrites, at their moments.
func (s *saving) watch(ctx context.Context) {
	started := time.Now()
	for _, one := range []struct {
		kind  savingKind
		share float64
	}{{bgsave, saveAt}, {bgrewrite, rewriteAt}} {
		waitFor(ctx, started.Add(time.Duration(one.share*float64(s.env.For))))
		if ctx.Err() != nil {
			return
		}
		done, err := s.save(ctx, one.kind)
		if ctx.Err() != nil {
			err = errors.New("it was not over at the end of the measured time: measure longer, or with a smaller --population")
		}
		if err != nil {
			s.failed = fmt.Errorf("%s: %w", one.kind.command, err)
			return
		}
		s.jobs = append(s.jobs, done)
	}
}

// save has all primaries save at once, and waits for the last.
func (s *saving) save(ctx context.Context, kind savingKind) (savingJob, error) {
	done := savingJob{kind: kind}
	if s.env.Servers == nil {
		return done, errors.New("the servers are not the run's own")
	}
	ctx, cancel := context.WithTimeout(ctx, savingPatience)
	defer cancel()
	var primaries []int
	for _, one := range s.env.Servers.List(ctx) {
		if one.Primary {
			primaries = append(primaries, one.Number)
		}
	}
	ends := make([]map[string]string, len(primaries))
	done.began = time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	for i, server := range primaries {
		group.Go(func() (err error) {
			ends[i], err = s.saveOne(groupCtx, server, kind)
			return err
		})
	}
	err := group.Wait()
	done.ended = time.Now()
	for _, info := range ends {
		forked, _ := strconv.ParseInt(info["latest_fork_usec"], 10, 64)
		copied, _ := strconv.ParseInt(info[kind.copied], 10, 64)
		done.fork = max(done.fork, time.Duration(forked)*time.Microsecond)
		done.copied += copied
	}
	return done, err
}

// saveOne has one server save, and returns its INFO of when it had.
func (s *saving) saveOne(ctx context.Context, server int, kind savingKind) (map[string]string, error) {
	tick := time.NewTicker(savingLook)
	defer tick.Stop()
	for asked := false; ; {
		info, err := s.persistence(ctx, server)
		if err != nil {
			return nil, err
		}
		busy := info[bgsave.underWay] == "1" || info[bgrewrite.underWay] == "1" || info["aof_rewrite_scheduled"] == "1"
		if asked && !busy {
			ok := info[kind.status] == "ok"
			s.inv.saved.check(ok, func() string {
				return fmt.Sprintf("%s of server %d ended with %q", kind.command, server, info[kind.status])
			})
			return info, nil
		}
		if !asked && !busy { // A save of the server's own comes first.
			if _, err := s.env.Servers.Ask(ctx, server, kind.command); err != nil {
				return nil, err
			}
			asked = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("server %d has not ended: %w", server, context.Cause(ctx))
		}
	}
}

// persistence reads what a server says of its saves and its forks.
func (s *saving) persistence(ctx context.Context, server int) (map[string]string, error) {
	fields := map[string]string{}
	for _, section := range []string{"persistence", "stats"} {
		reply, err := s.env.Servers.Ask(ctx, server, "INFO", section)
		if err != nil {
			return nil, err
		}
		text, _ := reply.(string)
		for line := range strings.Lines(text) {
			if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
				fields[name] = value
			}
		}
	}
	return fields, nil
}

func (s *saving) marks(started time.Time) []Mark {
	var marks []Mark
	for _, one := range s.jobs {
		marks = append(marks, Mark{one.began.Sub(started), one.kind.name}, Mark{one.ended.Sub(started), one.kind.name + " done"})
	}
	return marks
}

// measurements compare the response times during a save with those before the
// first.
func (s *saving) measurements(started time.Time) map[string]Measurement {
	m := map[string]Measurement{}
	if len(s.jobs) == 0 {
		return m
	}
	const ms = 1000
	usual := s.responses(started, started, s.jobs[0].began)
	if len(usual) >= savingLeast {
		m["p99-before"] = Measurement{p99(usual).Seconds() * ms, "ms", "response time of all operations before the first save"}
	}
	for _, one := range s.jobs {
		name := one.kind.name
		m[name+"-time"] = Measurement{one.ended.Sub(one.began).Seconds() * ms, "ms", one.kind.command + " from the command until the last server had written its file"}
		m[name+"-fork"] = Measurement{one.fork.Seconds() * ms, "ms", "the longest fork for it, in which the server answers nobody"}
		m[name+"-copied"] = Measurement{float64(one.copied) / (1 << 20), "MiB", "memory that was written meanwhile and so copied, of all servers; keep as much free"}
		during := s.responses(started, one.began, one.ended)
		if len(during) < savingLeast {
			continue
		}
		m[name+"-p99"] = Measurement{p99(during).Seconds() * ms, "ms", "response time of all operations that were due while it went on"}
		m[name+"-max"] = Measurement{during[len(during)-1].Seconds() * ms, "ms", "the longest of them"}
	}
	return m
}

// responses are the response times of the operations that were due in a span.
func (s *saving) responses(started, from, to time.Time) []time.Duration {
	var all []time.Duration
	for _, e := range s.events {
		if due := started.Add(e.due); !due.Before(from) && due.Before(to) {
			all = append(all, e.done.Sub(due))
		}
	}
	return all
}
