package drivertest

import (
	"context"
	"testing"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/internal/testservers"
)

// Benchmark measures a read of two keys and a script that writes one, by one
// caller, with a Trace and without, and by many.
func Benchmark(b *testing.B, engine string, dial store.Dial) {
	b.Helper()
	server := testservers.Start(b, engine)
	d, err := dial(b.Context(), store.Config{URLs: []string{server.URL()}}.WithDefaults())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // The measurement is over.
	server.Do(b, "MSET", "{k}1", "some value", "{k}2", "another value")
	script := &store.Script{Name: "set", Lua: "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return {'ok', ARGV[1]}"}
	for _, c := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"get", func(ctx context.Context) error { _, err := d.Get(ctx, "{k}1", "{k}2"); return err }},
		{"eval", func(ctx context.Context) error {
			_, err := d.Eval(ctx, script, []string{"{k}1"}, "some value", "60000")
			return err
		}},
	} {
		b.Run(c.name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/traced", func(b *testing.B) {
			b.ReportAllocs()
			ctx := store.WithTrace(b.Context(), new(store.Trace))
			for b.Loop() {
				if err := c.run(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/together", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.run(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
