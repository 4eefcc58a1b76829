package store

import (
	"strings"
	"time"
)

// A linkRecord is a stored link of a user:
//
//	1 state nonce deadline created used group LF json
//
// The first line is what scripts read and replace. Deadline is until when a
// pending link may be completed, and group what removals choose by.
type linkRecord struct {
	createdAt time.Time
	usedAt    *time.Time
	json      string
}

// accountJSON is the part of an account that only Go reads.
type accountJSON struct {
	UserID   string `json:"user_id"`
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
}

// passkeyJSON is the part of a passkey that only Go reads. Bytes are base64, with
// padding.
type passkeyJSON struct {
	UserID       string  `json:"user_id"`
	CredentialID []byte  `json:"credential_id"`
	PublicKey    []byte  `json:"public_key"`
	Name         *string `json:"name,omitempty"`
}

func encodeAccountJSON(a OAuthAccount) string {
	return encodeJSON(accountJSON{UserID: a.UserID, Provider: a.Provider, Subject: a.Subject})
}

func encodePasskeyJSON(p Passkey) string {
	return encodeJSON(passkeyJSON{UserID: p.UserID, CredentialID: p.CredentialID, PublicKey: p.PublicKey, Name: p.Name})
}

// decodeLink reads a stored link; one that is pending is a fault here.
func decodeLink(raw string) (linkRecord, bool) {
	head, body, found := strings.Cut(raw, "\n")
	f := fields{rest: head}
	f.expect(recordFormat)
	f.expect(stateActive)
	f.word()   // Nonce.
	f.number() // Deadline.
	r := linkRecord{createdAt: f.time(), usedAt: f.optionalTime(), json: body}
	f.word() // Group.
	return r, found && f.done()
}

// linkIs tells whether a stored link bears a nonce and is in a state.
func linkIs(raw, state, nonce string) bool {
	return strings.HasPrefix(raw, recordFormat+" "+state+" "+nonce+" ")
}

// decodeAccount reads a stored account. Every fault is the same ErrCorrupt.
func decodeAccount(raw string) (OAuthAccount, error) {
	r, ok := decodeLink(raw)
	var j accountJSON
	if !ok || !decodeJSON(r.json, &j) || j.UserID == "" || j.Provider == "" || j.Subject == "" {
		return OAuthAccount{}, corrupt("account record")
	}
	return OAuthAccount{
		UserID: j.UserID, Provider: j.Provider, Subject: j.Subject, CreatedAt: r.createdAt, UpdatedAt: r.createdAt,
	}, nil
}

// decodePasskey reads a stored passkey. Every fault is the same ErrCorrupt.
func decodePasskey(raw string) (Passkey, error) {
	r, ok := decodeLink(raw)
	var j passkeyJSON
	if !ok || !decodeJSON(r.json, &j) || j.UserID == "" || len(j.CredentialID) == 0 || len(j.PublicKey) == 0 {
		return Passkey{}, corrupt("passkey record")
	}
	return Passkey{
		UserID: j.UserID, CredentialID: j.CredentialID, PublicKey: j.PublicKey, Name: j.Name,
		CreatedAt: r.createdAt, LastUsedAt: r.usedAt,
	}, nil
}
