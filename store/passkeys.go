package store

import (
	"context"
	"fmt"
	"time"
)

// Passkeys is the repository of passkeys, and of the challenges of log-ins under
// way. It is safe for concurrent use. RedisStorage holds one.
type Passkeys struct{ *engine }

func (p *Passkeys) links() links[Passkey] {
	return links[Passkey]{
		engine: p.engine, what: "passkey", own: layout.passkeys, other: layout.accounts, claim: layout.credential,
		most: MaxPasskeys, decode: decodePasskey, foreign: errCredentialTaken,
	}
}

var errCredentialTaken = fmt.Errorf("credential is taken: %w", ErrConflict)

func (p Passkey) linkID() linkID     { return credentialID(p.CredentialID) }
func (p Passkey) owner() string      { return p.UserID }
func (p Passkey) created() time.Time { return p.CreatedAt }

// Add stores a passkey that has not been used. It returns ErrConflict when
// somebody, the user included, has the credential already, ErrNotFound when the
// user is not there, ErrTooMany when the user has MaxPasskeys, and ErrInvalid for
// what cannot be stored.
func (p *Passkeys) Add(ctx context.Context, n NewPasskey) (Passkey, error) {
	const op = "add passkey"
	if err := checkPasskey(n); err != nil {
		return Passkey{}, fmt.Errorf("%s: %w", op, err)
	}
	passkey := Passkey{UserID: n.UserID, CredentialID: n.CredentialID, PublicKey: n.PublicKey, Name: n.Name}
	// All of a user's passkeys are of one group.
	added, had, err := p.links().add(ctx, op, passkey, none, encodePasskeyJSON(passkey))
	if err == nil && had {
		return Passkey{}, fmt.Errorf("%s: %w", op, errCredentialTaken)
	}
	return added, err
}

// Find returns the passkey of a credential, or false.
func (p *Passkeys) Find(ctx context.Context, credential []byte) (Passkey, bool, error) {
	found, ok, err := p.links().find(ctx, "find passkey", credentialID(credential))
	return found.link, ok, err
}

// Authenticate returns the passkey of a credential and its user, and notes that
// it was used now; false when nobody has it. It does not check a signature: that
// is for the caller to do before, with what Find gives.
func (p *Passkeys) Authenticate(ctx context.Context, credential []byte) (PasskeyIdentity, bool, error) {
	found, ok, err := p.links().touch(ctx, "authenticate by passkey", credentialID(credential))
	return PasskeyIdentity{Passkey: found.link, User: found.user}, ok, err
}

// Touch notes that a passkey was used now. An unknown credential is no error.
func (p *Passkeys) Touch(ctx context.Context, credential []byte) error {
	_, _, err := p.links().touch(ctx, "touch passkey", credentialID(credential))
	return err
}

// List returns the user's passkeys, the newest CreatedAt first. A user who is not
// there has none.
func (p *Passkeys) List(ctx context.Context, userID string) ([]Passkey, error) {
	return p.links().list(ctx, "list passkeys", userID)
}

// Delete removes the passkey of a credential, whoever has it. An unknown one is
// no error.
func (p *Passkeys) Delete(ctx context.Context, credential []byte) error {
	return p.links().removeOne(ctx, "delete passkey", credentialID(credential), false)
}

// DeleteUnlessLast is Delete, but returns ErrLastMethod, and removes nothing, if
// the user would be left without a password, an account at a provider, and
// another passkey. Of any number of such removals at once, OAuth.UnlinkUnlessLast
// included, one way to log in remains.
func (p *Passkeys) DeleteUnlessLast(ctx context.Context, credential []byte) error {
	return p.links().removeOne(ctx, "delete passkey", credentialID(credential), true)
}

// DeleteAll removes all passkeys of the user, in one atomic step. None is no
// error. One that is being added at the same time may be removed too; its caller
// is told so.
func (p *Passkeys) DeleteAll(ctx context.Context, userID string) error {
	return p.links().remove(ctx, "delete all passkeys", removal{userID: userID})
}

// DeleteAllUnlessLast is DeleteAll, but returns ErrLastMethod, and removes
// nothing, if the user would be left without a password and an account at a
// provider.
func (p *Passkeys) DeleteAllUnlessLast(ctx context.Context, userID string) error {
	return p.links().remove(ctx, "delete all passkeys", removal{userID: userID, guarded: true})
}

// SetChallenge keeps the text of a challenge under its id for d, which is 1 ms to
// MaxHandshakeLifetime; another one under that id is replaced, and its end too.
// Only a hash of the id is stored. The text is stored as it is, since it must be
// given back, and is no secret: the browser has it.
func (p *Passkeys) SetChallenge(ctx context.Context, id, text string, d time.Duration) error {
	const op = "set challenge"
	if err := checkRequired("challenge id", id); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return p.storeNote(ctx, op, p.keys.challenge(id), text, d)
}

// Challenge returns the text of a challenge, or false when there is none or it
// has expired, and leaves it. Use ConsumeChallenge to verify what a browser has
// signed: a challenge is good for once.
func (p *Passkeys) Challenge(ctx context.Context, id string) (string, bool, error) {
	return p.note(ctx, "get challenge", p.keys.challenge(id))
}

// ConsumeChallenge returns the text of a challenge and removes it, in one atomic
// step: of any number of callers at once, one gets it, and the others false.
// After an ErrUnavailable it may be gone; the log-in must then begin again.
func (p *Passkeys) ConsumeChallenge(ctx context.Context, id string) (string, bool, error) {
	return p.takeNote(ctx, "consume challenge", p.keys.challenge(id))
}
