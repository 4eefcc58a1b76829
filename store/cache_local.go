package store

import (
	"context"
)

// read reads an entry, from this process's memory if Config.ClientCacheSize says
// so and it is there.
func (c *Cache) read(ctx context.Context, op, key string) (string, error) {
	if c.local == nil {
		values, err := c.get(ctx, op, key)
		if err != nil {
			return "", err
		}
		return values[0], nil
	}
	value, local, err := c.local.GetLocal(ctx, key)
	if err != nil {
		return "", during(op, err)
	}
	if local {
		c.stats.local.Add(1)
	}
	return value, nil
}

// settle lets this process see what it has just written under key. Without it,
// who has invalidated a user could still read the old copy until the server's
// message has come, some microseconds later.
func (c *Cache) settle(ctx context.Context, op, key string) error {
	if c.local == nil {
		return nil
	}
	return during(op, c.local.Settle(ctx, key))
}
