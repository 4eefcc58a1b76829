package store

import (
	"context"
	"fmt"
	"time"
)

// OAuth is the repository of accounts at providers of identities, and of the
// PKCE verifiers of log-ins under way. It is safe for concurrent use.
// RedisStorage holds one.
type OAuth struct{ *engine }

func (o *OAuth) links() links[OAuthAccount] {
	return links[OAuthAccount]{
		engine: o.engine, what: "account", own: layout.accounts, other: layout.passkeys, claim: layout.account,
		most: MaxOAuthAccounts, decode: decodeAccount, foreign: ErrAccountLinked,
	}
}

func (a OAuthAccount) linkID() linkID     { return accountID(a.Provider, a.Subject) }
func (a OAuthAccount) owner() string      { return a.UserID }
func (a OAuthAccount) created() time.Time { return a.CreatedAt }

// Create links an account to a user. It returns ErrConflict when the user has it
// already, ErrAccountLinked, which is an ErrConflict, when another user has it,
// ErrNotFound when the user is not there, ErrTooMany when the user has
// MaxOAuthAccounts, and ErrInvalid for what cannot be stored.
func (o *OAuth) Create(ctx context.Context, n NewOAuthAccount) (OAuthAccount, error) {
	const op = "create account"
	created, had, err := o.add(ctx, op, n)
	if err == nil && had {
		return OAuthAccount{}, reply{replyTaken}.err(op, "account")
	}
	return created, err
}

// Link is Create for callers who want the link, whoever has made it: if the user
// has the account already, it is returned as it is. It never takes an account
// from another user.
func (o *OAuth) Link(ctx context.Context, n NewOAuthAccount) (OAuthAccount, error) {
	linked, _, err := o.add(ctx, "link account", n)
	return linked, err
}

func (o *OAuth) add(ctx context.Context, op string, n NewOAuthAccount) (OAuthAccount, bool, error) {
	if err := checkAccount(n); err != nil {
		return OAuthAccount{}, false, fmt.Errorf("%s: %w", op, err)
	}
	a := OAuthAccount{UserID: n.UserID, Provider: n.Provider, Subject: n.Subject}
	return o.links().add(ctx, op, a, textTag(a.Provider), encodeAccountJSON(a))
}

// FindUser returns the user who has the account, or false.
func (o *OAuth) FindUser(ctx context.Context, provider, subject string) (User, bool, error) {
	found, ok, err := o.links().find(ctx, "find user by account", accountID(provider, subject))
	return found.user, ok, err
}

// FindAccount returns the account, or false when no user has it.
func (o *OAuth) FindAccount(ctx context.Context, provider, subject string) (OAuthAccount, bool, error) {
	found, ok, err := o.links().find(ctx, "find account", accountID(provider, subject))
	return found.link, ok, err
}

// List returns the user's accounts, the newest CreatedAt first. A user who is
// not there has none.
func (o *OAuth) List(ctx context.Context, userID string) ([]OAuthAccount, error) {
	return o.links().list(ctx, "list accounts", userID)
}

// Unlink removes all accounts of the user at the provider, in one atomic step.
// None is no error. A link that is being made at the same time may be undone;
// its caller is told so.
func (o *OAuth) Unlink(ctx context.Context, userID, provider string) error {
	return o.links().remove(ctx, "unlink accounts", removal{userID: userID, group: textTag(provider)})
}

// UnlinkUnlessLast is Unlink, but returns ErrLastMethod, and removes nothing, if
// the user would be left without a password, a passkey, and an account at another
// provider. Of any number of such removals at once, Passkeys.DeleteUnlessLast
// included, one way to log in remains.
func (o *OAuth) UnlinkUnlessLast(ctx context.Context, userID, provider string) error {
	return o.links().remove(ctx, "unlink accounts", removal{userID: userID, group: textTag(provider), guarded: true})
}

// StorePKCE keeps the verifier of a log-in under the state that will come back
// from the provider, for d, which is 1 ms to MaxHandshakeLifetime; another one
// under that state is replaced, and its end too. Only a hash of the state is
// stored. The verifier is stored as it is, since it must be given back: who can
// read the server can read it, for d at most, and can do nothing with it without
// the provider's code.
func (o *OAuth) StorePKCE(ctx context.Context, state, verifier string, d time.Duration) error {
	const op = "store PKCE verifier"
	if err := checkRequired("state", state); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return o.storeNote(ctx, op, o.keys.pkce(state), verifier, d)
}

// PKCE returns the verifier of a state, or false when there is none or it has
// expired, and leaves it. Use ConsumePKCE to log somebody in.
func (o *OAuth) PKCE(ctx context.Context, state string) (string, bool, error) {
	return o.note(ctx, "get PKCE verifier", o.keys.pkce(state))
}

// ConsumePKCE returns the verifier of a state and removes it, in one atomic
// step: of any number of callers at once, one gets it, and the others false.
// After an ErrUnavailable it may be gone; the log-in must then begin again.
func (o *OAuth) ConsumePKCE(ctx context.Context, state string) (string, bool, error) {
	return o.takeNote(ctx, "consume PKCE verifier", o.keys.pkce(state))
}

// DeletePKCE removes the verifier of a state. None is no error.
func (o *OAuth) DeletePKCE(ctx context.Context, state string) error {
	return o.deleteNote(ctx, "delete PKCE verifier", o.keys.pkce(state))
}
