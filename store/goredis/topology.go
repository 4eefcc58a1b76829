package goredis

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// reloadPause is the least time between two looks at a cluster's topology that
// failures have caused.
const reloadPause = 250 * time.Millisecond

// suspect looks at a cluster's topology anew, beside what goes on, after a failure
// that a failover would explain. The library does so when a node redirects it, and
// else only after topologyReload: a primary that has died redirects nobody, and so
// its shard would be gone for as long although it has a new one.
func (d *driver) suspect(ctx context.Context, err error) {
	if d.cluster == nil || err == nil || errors.Is(err, redis.Nil) || errors.Is(err, context.Canceled) {
		return
	}
	if reply, ok := serverError(err); ok && !strings.HasPrefix(reply, "CLUSTERDOWN") && !strings.HasPrefix(reply, "READONLY") {
		return
	}
	now, last := time.Now().UnixNano(), d.reloaded.Load()
	if now-last < int64(reloadPause) || !d.reloaded.CompareAndSwap(last, now) {
		return
	}
	d.cluster.ReloadState(ctx)
	for _, reader := range d.readers {
		if c, ok := reader.(*redis.ClusterClient); ok {
			c.ReloadState(ctx)
		}
	}
}
