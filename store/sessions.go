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
//
// Beyond Config.MaxSessions of a user, another session ends at once and makes
// room: who has so many can still log in.
func (s *Sessions) Create(ctx context.Context, n NewSession) (Session, error) {
	const op = "create session"
	now := time.Now()
	session := complete(n, now)
	if err := checkSession(session, now); err != nil {
		return Session{}, fmt.Errorf("%s: %w", op, err)
	}
	session.CreatedAt, session.ExpiresAt = truncate(session.CreatedAt), truncate(session.ExpiresAt)
	session.UpdatedAt = session.CreatedAt
	out, err := s.eval(ctx, op, scriptSessionCreate, s.both(userTag(session.UserID)),
		userCheck(session.UserID), sessionMember(session.Token), millis(session.ExpiresAt), s.codec.encode(session),
		strconv.Itoa(s.config.MaxSessions))
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

// lookup reads the user and then the session, in one round trip. The session is
// there after the user was, and goes with the user: a session is never found of
// one who was deleted before the call. Who asks for a token before its session is
// created may get the new session with the user of a moment before.
func (s *Sessions) lookup(ctx context.Context, op string, t Token) (Identity, bool, error) {
	tag, ok := t.tag()
	if !ok {
		return Identity{}, false, nil
	}
	digest := t.digest()
	text, record, err := s.engine.lookup(ctx, op, s.keys.user(tag), s.keys.sessions(tag), memberOf(digest))
	if err != nil || text == "" || record == "" {
		return Identity{}, false, err
	}
	session, err1 := s.codec.decode(record)
	user, err2 := decodeUser(text)
	if err := errors.Join(err1, err2); err != nil {
		return Identity{}, false, fmt.Errorf("%s: %w", op, err)
	}
	if !live(session, user, time.Now()) {
		return Identity{}, false, nil
	}
	session.Token, session.TokenHash, session.UserID = t, hashOf(digest), user.user.ID
	return Identity{Session: session, User: user.user}, true, nil
}

// live is the rule by which a stored session counts. The record's end is what
// decides; the server only forgets it some time after.
func live(s Session, u userRecord, now time.Time) bool {
	return u.state == stateActive && now.UnixMilli() <= s.ExpiresAt.UnixMilli()
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
	out, err := s.eval(ctx, op, scriptSessionRefresh, s.both(tag), sessionMember(t), strconv.FormatInt(d.Milliseconds(), 10))
	if err != nil {
		return Session{}, err
	}
	if err := out.err(op, "session"); err != nil {
		return Session{}, err
	}
	if len(out) != 3 {
		return Session{}, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	session, err1 := s.codec.decode(out[1])
	user, err2 := decodeUser(out[2])
	if err := errors.Join(err1, err2); err != nil {
		return Session{}, fmt.Errorf("%s: %w", op, err)
	}
	session.Token, session.TokenHash, session.UserID = t, t.Hash(), user.user.ID
	return session, nil
}

// Delete ends a session. One that is not there is no error.
func (s *Sessions) Delete(ctx context.Context, t Token) error {
	tag, ok := t.tag()
	if !ok {
		return nil
	}
	_, err := s.eval(ctx, "delete session", scriptSessionDelete, []string{s.keys.sessions(tag)}, sessionMember(t))
	return err
}

// DeleteAllOfUser ends every session of the user whose creation had begun to
// take effect before, whatever their number, in one atomic step. A user who is
// not there is no error.
func (s *Sessions) DeleteAllOfUser(ctx context.Context, userID string) error {
	const op = "delete all sessions of user"
	out, err := s.eval(ctx, op, scriptUserRevoke, s.both(userTag(userID)), userCheck(userID))
	if err != nil || out[0] == replyAbsent {
		return err
	}
	return out.err(op, "user")
}

// both are the keys of a script that concerns a user's sessions.
func (s *Sessions) both(tag string) []string {
	return []string{s.keys.user(tag), s.keys.sessions(tag)}
}
