package store

import "context"

// primaryKey is the key of what WithPrimaryReads leaves in a context.
type primaryKey struct{}

// WithPrimaryReads returns a context with which an operation reads from the
// primary, whatever Config.ReadFrom says: for a caller who has just written, or
// who must not accept what was just revoked.
func WithPrimaryReads(ctx context.Context) context.Context {
	return context.WithValue(ctx, primaryKey{}, true)
}

// PrimaryReads is for drivers: it reports whether the reads of ctx must go to the
// primary. They need not ask where all reads do.
func PrimaryReads(ctx context.Context) bool { return ctx.Value(primaryKey{}) != nil }
