package peers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// captured reads what a real program printed.
func captured(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestParseCSV(t *testing.T) {
	tests := map[string]struct {
		out  string
		want float64
		says string // in the error
	}{
		"redis-benchmark 7.0.15":     {out: string(captured(t, "redis-benchmark-7.0.15.csv")), want: 66006.60},
		"valkey-benchmark 8.1.1":     {out: string(captured(t, "valkey-benchmark-8.1.1.csv")), want: 112359.55},
		"before 6.2, without names":  {out: "\"GET\",\"91743.12\"\n", want: 91743.12},
		"a warning before":           {out: "WARNING: Could not fetch server CONFIG\n\"GET\",\"5\"\n", want: 5},
		"a test with its arguments":  {out: "\"GET key:__rand_int__\",\"7.5\",\"1\"\n", want: 7.5},
		"nothing at all":             {out: "", says: "no line of GET"},
		"names alone":                {out: "\"test\",\"rps\"\n", says: "no line of GET"},
		"another test":               {out: "\"SET\",\"5\"\n", says: "no line of GET"},
		"a rate that is no number":   {out: "\"GET\",\"fast\"\n", says: `"fast"`},
		"a rate that is not defined": {out: "\"GET\",\"nan\"\n", says: `"nan"`},
		"an endless rate":            {out: "\"GET\",\"inf\"\n", says: `"inf"`},
		"a rate of nothing":          {out: "\"GET\",\"0.00\"\n", says: `"0.00"`},
		"a negative rate":            {out: "\"GET\",\"-1\"\n", says: `"-1"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseCSV([]byte(test.out))
			if got != test.want || (err != nil) != (test.says != "") {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %q, want %q in it", err, test.says)
			}
		})
	}
}

func TestParseMemtier(t *testing.T) {
	tests := map[string]struct {
		out       string
		count     int64
		perSecond float64
		says      string
	}{
		"version 2":           {out: string(captured(t, "memtier_benchmark-2.json")), count: 191658, perSecond: 95481.40},
		"keys that are not":   {out: `{"ALL STATS":{"Gets":{"Count":5,"Ops/sec":5,"Misses/sec":1}}}`, says: "not found"},
		"failed connections":  {out: `{"ALL STATS":{"Gets":{"Count":5,"Ops/sec":5},"Totals":{"Connection Errors":2}}}`, says: "2 connections"},
		"no request":          {out: `{"ALL STATS":{"Gets":{"Count":0,"Ops/sec":0}}}`, says: ErrNothingDone.Error()},
		"a rate of nothing":   {out: `{"ALL STATS":{"Gets":{"Count":5,"Ops/sec":0}}}`, says: ErrNothingDone.Error()},
		"no part of this run": {out: `{"configuration":{}}`, says: "ALL STATS"},
		"no JSON":             {out: "Connection refused", says: "read its output"},
		"JSON cut short":      {out: string(captured(t, "memtier_benchmark-2.json")[:3000]), says: "read its output"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseMemtier([]byte(test.out))
			if got.Operations != test.count || got.PerSecond != test.perSecond || (err != nil) != (test.says != "") {
				t.Errorf("got %+v, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %q, want %q in it", err, test.says)
			}
		})
	}
}

func TestMemtierVersion(t *testing.T) {
	for text, want := range map[string]string{
		"memtier_benchmark 1.4.0\nCopyright (C) 2011-2022 Redis Ltd.\n":                       "1.4.0",
		"memtier_benchmark v=2.1.1 sha=00000000:0 bits=64 libevent=2.1.12-stable openssl=…\n": "2.1.1",
		"command not found": "", "": "",
	} {
		if got, err := memtierVersion(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is version %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestKeysAreTheSameForAll(t *testing.T) {
	for keys, want := range map[int][4]string{
		100:       {"key:000000000010", "key:000000000099", "key:0000000000", "10"},
		10_000:    {"key:000000001000", "key:000000009999", "key:00000000", "1000"},
		1_000_000: {"key:000000100000", "key:000000999999", "key:000000", "100000"},
	} {
		args := Job{Keys: keys}.memtierKeys()
		prefix, least, most := args[1], args[5], args[7]
		if prefix != want[2] || least != want[3] {
			t.Errorf("of %d keys memtier_benchmark gets %q", keys, args)
		}
		if prefix+least != want[0] || prefix+most != want[1] || want[0] != Key(keys/10) || want[1] != Key(keys-1) {
			t.Errorf("of %d keys memtier_benchmark reads %s to %s, want %s to %s", keys, prefix+least, prefix+most, Key(keys/10), Key(keys-1))
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add(captured(f, "redis-benchmark-7.0.15.csv"))
	f.Add(captured(f, "valkey-benchmark-8.1.1.csv"))
	f.Add([]byte("GET,1e999\n\"GET\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		rate, err := parseCSV(out)
		if err != nil {
			return
		}
		if !(rate > 0) || math.IsInf(rate, 0) {
			t.Fatalf("accepted the rate %v", rate)
		}
		again, err := parseCSV(fmt.Appendf(nil, "\"GET\",\"%g\"\n", rate))
		if err != nil || again != rate {
			t.Errorf("%v was read back as %v, %v", rate, again, err)
		}
	})
}

func FuzzParseMemtier(f *testing.F) {
	f.Add(captured(f, "memtier_benchmark-2.json"))
	f.Add([]byte(`{"ALL STATS":{"Gets":{"Count":1,"Ops/sec":1e308}}}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		got, err := parseMemtier(out)
		if err != nil {
			if got != (Outcome{}) {
				t.Errorf("an outcome %+v beside the error %v", got, err)
			}
			return
		}
		if got.Operations <= 0 || !(got.PerSecond > 0) || math.IsInf(got.PerSecond, 0) {
			t.Fatalf("accepted %+v", got)
		}
		text := fmt.Appendf(nil, `{"ALL STATS":{"Gets":{"Count":%d,"Ops/sec":%g}}}`, got.Operations, got.PerSecond)
		if again, err := parseMemtier(text); err != nil || again != got {
			t.Errorf("%+v was read back as %+v, %v", got, again, err)
		}
	})
}

func TestJobsThatNobodyCanDo(t *testing.T) {
	good := Job{Host: "127.0.0.1", Port: 1, Connections: 1, Keys: 100, Length: 1e9}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Job){
		"no host": func(j *Job) { j.Host = "" }, "no port": func(j *Job) { j.Port = 0 }, "a port too high": func(j *Job) { j.Port = 65536 },
		"no connection": func(j *Job) { j.Connections = 0 }, "few keys": func(j *Job) { j.Keys = 10 }, "no power of ten": func(j *Job) { j.Keys = 5000 },
		"too many keys": func(j *Job) { j.Keys = 10 * maxKeys }, "no time": func(j *Job) { j.Length = 0 }, "days": func(j *Job) { j.Length = 1e15 },
	} {
		t.Run(name, func(t *testing.T) {
			job := good
			spoil(&job)
			peer := Benchmark("x", "1", "nowhere", []string{"/no/such/program"})
			if _, err := peer.Run(t.Context(), job); err == nil || !strings.HasPrefix(err.Error(), "check job: ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNothingDoneIsAnError(t *testing.T) {
	peer := &Peer{Name: "x", do: func(_ context.Context, _ *Peer, _ Job) (Outcome, error) { return Outcome{}, nil }}
	_, err := peer.Run(t.Context(), Job{Host: "h", Port: 1, Connections: 1, Keys: 100, Length: 1e9})
	if !errors.Is(err, ErrNothingDone) {
		t.Errorf("got %v", err)
	}
}
