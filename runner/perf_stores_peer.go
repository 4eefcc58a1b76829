package runner

import (
	"context"
	"time"
)

// StorePeer is a session store that ours is compared with. Those of other people
// live in a module of their own, runner/peers/stores, so that nobody who uses
// this one depends on them.
type StorePeer struct {
	// Name is short, for a table.
	Name string
	// Version is the library's, and of those that it needs to be what it is.
	Version string
	// Open connects to the server at a redis:// URL, with as many connections at
	// most, and makes sure that it answers.
	Open func(ctx context.Context, url string, connections int) (SessionStore, error)

	ours bool
	// connections is how many it has when it does not take as many as it may.
	connections int
}

// SessionStore is a session store as its users call it in a request, with
// whatever it does to a record before it is on the wire. It is safe for
// concurrent use.
type SessionStore interface {
	// Create keeps a new session and returns what opens it.
	Create(ctx context.Context, l Login) (Ticket, error)
	// Find returns the session that a browser shows its ticket of, or false when
	// there is none. Of the ticket it sees the cookie alone.
	Find(ctx context.Context, t Ticket) (Login, bool, error)
	// Refresh lets a session that the same request has found end at l.ExpiresAt,
	// l.Lifetime from now. Nothing else of l has changed but UpdatedAt.
	Refresh(ctx context.Context, t Ticket, l Login) error
	// Delete ends a session that the same request has found.
	Delete(ctx context.Context, t Ticket) error
	// Close frees the connections.
	Close() error
}

// Ticket is what opens a session.
type Ticket struct {
	// Cookie is what the browser keeps.
	Cookie string
	// ID is what a request knows that has found the session, where that is not
	// the cookie itself.
	ID string
}

// Login is the session that all stores keep: whom a browser has logged in, and
// when. Times are UTC, and whole milliseconds.
type Login struct {
	UserID    string    `json:"user_id"`
	UserAgent string    `json:"user_agent"`
	IPAddress string    `json:"ip_address"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Lifetime is how long the session lives after its last change.
func (l Login) Lifetime() time.Duration { return l.ExpiresAt.Sub(l.UpdatedAt) }

// storeLifetime is how long the sessions live that are compared. None ends
// meanwhile.
const storeLifetime = 30 * 24 * time.Hour

// begun is the login made now.
func (l Login) begun() Login {
	l.CreatedAt = time.Now().UTC().Truncate(time.Millisecond)
	l.UpdatedAt, l.ExpiresAt = l.CreatedAt, l.CreatedAt.Add(storeLifetime)
	return l
}

// refreshed is the login with its life beginning anew.
func (l Login) refreshed() Login {
	l.UpdatedAt = time.Now().UTC().Truncate(time.Millisecond)
	l.ExpiresAt = l.UpdatedAt.Add(storeLifetime)
	return l
}

// same tells whether a found session is the one that was kept. Times of change
// may differ.
func (l Login) same(found Login) bool {
	return l.UserID == found.UserID && l.UserAgent == found.UserAgent && l.IPAddress == found.IPAddress &&
		l.CreatedAt.Equal(found.CreatedAt)
}
