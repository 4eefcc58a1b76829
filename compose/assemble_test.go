package compose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShardsShareAllSlots(t *testing.T) {
	for shards := 1; shards <= 16; shards++ {
		before := 0
		for slot := range slots {
			shard := shardOf(slot, shards)
			if first, last := slots*shard/shards, slots*(shard+1)/shards-1; slot < first || slot > last || shard < before {
				t.Fatalf("of %d shards slot %d is in %d, which has %d to %d", shards, slot, shard, first, last)
			}
			before = shard
		}
		if before != shards-1 {
			t.Errorf("of %d shards %d have slots", shards, before+1)
		}
	}
}

func TestClusterView(t *testing.T) {
	const (
		primary = "aa 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383\n"
		replica = "bb 127.0.0.1:3@4,,tls-port=0 slave aa 0 0 1 connected\n"
	)
	seen, why := clusterView(primary + replica)
	if want := "aa master - 0-16383\nbb slave aa"; seen != want || why != "" {
		t.Errorf("got %q, %q, want %q", seen, why, want)
	}
	for name, line := range map[string]string{
		"a handshake":      "bb 127.0.0.1:3@4 handshake - 0 0 0 connected\n",
		"a failure":        "bb 127.0.0.1:3@4 slave,fail? aa 0 0 1 connected\n",
		"a link to be":     "bb 127.0.0.1:3@4 slave aa 0 0 1 disconnected\n",
		"a line cut short": "bb 127.0.0.1:3@4 slave\n",
	} {
		if _, why := clusterView(primary + line); !strings.Contains(why, "bb") {
			t.Errorf("%s: got %q", name, why)
		}
	}
}

func TestSumInfo(t *testing.T) {
	got := sumInfo([]map[string]string{
		{
			"used_memory": "100", "used_cpu_user": "0.25", "redis_version": "7.0.15", "uptime_in_seconds": "3", "server_time_usec": "5",
			"cmdstat_get": "calls=2,usec=10,usec_per_call=5.00,rejected_calls=0,failed_calls=1", "latency_percentiles_usec_get": "p50=1",
		},
		{
			"used_memory": "30", "used_cpu_user": "1.5", "redis_version": "7.0.15", "uptime_in_seconds": "4", "server_time_usec": "6",
			"cmdstat_get": "calls=3,usec=5,usec_per_call=1.67,rejected_calls=2,failed_calls=0", "cmdstat_set": "calls=1,usec=9,usec_per_call=9.00",
			"latency_percentiles_usec_get": "p50=1",
		},
	})
	want := map[string]string{
		"used_memory": "130", "used_cpu_user": "1.75", "redis_version": "7.0.15", "server_time_usec": "5",
		"cmdstat_get": "calls=5,usec=15,rejected_calls=2,failed_calls=1", "cmdstat_set": "calls=1,usec=9",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
