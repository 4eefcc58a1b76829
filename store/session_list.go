package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How many sessions of a large user one script reads.
const (
	pageSize     = 500
	pageSizeText = "500"
)

// firstPage is the cursor that a walk begins with, and that ends it.
const firstPage = "0"

// List returns the user's live sessions, the newest CreatedAt first, with
// hashes and without tokens. A session that lives all the time is listed,
// however it is refreshed meanwhile, unless a failover comes between; one that
// begins or ends meanwhile may be or not.
func (s *Sessions) List(ctx context.Context, userID string) ([]Session, error) {
	const op = "list sessions"
	var all []Session
	for cursor := firstPage; ; {
		out, err := s.eval(ctx, op, scriptSessionPage, s.both(userTag(userID)), pageSizeText, cursor)
		if err != nil {
			return nil, err
		}
		if len(out) < 3 || len(out)%2 == 0 {
			return nil, fmt.Errorf("%s: %w", op, corrupt("script reply"))
		}
		page, err := s.readPage(userID, out[2], out[3:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		all = append(all, page...)
		if cursor = out[1]; cursor == firstPage {
			break
		}
	}
	slices.SortFunc(all, newestFirst)
	return slices.CompactFunc(all, func(a, b Session) bool { return a.TokenHash == b.TokenHash }), nil
}

func newestFirst(a, b Session) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	if c := strings.Compare(a.TokenHash, b.TokenHash); c != 0 {
		return c
	}
	return b.UpdatedAt.Compare(a.UpdatedAt) // It was read twice: the later one counts.
}

// readPage returns the live sessions among members and records, which come in
// turn.
func (s *Sessions) readPage(userID, user string, page []string) ([]Session, error) {
	if user == "" {
		return nil, nil
	}
	u, err := decodeUser(user)
	if err != nil || u.user.ID != userID {
		return nil, err
	}
	now := time.Now()
	var sessions []Session
	for pair := range slices.Chunk(page, 2) {
		session, err := s.codec.decode(pair[1])
		if err != nil {
			return nil, err
		}
		var ok bool
		if session.TokenHash, ok = memberToHash(pair[0]); !ok {
			return nil, corrupt("session record")
		}
		session.UserID = userID
		if live(session, u, now) {
			sessions = append(sessions, session)
		}
	}
	return sessions, nil
}

// CleanupExpired drops sessions that have expired while others of their user
// live on, and returns how many there were. Writes of the user drop them too,
// and all of them go with the last: it is never needed for correctness. It walks
// the whole keyspace.
func (s *Sessions) CleanupExpired(ctx context.Context) (int64, error) {
	return s.expireAll(ctx, "clean up expired sessions", s.keys.isSessions)
}

// expireAll drops what has expired from all hashes of a kind.
func (e *engine) expireAll(ctx context.Context, op string, kind func(key string) bool) (int64, error) {
	var total int64
	err := e.scan(ctx, op, func(keys []string) error {
		for _, key := range keys {
			if !kind(key) {
				continue
			}
			n, err := e.expire(ctx, op, key)
			total += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return total, err
}

// expire drops what has expired of one user.
func (e *engine) expire(ctx context.Context, op, key string) (int64, error) {
	var total int64
	for cursor := firstPage; ; {
		out, err := e.eval(ctx, op, scriptExpire, []string{key}, pageSizeText, cursor)
		if err != nil {
			return total, err
		}
		if len(out) != 3 {
			return total, fmt.Errorf("%s: %w", op, corrupt("script reply"))
		}
		n, err := strconv.ParseInt(out[2], 10, 64)
		if err != nil {
			return total, fmt.Errorf("%s: %w", op, corrupt("script reply"))
		}
		total += n
		if cursor = out[1]; cursor == firstPage {
			return total, nil
		}
	}
}
