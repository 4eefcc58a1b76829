// Package machine tells what the machine that generates load is, and what it
// did while the load ran: how busy the generator was, what others and the
// hypervisor took from it, and how the Go runtime disturbed it. What a system
// does not tell is nil or empty, never 0.
package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Second is what happened between two readings of a [Meter], about a second
// apart.
type Second struct {
	// Elapsed is how long it really was.
	Elapsed time.Duration
	// CPU is the processor time of this process, user and system, as a share of
	// its cores' in percent. See [Cores].
	CPU *float64
	// Pressure is the share of the time in which some task of the machine could
	// run and had no processor, in percent: "some" of /proc/pressure/cpu
	// (https://docs.kernel.org/accounting/psi.html).
	Pressure *float64
	// Steal is what the hypervisor took of all processors' time, in percent
	// (/proc/stat, proc_stat(5)). The kernel counts it in steps of 10 ms.
	Steal *float64
	// GCs is how many garbage collections ended.
	GCs int64
	// GCPause is the longest stop of the world for the garbage collector, and
	// Sched the 99th percentile of how long goroutines that could run waited to.
	// Both are the middle of a bucket of runtime/metrics, and so exact to about
	// an eighth; 0 means that there was none.
	GCPause, Sched time.Duration
}

// Cores is how many processors this process may use at a time: those of its
// affinity, or fewer where GOMAXPROCS or a container's quota says so.
func Cores() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

// Meter reads what the machine does. It is meant to be read once a second
// beside a measurement: a reading takes about 6 µs on two cores, most of them in
// the kernel, and more where there are more. It serves one goroutine at a time.
type Meter struct {
	// stat and pressure are nil where there is no such file.
	stat, pressure *os.File
	buf            [512]byte
	runtime        *runtimeMeter
	last           counters
}

// counters grow with time.
type counters struct {
	at time.Time
	// cpu and pressure are in seconds; steal and total are of all processors, in
	// the kernel's ticks.
	cpu, pressure, steal, total count
}

// count is a number that may not be known.
type count struct {
	value float64
	known bool
}

// NewMeter returns a meter that has made its first reading.
func NewMeter() *Meter { return newMeter("/proc") }

func newMeter(proc string) *Meter {
	m := &Meter{
		stat:     openOrNil(filepath.Join(proc, "stat")),
		pressure: openOrNil(filepath.Join(proc, "pressure", "cpu")),
		runtime:  newRuntimeMeter(),
	}
	m.last = m.count()
	return m
}

func openOrNil(path string) *os.File {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	return f
}

// Read tells what happened since the last reading.
func (m *Meter) Read() Second {
	now, before := m.count(), m.last
	m.last = now
	wall := now.at.Sub(before.at)
	s := Second{
		Elapsed:  wall,
		CPU:      percent(now.cpu, before.cpu, wall.Seconds()*float64(Cores())),
		Pressure: percent(now.pressure, before.pressure, wall.Seconds()),
		Steal:    percent(now.steal, before.steal, now.total.value-before.total.value),
	}
	m.runtime.read(&s)
	return s
}

// Close frees what the meter holds. It may not be used afterwards.
func (m *Meter) Close() {
	for _, f := range []*os.File{m.stat, m.pressure} {
		if f != nil {
			_ = f.Close() // It was only read.
		}
	}
}

func (m *Meter) count() counters {
	c := counters{at: time.Now()}
	if cpu, ok := OwnCPU(); ok {
		c.cpu = count{cpu.Seconds(), true}
	}
	if p, ok := parsePressure(m.again(m.pressure)); ok {
		c.pressure = count{p.total.Seconds(), true}
	}
	if t, ok := parseStat(m.again(m.stat)); ok {
		c.steal, c.total = count{float64(t.steal), true}, count{float64(t.total), true}
	}
	return c
}

// again reads the beginning of a file; it is empty when it cannot be read.
func (m *Meter) again(f *os.File) []byte {
	if f == nil {
		return nil
	}
	// The end of a file is an error here, and the usual one.
	n, _ := f.ReadAt(m.buf[:], 0)
	return m.buf[:n]
}

// percent is a counter's growth as a share of a whole. A counter that went
// backwards, as steal may, did not grow.
func percent(now, before count, whole float64) *float64 {
	if !now.known || !before.known || !(whole > 0) {
		return nil
	}
	share := 100 * max(0, now.value-before.value) / whole
	return &share
}
