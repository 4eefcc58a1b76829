package runner

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/toriibench/toriibench/results"
)

// environment describes this machine. What cannot be read stays empty.
func environment() results.Environment {
	return results.Environment{
		CPU:      field("/proc/cpuinfo", "model name"),
		Cores:    runtime.GOMAXPROCS(0),
		MemoryMB: memoryMB(),
		Kernel:   kernel(),
		OS:       strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`),
		Go:       runtime.Version(),
		Versions: versions(),

		GCPercent: gcInForce(),
	}
}

// field returns the value of the first "name: value" or "name=value" line.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // It was only read.
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			key, value, _ = strings.Cut(lines.Text(), "=")
		}
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func memoryMB() int64 {
	kb, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kb / 1024
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return strings.TrimSpace(string(release))
}

// version is the program's own: a release's, or the commit it was built from.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return build.Main.Version
}

// versions lists the program's own version and those of the libraries whose
// behaviour is in the numbers.
func versions() map[string]string {
	found := map[string]string{}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return found
	}
	found["toriibench"] = build.Main.Version
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			found["revision"] = setting.Value
		}
	}
	for _, dep := range build.Deps {
		switch dep.Path {
		case "github.com/redis/go-redis/v9", "github.com/valkey-io/valkey-go", "github.com/HdrHistogram/hdrhistogram-go":
			found[dep.Path] = dep.Version
		}
	}
	return found
}
