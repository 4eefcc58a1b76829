package runner

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/compose"
	"github.com/toriibench/toriibench/results"
)

// dedicated is a fast machine of its own.
func dedicated() results.Doctor {
	return results.Doctor{
		Timers: []results.Timer{{Name: "timerfd", P50: 5, P99: 20}}, Pacing: "timerfd",
		ClockNS: 25, ClockSource: "tsc", CoresAllowed: 16, Pressure: new(0.1), Steal: new(0.0),
		Trials:    []results.Trial{{Rate: 1000, InTime: 100, LagP99: 18}, {Rate: 40_000, InTime: 99.9, LagP99: 21.5}},
		Providers: map[string]string{"native": "ready with redis 8.0.2", "docker": "ready with images for redis"},
	}
}

func TestOneSentenceSumsAMachineUp(t *testing.T) {
	tests := map[string]struct {
		change func(*results.Doctor)
		want   string
	}{
		"a fast machine of its own": {
			func(*results.Doctor) {},
			"This machine can time operations to about 30 µs at up to 40k/s with the server beside it; below that read ratios only, because one operation in a hundred starts that late.",
		},
		"a small virtual machine with steal": {
			func(d *results.Doctor) {
				d.CoresAllowed, d.Steal, d.Pressure = 2, new(3.25), new(41.0)
				d.Trials = []results.Trial{
					{Rate: 1000, InTime: 100, LagP99: 61}, {Rate: 5000, InTime: 100, LagP99: 88}, {Rate: 10_000, InTime: 100, LagP99: 2400},
				}
			},
			"This machine can time operations to about 90 µs at up to 5k/s with the server beside it; below that read ratios only, because one operation in a hundred starts that late, the hypervisor took 3.2 % of the processors' time, and others were using the processors (pressure 41 %).",
		},
		"one core": {
			func(d *results.Doctor) {
				d.CoresAllowed = 1
				d.Trials = []results.Trial{{Rate: 1000, InTime: 100, LagP99: 640}}
			},
			"This machine cannot time operations to 100 µs: at 1k/s with the server on the same core one operation in a hundred started 640 µs late; read ratios only, because generator and server share the one core.",
		},
		"a wait that is late and a clock that is slow": {
			func(d *results.Doctor) {
				d.Timers = []results.Timer{{Name: "timerfd", P99: 50}, {Name: "timer", P99: 1050}}
				d.Pacing, d.ClockNS, d.ClockSource = "timer", 950, "hpet"
				d.Trials = []results.Trial{{Rate: 500, InTime: 100, LagP99: 1234}}
			},
			"This machine cannot time operations to 100 µs: at 500/s with the server beside it one operation in a hundred started 1.2 ms late; read ratios only, because reading the clock takes 950 ns (hpet), and its best wait, timer, was 1.1 ms late.",
		},
		"late for no reason that shows": {
			func(d *results.Doctor) { d.Trials = []results.Trial{{Rate: 1000, InTime: 100, LagP99: 100.1}} },
			"This machine cannot time operations to 100 µs: at 1k/s with the server beside it one operation in a hundred started 100 µs late; read ratios only, because its processors are not free when they are needed, and it does not show who has them.",
		},
		"a machine that cannot keep up": {
			func(d *results.Doctor) {
				d.Pressure = new(99.0)
				d.Trials = []results.Trial{{Rate: 1000, InTime: 98.9, LagP99: 50}}
			},
			"This machine proves nothing: it could not even keep up with the lowest rate that was tried, because others were using the processors (pressure 99 %).",
		},
		"no docker, and servers all the same": {
			func(d *results.Doctor) {
				d.Providers = map[string]string{"native": "can fetch redis 8.0", "docker": "not at once: no engine answers"}
			},
			"This machine can time operations to about 30 µs at up to 40k/s with the server beside it; below that read ratios only, because one operation in a hundred starts that late.",
		},
		"no servers at all": {
			func(d *results.Doctor) {
				d.Providers = map[string]string{"native": "no servers here, and none to fetch", "docker": "not at once: no engine answers"}
			},
			"This machine can time operations to about 30 µs at up to 40k/s with the server beside it; below that read ratios only, because one operation in a hundred starts that late; and it can start no servers, so give the URL of one.",
		},
		"a system that tells nothing": {
			func(d *results.Doctor) { d.Pressure, d.Steal, d.ClockSource = nil, nil, "" },
			"This machine can time operations to about 30 µs at up to 40k/s with the server beside it; below that read ratios only, because one operation in a hundred starts that late.",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := dedicated()
			test.change(&d)
			if diff := cmp.Diff(test.want, sumUp(&d)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatDoctorFoundIsToldInLines(t *testing.T) {
	d := dedicated()
	d.Steal, d.Sentence = nil, sumUp(&d)
	d.EchoUS, d.NoopNS, d.NoopPerSecond, d.HistogramNS = 6.25, 160.4, 5_900_000, 4.4
	d.PacingWhy = "it was the most punctual."
	var out strings.Builder
	if err := printDoctor(&out, &d, results.Environment{Cores: 8, Kernel: "6.1", Go: "go1.26"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"16 may be used (GOMAXPROCS 8); governor: not known", "CPU pressure: 0.1 % in the ten seconds before; steal: not known",
		"25 ns to read; source: tsc", "timerfd: 5.0 µs late, p99 20 µs", "160 ns of CPU", "at most 5.9M a second; 4 ns to record",
		"6.2 µs for one byte", "40k/s: 99.9 % in time;", "native: ready with redis 8.0.2", "redis 8.0.2 This machine can time operations",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

func TestProvidersSayWhatTheyCanStart(t *testing.T) {
	fetched := compose.ServerEntry{Engine: "redis", Version: "7.0.15", Where: compose.InCache}
	installed := compose.ServerEntry{Engine: "redis", Version: "7.0.15", Where: compose.OnPath}
	archived := compose.ServerEntry{Engine: "valkey", Version: "8.1", Where: compose.InArchive}
	tests := map[string]struct {
		entries []compose.ServerEntry
		err     error
		want    string
		serves  bool
	}{
		"the same version twice": {[]compose.ServerEntry{installed, fetched, archived}, nil, "ready with redis 7.0.15; can fetch valkey 8.1", true},
		"only from the archive":  {[]compose.ServerEntry{archived}, nil, "can fetch valkey 8.1", true},
		"nothing":                {nil, nil, "no servers here, and none to fetch", false},
		"nothing to be known":    {nil, errors.New("no archive\nhere"), "not all could be listed: no archive", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := nativeWords(test.entries, test.err)
			if got != test.want {
				t.Errorf("it says %q, want %q", got, test.want)
			}
			if serves := canServe(&results.Doctor{Providers: map[string]string{"native": got}}); serves != test.serves {
				t.Errorf("it can serve: %v", serves)
			}
		})
	}
}

func TestDoctorFindsWhatThisMachineCanMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	began := time.Now()
	got := call(t.Context(), "doctor", "--json")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v, about eight seconds are promised where nobody else uses the processors", took)
	}
	if got.code != exitFine && got.code != exitNoProof {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	var d results.Doctor
	if err := json.Unmarshal([]byte(got.stdout), &d); err != nil {
		t.Fatalf("%v in\n%s", err, got.stdout)
	}
	checkDoctor(t, &d)
	if (got.code == exitFine) != keepsUp(&d) {
		t.Errorf("exit code %d with trials %+v", got.code, d.Trials)
	}
	if !strings.Contains(got.stderr, "trying") {
		t.Errorf("it did not say what it was doing: %q", got.stderr)
	}
}

// checkDoctor looks at what must hold on every machine, however busy.
func checkDoctor(t *testing.T, d *results.Doctor) {
	t.Helper()
	for _, timer := range d.Timers {
		if timer.P50 > timer.P99 || timer.P50 < 0 {
			t.Errorf("%s: p50 %v, p99 %v", timer.Name, timer.P50, timer.P99)
		}
	}
	for _, trial := range d.Trials {
		if trial.LagP50 > trial.LagP99 || trial.ResponseP50 > trial.ResponseP99 || trial.ResponseP99 < trial.LagP50 {
			t.Errorf("a trial contradicts itself: %+v", trial)
		}
	}
	if len(d.Timers) == 0 || len(d.Trials) == 0 {
		t.Errorf("%d waits and %d rates were tried", len(d.Timers), len(d.Trials))
	}
	// Under the race detector, and beside others, too.
	if d.NoopPerSecond < 1000 {
		t.Errorf("the engine does nothing %v times a second, which is few", d.NoopPerSecond)
	}
	if d.HistogramNS <= 0 || d.EchoUS <= 0 || d.NoopNS < d.HistogramNS {
		t.Errorf("recording takes %v ns, an operation with three records %v ns, an echo %v µs", d.HistogramNS, d.NoopNS, d.EchoUS)
	}
	if d.CoresAllowed < 1 || d.ClockNS <= 0 || d.Sentence != sumUp(d) || d.Pacing == "" {
		t.Errorf("%d cores, %v ns to read the clock, %q, paced by %q", d.CoresAllowed, d.ClockNS, d.Sentence, d.Pacing)
	}
	if d.Providers["native"] == "" || d.Providers["docker"] == "" {
		t.Errorf("providers: %q", d.Providers)
	}
}

func TestDoctorIsInterruptedAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, part := range []string{"wait", "engine", "loopback"} {
		t.Run("while it tries the "+part, func(t *testing.T) {
			watch := &watcherOf{word: part, said: make(chan struct{})}
			done := make(chan int, 1)
			go func() {
				done <- Main(t.Context(), []string{"doctor"}, strings.NewReader(""), &strings.Builder{}, watch)
			}()
			select {
			case <-watch.said:
			case code := <-done:
				t.Fatalf("it ended with %d before that", code)
			}
			began := time.Now()
			if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if code := <-done; code != exitInterrupted {
				t.Errorf("exit code %d, want %d", code, exitInterrupted)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v to end", took)
			}
		})
	}
}

// watcherOf tells when a line with a word is written to it.
type watcherOf struct {
	word string
	said chan struct{}
	once sync.Once
}

// Write implements io.Writer.
func (w *watcherOf) Write(line []byte) (int, error) {
	if strings.Contains(string(line), w.word) {
		w.once.Do(func() { close(w.said) })
	}
	return len(line), nil
}
