package cast

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/toriibench/toriibench/store"
)

// Names are the accounts and the credentials of the cast. An account is named by
// its provider and its subject, like "a/1", and a passkey by its credential. User 1
// has a/1, b/1 and c1, and user 2 has a/2 and c2; a/3 and c3 are nobody's.
func Names() (accounts, credentials []string) {
	return []string{"a/1", "b/1", "a/2", "a/3"}, []string{"c1", "c2", "c3"}
}

// NewAccount describes the account of that name for a user.
func NewAccount(id, name string) store.NewOAuthAccount {
	provider, subject, _ := strings.Cut(name, "/")
	return store.NewOAuthAccount{UserID: id, Provider: provider, Subject: subject}
}

// NewPasskey describes a passkey of a user.
func NewPasskey(id, credential string) store.NewPasskey {
	return store.NewPasskey{UserID: id, CredentialID: []byte(credential), PublicKey: []byte("key")}
}

// PopulateLinks creates the cast.
func PopulateLinks(t *testing.T, s *store.RedisStorage) store.Token {
	t.Helper()
	token := Populate(t, s)
	for name, id := range map[string]string{"a/1": User1, "b/1": User1, "a/2": User2} {
		_, err := s.OAuth.Create(t.Context(), NewAccount(id, name))
		check(t, err)
	}
	for credential, id := range map[string]string{"c1": User1, "c2": User2} {
		_, err := s.Passkeys.Add(t.Context(), NewPasskey(id, credential))
		check(t, err)
	}
	return token
}

// Link links an account to a user.
func Link(id, name string) Operation {
	return Operation{"link " + name + " to user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.OAuth.Link(ctx, NewAccount(id, name))
		return err
	}}
}

// CreateAccount is Link that insists on being the first.
func CreateAccount(id, name string) Operation {
	return Operation{"create " + name + " for user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.OAuth.Create(ctx, NewAccount(id, name))
		return err
	}}
}

// Unlink removes the accounts of a user at a provider.
func Unlink(id, provider string) Operation {
	return Operation{"unlink " + provider + " of user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		return s.OAuth.Unlink(ctx, id, provider)
	}}
}

// UnlinkUnlessLast is Unlink that leaves a way to log in.
func UnlinkUnlessLast(id, provider string) Operation {
	return Operation{"unlink " + provider + " of user " + id + " unless last", func(ctx context.Context, s *store.RedisStorage) error {
		return s.OAuth.UnlinkUnlessLast(ctx, id, provider)
	}}
}

// AddPasskey gives a user a passkey.
func AddPasskey(id, credential string) Operation {
	return Operation{"add " + credential + " to user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		_, err := s.Passkeys.Add(ctx, NewPasskey(id, credential))
		return err
	}}
}

// DeletePasskey removes the passkey of a credential.
func DeletePasskey(credential string) Operation {
	return Operation{"delete " + credential, func(ctx context.Context, s *store.RedisStorage) error {
		return s.Passkeys.Delete(ctx, []byte(credential))
	}}
}

// DeleteUnlessLast is DeletePasskey that leaves a way to log in.
func DeleteUnlessLast(credential string) Operation {
	return Operation{"delete " + credential + " unless last", func(ctx context.Context, s *store.RedisStorage) error {
		return s.Passkeys.DeleteUnlessLast(ctx, []byte(credential))
	}}
}

// DeletePasskeys removes all passkeys of a user.
func DeletePasskeys(id string) Operation {
	return Operation{"delete all passkeys of user " + id, func(ctx context.Context, s *store.RedisStorage) error {
		return s.Passkeys.DeleteAll(ctx, id)
	}}
}

// FindAccount looks an account up.
func FindAccount(name string) Operation {
	return Operation{"find " + name, func(ctx context.Context, s *store.RedisStorage) error {
		n := NewAccount("", name)
		_, _, err := s.OAuth.FindAccount(ctx, n.Provider, n.Subject)
		return err
	}}
}

// Authenticate uses a passkey.
func Authenticate(credential string) Operation {
	return Operation{"authenticate " + credential, func(ctx context.Context, s *store.RedisStorage) error {
		_, _, err := s.Passkeys.Authenticate(ctx, []byte(credential))
		return err
	}}
}

// Owners asks who has what of the cast. Only users who are there have anything.
func Owners(t *testing.T, s *store.RedisStorage) map[string]string {
	t.Helper()
	has := map[string]string{}
	accounts, credentials := Names()
	for _, name := range accounts {
		n := NewAccount("", name)
		u, ok, err := s.OAuth.FindUser(t.Context(), n.Provider, n.Subject)
		check(t, err)
		if ok {
			has[name] = u.ID
		}
	}
	for _, credential := range credentials {
		p, ok, err := s.Passkeys.Find(t.Context(), []byte(credential))
		check(t, err)
		if ok {
			has[credential] = p.UserID
		}
	}
	for name, id := range has {
		if _, ok, err := s.Users.FindByID(t.Context(), id); err != nil || !ok {
			t.Errorf("%s belongs to user %s, who is there: %t, %v", name, id, ok, err)
		}
	}
	return has
}

// WantLinksAgree expects what is found by name and what users list to be the
// same.
func WantLinksAgree(t *testing.T, s *store.RedisStorage) map[string]string {
	t.Helper()
	has := Owners(t, s)
	listed := map[string]string{}
	for _, id := range []string{User1, User2} {
		accounts, err := s.OAuth.List(t.Context(), id)
		check(t, err)
		for _, a := range accounts {
			listed[a.Provider+"/"+a.Subject] += a.UserID
		}
		passkeys, err := s.Passkeys.List(t.Context(), id)
		check(t, err)
		for _, p := range passkeys {
			listed[string(p.CredentialID)] += p.UserID
		}
	}
	if fmt.Sprint(has) != fmt.Sprint(listed) {
		t.Errorf("found %v, listed %v", has, listed)
	}
	return has
}

// WantKin expects that all that user 2 has shares a fate, since no operation takes
// one thing of it alone. Has is what WantLinksAgree gives.
func WantKin(t *testing.T, has map[string]string) {
	t.Helper()
	if has["c2"] != has["a/2"] {
		t.Errorf("user %q has c2, and user %q has a/2", has["c2"], has["a/2"])
	}
}

// WantLinksUsable expects that nothing is blocked, not even for a moment: who
// wants something of the cast gets it, or is told who has it.
func WantLinksUsable(t *testing.T, s *store.RedisStorage) {
	t.Helper()
	has := Owners(t, s)
	const id = User2
	if _, ok, err := s.Users.FindByID(t.Context(), id); err != nil || !ok {
		_, err := s.Users.Create(t.Context(), store.NewUser{ID: id, Email: "usable@example.org"})
		check(t, err)
	}
	accounts, credentials := Names()
	for _, name := range accounts {
		_, err := s.OAuth.Link(t.Context(), NewAccount(id, name))
		if holder, ok := has[name]; (!ok || holder == id) != (err == nil) || err != nil && !errors.Is(err, store.ErrAccountLinked) {
			t.Errorf("%s, which user %q has: linking it to user %s gives %v", name, holder, id, err)
		}
	}
	for _, credential := range credentials {
		_, err := s.Passkeys.Add(t.Context(), NewPasskey(id, credential))
		if holder, ok := has[credential]; ok == (err == nil) || err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s, which user %q has: adding it to user %s gives %v", credential, holder, id, err)
		}
	}
}
