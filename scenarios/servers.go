package scenarios

import (
	"context"
	"time"
)

// Needs is what a scenario asks of the servers, and of how they are driven. The
// zero value asks for nothing.
type Needs struct {
	// Own says that the run must have started the servers: it breaks them, or sets
	// their options, which those of others are spared.
	Own bool
	// TakeOver says that somebody must take over where a primary is gone, and tell
	// clients of it.
	TakeOver bool
	// Slots says that there must be a cluster, of at least two primaries.
	Slots bool
	// OpenLoop says that operations must be offered also while nobody answers.
	OpenLoop bool
}

// Servers is what a scenario can do to the servers beside its traffic. They are
// numbered from 0. An error says what could not be done, and why.
type Servers interface {
	Overview
	Breakage
	Linkage
}

// Overview tells how the servers are.
type Overview interface {
	// List asks each server for its role.
	List(ctx context.Context) []Server
	// HeldForFailed says whether the others agree that a server has failed.
	HeldForFailed(ctx context.Context, i int) (bool, error)
	// Settled returns when all are up and agree, and the replicas have all that
	// their primaries have.
	Settled(ctx context.Context) error
	// Ask runs a command on a server.
	Ask(ctx context.Context, i int, words ...string) (any, error)
	// ShardOf is the shard of a slot.
	ShardOf(slot int) int
}

// Breakage breaks servers, and mends them.
type Breakage interface {
	// Kill ends a server at once, and Restart starts it again; Stop holds it as it
	// is, and Continue lets it go on.
	Kill(ctx context.Context, i int) error
	Restart(ctx context.Context, i int) error
	Stop(ctx context.Context, i int) error
	Continue(ctx context.Context, i int) error
	// Failover asks for a replica to become the primary in an orderly way.
	Failover(ctx context.Context, i int) error
}

// Linkage breaks what is between servers.
type Linkage interface {
	// Partition cuts a server off from all others, but not from its clients, or
	// joins it to them again. Delay holds back what server from and server to send
	// each other over the connections that from has opened; a Delay of [Cut]
	// swallows it, and 0 lets it pass.
	Partition(i int, cut bool) error
	Delay(from, to int, delay time.Duration) error
}

// Cut is the delay of a link that swallows everything.
const Cut time.Duration = -1

// Server is one of several, as it was when it was asked.
type Server struct {
	Number, Shard int
	// Primary and Replica are both false for a sentinel, and for a server that is
	// Down.
	Primary, Replica, Down bool
}
