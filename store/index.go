package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How many members of an index one script hands out, and one command reads.
const (
	pageSize     = 500
	pageSizeText = "500"
)

// List returns the user's live sessions, the newest CreatedAt first, with
// hashes and without tokens. A session that lives all the time is listed,
// however it is refreshed meanwhile, unless a failover comes between; one that
// begins or ends meanwhile may be or not. List also clears the index of entries
// whose session is gone.
func (s *Sessions) List(ctx context.Context, userID string) ([]Session, error) {
	const op = "list sessions"
	tag := userTag(userID)
	var all []Session
	err := s.pages(ctx, op, tag, func(members []string) error {
		page, err := s.readPage(ctx, op, userID, members)
		all = append(all, page...)
		return err
	})
	if err != nil {
		return nil, err
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

// pages walks the index of a user.
func (s *Sessions) pages(ctx context.Context, op, tag string, visit func(members []string) error) error {
	const begin = "0"
	cursor := begin
	for {
		out, err := s.eval(ctx, op, s.scripts.indexPage, []string{s.keys.index(tag)}, pageSizeText, cursor)
		if err != nil {
			return err
		}
		if len(out) > 2 {
			if err := visit(out[2:]); err != nil {
				return err
			}
		}
		if cursor = out.value(); cursor == begin || cursor == "" {
			return nil
		}
	}
}

// readPage reads the sessions of a page of the index, beside their user.
func (s *Sessions) readPage(ctx context.Context, op, userID string, members []string) ([]Session, error) {
	tag := userTag(userID)
	keys := []string{s.keys.user(tag)}
	for _, member := range members {
		keys = append(keys, s.keys.session(tag, member))
	}
	values, err := s.get(ctx, op, keys...)
	if err != nil || values[0] == "" {
		return nil, err
	}
	user, err := decodeUser(values[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if user.user.ID != userID {
		return nil, nil
	}
	sessions, dangling, err := pick(user, members, values[1:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return sessions, s.prune(ctx, op, tag, dangling)
}

// pick returns the live sessions, and the members that have none.
func pick(user userRecord, members, values []string) (sessions []Session, dangling []string, err error) {
	now := time.Now()
	for i, value := range values {
		if value == "" {
			dangling = append(dangling, members[i])
			continue
		}
		r, err := decodeSession(value)
		if err != nil {
			return nil, nil, err
		}
		hash, ok := memberToHash(members[i])
		if !ok {
			return nil, nil, corrupt("session index")
		}
		r.session.TokenHash = hash
		if live(r, user, now) {
			sessions = append(sessions, r.session)
		}
	}
	return sessions, dangling, nil
}

// prune drops members whose session is gone; the script looks again.
func (s *Sessions) prune(ctx context.Context, op, tag string, members []string) error {
	if len(members) == 0 {
		return nil
	}
	keys := []string{s.keys.index(tag)}
	for _, member := range members {
		keys = append(keys, s.keys.session(tag, member))
	}
	_, err := s.eval(ctx, op, s.scripts.indexPrune, keys, members...)
	return err
}

// CleanupExpired drops expired sessions from the indexes of all users, and the
// dead ones that an interrupted log-out or deletion has left, and returns how
// many there were. All of them expire by themselves too; it is never needed for
// correctness. It walks the whole keyspace.
func (s *Sessions) CleanupExpired(ctx context.Context) (int64, error) {
	const op = "clean up expired sessions"
	var total int64
	err := s.scan(ctx, op, func(keys []string) error {
		for _, key := range keys {
			n, err := s.cleanup(ctx, op, key)
			total += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return total, err
}

// cleanup does what CleanupExpired does about one key.
func (s *Sessions) cleanup(ctx context.Context, op, key string) (int64, error) {
	switch {
	case s.keys.isIndex(key):
		return s.expire(ctx, op, key)
	case s.keys.isGarbage(key):
		return s.sweep(ctx, s.keys.hashTag(key), key, nil)
	default:
		return 0, nil
	}
}

// expire drops the expired members of one index.
func (s *Sessions) expire(ctx context.Context, op, index string) (int64, error) {
	var total int64
	for {
		out, err := s.eval(ctx, op, s.scripts.indexExpire, []string{index}, pageSizeText)
		if err != nil {
			return total, err
		}
		n, err := strconv.ParseInt(out.value(), 10, 64)
		if err != nil {
			return total, fmt.Errorf("%s: %w", op, corrupt("script reply"))
		}
		total += n
		if n < pageSize {
			return total, nil
		}
	}
}

// sweepTimeout bounds what is done after a log-out or a deletion has taken
// effect.
const sweepTimeout = 3 * time.Second

// aftermath is the context of what only frees memory: it goes on when the
// caller gives up, because nobody would take it up soon, but not for long.
func aftermath(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), sweepTimeout)
}

// sweep removes sessions that are dead already, page by page of the index that
// was set aside, and returns how many. Nobody accepts the sessions and all of
// the keys expire, so a failure may be ignored.
func (e *engine) sweep(ctx context.Context, tag, garbage string, page []string) (int64, error) {
	var total int64
	for first := true; first || len(page) > 0; first = false {
		keys := []string{garbage, e.keys.user(tag)}
		for _, member := range page {
			keys = append(keys, e.keys.session(tag, member))
		}
		out, err := e.eval(ctx, "sweep sessions", e.scripts.garbageSweep, keys, append([]string{pageSizeText}, page...)...)
		if err != nil {
			return total, err
		}
		total += int64(len(page))
		page = out[1:]
	}
	return total, nil
}
