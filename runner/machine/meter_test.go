package machine

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"
)

// write puts a file below a folder that stands for the root or for /proc.
func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func near(got *float64, want float64) bool { return got != nil && math.Abs(*got-want) < 1e-6 }

func TestMeterTellsWhatGrewSinceTheLastReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proc := t.TempDir()
		write(t, proc, "stat", "cpu  1000 0 0 9000 0 0 0 500 0 0\n")
		write(t, proc, "pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n")
		m := newMeter(proc)
		defer m.Close()

		<-time.After(2 * time.Second)
		write(t, proc, "stat", "cpu  1100 0 0 9090 0 0 0 510 77 0\n")
		write(t, proc, "pressure/cpu", "some avg10=9.00 avg60=0.00 avg300=0.00 total=1500000\n")
		s := m.Read()
		if s.Elapsed != 2*time.Second || !near(s.Steal, 5) || !near(s.Pressure, 25) {
			t.Errorf("in %v: steal %v, pressure %v; want 2s, 5 %% and 25 %%", s.Elapsed, deref(s.Steal), deref(s.Pressure))
		}

		<-time.After(time.Second)
		write(t, proc, "stat", "cpu  1200 0 0 9190 0 0 0 509 77 0\n")
		s = m.Read()
		if s.Elapsed != time.Second || !near(s.Steal, 0) || !near(s.Pressure, 0) {
			t.Errorf("in %v: steal %v, pressure %v; want 1s and 0, since neither grew", s.Elapsed, deref(s.Steal), deref(s.Pressure))
		}
	})
}

func deref(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

func TestMeterKnowsNothingWhereTheSystemDoesNotTell(t *testing.T) {
	proc := t.TempDir()
	m := newMeter(proc)
	defer m.Close()
	if s := m.Read(); s.Steal != nil || s.Pressure != nil {
		t.Errorf("without files: steal %v, pressure %v; want nil", deref(s.Steal), deref(s.Pressure))
	}
	write(t, proc, "stat", "cpu  1 2 3\n")
	write(t, proc, "pressure/cpu", "")
	broken := newMeter(proc)
	defer broken.Close()
	if s := broken.Read(); s.Steal != nil || s.Pressure != nil {
		t.Errorf("with files of other words: steal %v, pressure %v; want nil", deref(s.Steal), deref(s.Pressure))
	}
}

func TestMeterSeesItsOwnProcessWork(t *testing.T) {
	if _, ok := OwnCPU(); !ok {
		if runtime.GOOS == "linux" {
			t.Fatal("Linux tells, and it is not read")
		}
		t.Skip("this system does not tell")
	}
	m := NewMeter()
	defer m.Close()
	begin, _ := OwnCPU()
	for spent := begin; spent-begin < 50*time.Millisecond; spent, _ = OwnCPU() {
	}
	runtime.GC()
	s := m.Read()
	// The wall clock may run faster than work on a busy machine, and is the same for both.
	least := 100 * (50 * time.Millisecond).Seconds() / (s.Elapsed.Seconds() * float64(Cores()))
	if s.CPU == nil || *s.CPU < least || *s.CPU > 110*float64(runtime.NumCPU())/float64(Cores()) {
		t.Errorf("it used %v %% of its cores, want %.1f at least", deref(s.CPU), least)
	}
	if s.GCs < 1 || s.GCPause <= 0 || s.GCPause > s.Elapsed {
		t.Errorf("%d collections that paused for %v in %v; want one at least", s.GCs, s.GCPause, s.Elapsed)
	}
	if again := m.Read(); again.GCs != 0 || again.GCPause != 0 {
		t.Errorf("after that, with no collection, %d and a pause of %v", again.GCs, again.GCPause)
	}
}

func TestMeterSeesGoroutinesWait(t *testing.T) {
	m := NewMeter()
	defer m.Close()
	turn := make(chan struct{})
	go func() {
		defer close(turn)
		for range 10_000 {
			turn <- struct{}{}
		}
	}()
	for range turn {
	}
	if s := m.Read(); s.Sched <= 0 || s.Sched > s.Elapsed {
		t.Errorf("goroutines waited %v at the 99th percentile, in %v", s.Sched, s.Elapsed)
	}
}

// The runtime promises to name a metric in its list for as long as it has it.
func TestTheRuntimeHasTheMetrics(t *testing.T) {
	kinds := map[string]metrics.ValueKind{}
	for _, d := range metrics.All() {
		kinds[d.Name] = d.Kind
	}
	for name, want := range map[string]metrics.ValueKind{
		gcCycles: metrics.KindUint64, gcPauses: metrics.KindFloat64Histogram, schedWait: metrics.KindFloat64Histogram,
	} {
		if kinds[name] != want {
			t.Errorf("metric %s has kind %v, want %v", name, kinds[name], want)
		}
	}
}

func TestHistogramsTellQuantilesOfWhatCame(t *testing.T) {
	inf := math.Inf(1)
	edges := []float64{-inf, 1e-6, 3e-6, 5e-6, inf}
	tests := map[string]struct {
		grown             []uint64
		longest, quantile time.Duration
	}{
		"nothing":               {[]uint64{0, 0, 0, 0}, 0, 0},
		"one":                   {[]uint64{0, 1, 0, 0}, 2 * time.Microsecond, 2 * time.Microsecond},
		"one in a hundred":      {[]uint64{0, 99, 1, 0}, 4 * time.Microsecond, 2 * time.Microsecond},
		"two in a hundred":      {[]uint64{0, 98, 2, 0}, 4 * time.Microsecond, 4 * time.Microsecond},
		"below the first edge":  {[]uint64{5, 0, 0, 0}, time.Microsecond, time.Microsecond},
		"beyond the last":       {[]uint64{0, 0, 0, 5}, 5 * time.Microsecond, 5 * time.Microsecond},
		"more than a few would": {[]uint64{0, 1 << 40, 0, 1}, 5 * time.Microsecond, 2 * time.Microsecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := histogram{grown: test.grown, edges: edges}
			if got := h.longest(); got != test.longest {
				t.Errorf("longest %v, want %v", got, test.longest)
			}
			if got := h.quantile(0.99); got != test.quantile {
				t.Errorf("p99 %v, want %v", got, test.quantile)
			}
		})
	}
}

// A reading runs beside a measurement: it may not make garbage to speak of.
func TestReadingAllocatesNoMoreThanItsNumbers(t *testing.T) {
	m := NewMeter()
	defer m.Close()
	if n := testing.AllocsPerRun(100, func() { m.Read() }); n > 3 {
		t.Errorf("%v allocations in a reading, want one for each of three numbers at most", n)
	}
}

func BenchmarkRead(b *testing.B) {
	m := NewMeter()
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		m.Read()
	}
}
