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
// hashes and without tokens. It also clears the index of entries whose session
// is gone.
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
	return strings.Compare(a.TokenHash, b.TokenHash)
}

// pages walks the index of a user.
func (s *Sessions) pages(ctx context.Context, op, tag string, visit func(members []string) error) error {
	score, last := "", ""
	for {
		out, err := s.eval(ctx, op, s.scripts.indexPage, []string{s.keys.index(tag)}, pageSizeText, score, last)
		if err != nil {
			return err
		}
		var members []string
		for i := 1; i+1 < len(out); i += 2 {
			members = append(members, out[i])
			last, score = out[i], out[i+1]
		}
		if len(members) == 0 {
			return nil
		}
		if err := visit(members); err != nil || len(members) < pageSize {
			return err
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

// CleanupExpired drops expired sessions from the indexes of all users and
// returns how many there were; the sessions themselves expire by themselves.
// It is never needed for correctness. It walks the whole keyspace.
func (s *Sessions) CleanupExpired(ctx context.Context) (int64, error) {
	const op = "clean up expired sessions"
	var total int64
	err := s.scan(ctx, op, func(keys []string) error {
		for _, key := range keys {
			if !s.keys.isIndex(key) {
				continue
			}
			n, err := s.expire(ctx, op, key)
			total += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return total, err
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

// sweep removes sessions that are dead already, page by page of the index that
// was set aside. Its failure is harmless, because nobody accepts the sessions
// and all of the keys expire, and so is not reported.
func (e *engine) sweep(ctx context.Context, tag, garbage string, page []string) {
	const op = "sweep sessions"
	for len(page) > 0 {
		keys := make([]string, len(page))
		for i, member := range page {
			keys[i] = e.keys.session(tag, member)
		}
		if _, err := e.driver.Unlink(ctx, keys...); err != nil || len(page) < pageSize {
			return
		}
		out, err := e.eval(ctx, op, e.scripts.garbageTake, []string{garbage}, pageSizeText)
		if err != nil {
			return
		}
		page = out[1:]
	}
}
