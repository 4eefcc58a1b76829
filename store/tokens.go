package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Tokens is the repository of secure tokens: what is sent by mail to log in, to
// set a new password or to verify an address, and is used once. It is safe for
// concurrent use. RedisStorage holds one.
//
// When a token ends is judged by the server's clock, by Check alone by this
// machine's.
type Tokens struct{ *engine }

// TokenPurpose is what a secure token may be used for.
type TokenPurpose string

// The purposes of secure tokens, as they are stored.
const (
	PurposeMagicLink         TokenPurpose = "magic_link"
	PurposePasswordReset     TokenPurpose = "password_reset"
	PurposeEmailVerification TokenPurpose = "email_verification"
)

// Lifetime is how long a token of the purpose lives that names no end, or 0 for
// an unknown purpose.
func (p TokenPurpose) Lifetime() time.Duration {
	switch p {
	case PurposeMagicLink, PurposePasswordReset:
		return 15 * time.Minute
	case PurposeEmailVerification:
		return 24 * time.Hour
	default:
		return 0
	}
}

// The bounds of secure tokens. MaxTokens is how many a user may have at once
// that have not ended, those included that were used.
const (
	MaxTokenLifetime = 30 * 24 * time.Hour
	MaxTokens        = 1000
)

// Create makes a token for the user that lives for d, or for the purpose's
// Lifetime when d is 0, and until the user's email changes. It is to be mailed to
// SecureToken.Email and nowhere else. Earlier ones stay valid. It returns ErrNotFound when the
// user is not there, ErrTooMany beyond MaxTokens, and ErrInvalid when the
// purpose is unknown or d is not between a millisecond and MaxTokenLifetime.
func (k *Tokens) Create(ctx context.Context, userID string, purpose TokenPurpose, d time.Duration) (SecureToken, error) {
	const op = "create secure token"
	d = or(d, purpose.Lifetime())
	err := first(checkPurpose(purpose), checkRequired("user id", userID))
	if err == nil && (d < time.Millisecond || d > MaxTokenLifetime) {
		err = invalid("lifetime %s is not between 1ms and %s", d, MaxTokenLifetime)
	}
	if err != nil {
		return SecureToken{}, fmt.Errorf("%s: %w", op, err)
	}
	token := NewToken(userID)
	out, err := k.eval(ctx, op, scriptTokenCreate, k.both(userTag(userID)), userCheck(userID), sessionMember(token),
		strconv.FormatInt(d.Milliseconds(), 10), string(purpose), strconv.Itoa(MaxTokens))
	if err != nil {
		return SecureToken{}, err
	}
	if err := out.err(op, "user"); err != nil {
		return SecureToken{}, err
	}
	created, err := mailedToken(op, out)
	if err != nil {
		return SecureToken{}, err
	}
	created.Token, created.TokenHash = token, token.Hash()
	return created, nil
}

// Verify uses a token up and returns it, or false when it cannot be used for the
// purpose: it is unknown, expired, used, for another purpose, or for an email that
// its user has given up since, of which none uses it up. Of many calls at once exactly one gets it. After an
// ErrUnavailable the token may have been used up.
func (k *Tokens) Verify(ctx context.Context, t Token, purpose TokenPurpose) (SecureToken, bool, error) {
	const op = "verify secure token"
	if err := checkPurpose(purpose); err != nil {
		return SecureToken{}, false, fmt.Errorf("%s: %w", op, err)
	}
	tag, ok := t.tag()
	if !ok {
		return SecureToken{}, false, nil
	}
	out, err := k.eval(ctx, op, scriptTokenVerify, k.both(tag), sessionMember(t), string(purpose))
	if err != nil || out[0] == replyAbsent {
		return SecureToken{}, false, err
	}
	if err := out.err(op, "secure token"); err != nil {
		return SecureToken{}, false, err
	}
	used, err := mailedToken(op, out)
	if err != nil {
		return SecureToken{}, false, err
	}
	used.TokenHash = t.Hash()
	return used, true, nil
}

// mailedToken reads a script's reply of a token and its user.
func mailedToken(op string, out reply) (SecureToken, error) {
	if len(out) != 3 {
		return SecureToken{}, fmt.Errorf("%s: %w", op, corrupt("script reply"))
	}
	token, err1 := decodeToken(out[1])
	user, err2 := decodeUser(out[2])
	if err := errors.Join(err1, err2); err != nil {
		return SecureToken{}, fmt.Errorf("%s: %w", op, err)
	}
	token.UserID, token.Email = user.user.ID, user.user.Email
	return token.SecureToken, nil
}

// Check says whether Verify would accept the token, and uses up nothing.
func (k *Tokens) Check(ctx context.Context, t Token, purpose TokenPurpose) (bool, error) {
	const op = "check secure token"
	if err := checkPurpose(purpose); err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	tag, ok := t.tag()
	if !ok {
		return false, nil
	}
	text, record, err := k.lookup(ctx, op, k.keys.user(tag), k.keys.tokens(tag), sessionMember(t))
	if err != nil || text == "" || record == "" {
		return false, err
	}
	token, err1 := decodeToken(record)
	user, err2 := decodeUser(text)
	if err := errors.Join(err1, err2); err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	return user.state == stateActive && user.nonce == token.nonce &&
		token.Purpose == purpose && token.UsedAt == nil && time.Now().Before(token.ExpiresAt), nil
}

// CleanupExpired drops expired tokens, and returns how many there were. It is
// never needed for correctness, and walks the whole keyspace.
func (k *Tokens) CleanupExpired(ctx context.Context) (int64, error) {
	return k.expireAll(ctx, "clean up expired secure tokens", k.keys.isTokens)
}

func (k *Tokens) both(tag string) []string {
	return []string{k.keys.user(tag), k.keys.tokens(tag)}
}

func checkPurpose(p TokenPurpose) error {
	if p.Lifetime() == 0 {
		return invalid("purpose of a secure token is none of %s, %s, %s", PurposeMagicLink, PurposePasswordReset, PurposeEmailVerification)
	}
	return nil
}

// tokenRecord is a stored secure token, with the nonce that its user had.
type tokenRecord struct {
	SecureToken

	nonce string
}

// decodeToken reads the record of a token, as token_create.lua writes it. A
// purpose that this version does not know is a corrupt record.
func decodeToken(raw string) (tokenRecord, error) {
	f := fields{rest: raw}
	f.expect(recordFormat)
	t := tokenRecord{SecureToken: SecureToken{ExpiresAt: f.time(), CreatedAt: f.time(), UsedAt: f.optionalTime()}}
	t.Purpose = TokenPurpose(f.word())
	t.nonce = f.word()
	if !f.done() || t.Purpose.Lifetime() == 0 {
		return tokenRecord{}, corrupt("secure token record")
	}
	t.UpdatedAt = t.CreatedAt
	if t.UsedAt != nil {
		t.UpdatedAt = *t.UsedAt
	}
	return t, nil
}
