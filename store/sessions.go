package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Sessions is the repository of sessions. It is safe for concurrent use.
// RedisStorage holds one.
//
// Whether a session that was read has expired is judged by this machine's
// clock; everything that is written is judged by the server's.
type Sessions struct{ *engine }

// Create stores a session. It returns ErrNotFound when the user is not there,
// ErrConflict when the token is in use, and ErrInvalid when the token was not
// made for the user, a text is too long, or the session is to live longer than
// MaxSessionLifetime. A session that ends in the past is accepted and not
// stored. CreatedAt and ExpiresAt are cut to the millisecond.
func (s *Sessions) Create(ctx context.Context, n NewSession) (Session, error) {
	const op = "create session"
	now := time.Now()
	session := complete(n, now)
	if err := checkSession(session, now); err != nil {
		return Session{}, fmt.Errorf("%s: %w", op, err)
	}
	session.CreatedAt, session.ExpiresAt = truncate(session.CreatedAt), truncate(session.ExpiresAt)
	session.UpdatedAt = session.CreatedAt
	member := sessionMember(session.Token)
	out, err := s.eval(ctx, op, s.scripts.sessionCreate, s.three(userTag(session.UserID), member),
		userCheck(session.UserID), member, millis(session.ExpiresAt), millis(session.UpdatedAt), encodeSessionJSON(session))
	if err != nil {
		return Session{}, err
	}
	if err := out.err(op, subjectOf(out[0])); err != nil {
		return Session{}, err
	}
	return session, nil
}

// subjectOf says what a failed creation is about.
func subjectOf(word string) string {
	if word == replyTaken {
		return "token"
	}
	return "user"
}

// complete fills in what a caller left out.
func complete(n NewSession, now time.Time) Session {
	session := Session{
		Token:     n.Token,
		UserID:    n.UserID,
		UserAgent: n.UserAgent,
		IPAddress: n.IPAddress,
		CreatedAt: n.CreatedAt,
		ExpiresAt: n.ExpiresAt,
	}
	if session.Token == "" {
		session.Token = NewToken(n.UserID)
	}
	if session.CreatedAt.IsZero() {
		session.CreatedAt = now
	}
	if session.ExpiresAt.IsZero() {
		session.ExpiresAt = now.Add(DefaultSessionLifetime)
	}
	session.TokenHash = session.Token.Hash()
	return session
}

// Find returns the live session of the token, or false. A token that is
// unknown, expired, revoked or not one at all is simply absent.
func (s *Sessions) Find(ctx context.Context, t Token) (Session, bool, error) {
	found, ok, err := s.lookup(ctx, "find session", t)
	return found.Session, ok, err
}

// Authenticate returns the live session of the token and its user, or false.
// It costs as much as Find.
func (s *Sessions) Authenticate(ctx context.Context, t Token) (Identity, bool, error) {
	return s.lookup(ctx, "authenticate", t)
}

// lookup reads session and user in one round trip and compares them.
func (s *Sessions) lookup(ctx context.Context, op string, t Token) (Identity, bool, error) {
	tag, ok := t.tag()
	if !ok {
		return Identity{}, false, nil
	}
	digest := t.digest()
	values, err := s.get(ctx, op, s.keys.session(tag, memberOf(digest)), s.keys.user(tag))
	if err != nil || values[0] == "" || values[1] == "" {
		return Identity{}, false, err
	}
	session, err1 := decodeSession(values[0])
	user, err2 := decodeUser(values[1])
	if err := errors.Join(err1, err2); err != nil {
		return Identity{}, false, fmt.Errorf("%s: %w", op, err)
	}
	if !live(session, user, time.Now()) {
		return Identity{}, false, nil
	}
	session.session.Token, session.session.TokenHash = t, hashOf(digest)
	return Identity{Session: session.session, User: user.user}, true, nil
}

// live is the rule by which a stored session counts. The field is compared
// although the key expires too: a restored snapshot or a replica may still
// serve what has expired.
func live(s sessionRecord, u userRecord, now time.Time) bool {
	return u.state == stateActive && s.session.UserID == u.user.ID && s.epoch == u.epoch &&
		now.UnixMilli() <= s.session.ExpiresAt.UnixMilli()
}

// Refresh makes a live session end d from now, sooner or later than before. It
// returns ErrNotFound when the session is unknown, expired or revoked, none of
// which it revives, and ErrInvalid when d is not between a millisecond and
// MaxSessionLifetime.
func (s *Sessions) Refresh(ctx context.Context, t Token, d time.Duration) (Session, error) {
	const op = "refresh session"
	if d < time.Millisecond || d > MaxSessionLifetime {
		return Session{}, fmt.Errorf("%s: %w", op, invalid("lifetime %s is not between 1ms and %s", d, MaxSessionLifetime))
	}
	tag, ok := t.tag()
	if !ok {
		return Session{}, reply{replyAbsent}.err(op, "session")
	}
	member := sessionMember(t)
	out, err := s.eval(ctx, op, s.scripts.sessionRefresh, s.three(tag, member), member, strconv.FormatInt(d.Milliseconds(), 10))
	if err != nil {
		return Session{}, err
	}
	if err := out.err(op, "session"); err != nil {
		return Session{}, err
	}
	r, err := decodeSession(out.value())
	if err != nil {
		return Session{}, fmt.Errorf("%s: %w", op, err)
	}
	r.session.Token, r.session.TokenHash = t, t.Hash()
	return r.session, nil
}

// Delete ends a session. One that is not there is no error.
func (s *Sessions) Delete(ctx context.Context, t Token) error {
	tag, ok := t.tag()
	if !ok {
		return nil
	}
	member := sessionMember(t)
	_, err := s.eval(ctx, "delete session", s.scripts.sessionDelete,
		[]string{s.keys.index(tag), s.keys.session(tag, member)}, member)
	return err
}

// DeleteAllOfUser ends every session of the user whose creation had begun to
// take effect before, whatever their number, in one atomic step; the memory is
// freed after it, for three seconds at most even when ctx ends. A user who is
// not there is no error.
func (s *Sessions) DeleteAllOfUser(ctx context.Context, userID string) error {
	const op = "delete all sessions of user"
	tag := userTag(userID)
	garbage := s.keys.garbage(tag)
	out, err := s.eval(ctx, op, s.scripts.userRevoke,
		[]string{s.keys.user(tag), s.keys.index(tag), garbage}, userCheck(userID), pageSizeText)
	if err != nil || out[0] == replyAbsent {
		return err
	}
	if err := out.err(op, "user"); err != nil {
		return err
	}
	if page := out[1:]; len(page) > 0 {
		ctx, cancel := aftermath(ctx)
		defer cancel()
		_, _ = s.sweep(ctx, tag, garbage, page) // CleanupExpired takes up what is left.
	}
	return nil
}

// three are the keys of a script that concerns a session and its user.
func (s *Sessions) three(tag, member string) []string {
	return []string{s.keys.user(tag), s.keys.index(tag), s.keys.session(tag, member)}
}
