package auth

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/toriibench/toriibench/store"
)

// JWT makes and reads sessions that are JSON Web Tokens, RFC 7519: they carry
// their user, times, client and issuer themselves, signed and readable by anybody.
// No storage knows of them, so none can be ended before its time: not by a logout,
// a change of the password, or the end of its user, whom Service.Authenticate
// looks up, and Verify does not. Who may refresh one may do so for ever, see
// JWTSessions.Refresh. It is safe for concurrent use, and hides its key
// from printing. NewHS256 and NewRS256 make one.
type JWT struct {
	method    jwt.SigningMethod
	issuer    string
	sign, key any
	parser    *jwt.Parser
}

// MinHMACKey is the shortest key of HS256, in bytes: that of its hash, RFC 7518
// section 3.2.
const MinHMACKey = 32

// minRSABits is the shortest key of RS256, RFC 7518 section 3.3.
const minRSABits = 2048

// maxJWT bounds a token, in bytes. A browser keeps 4096 in a cookie.
const maxJWT = 16 << 10

// NewHS256 signs and verifies with one secret of at least MinHMACKey random bytes,
// which it copies. The issuer, when not empty, is put into each token, and tokens
// of any other are refused.
func NewHS256(secret []byte, issuer string) (*JWT, error) {
	if len(secret) < MinHMACKey {
		return nil, during("new HS256", invalid("secret has %d bytes, want at least %d random ones", len(secret), MinHMACKey))
	}
	secret = bytes.Clone(secret)
	return newJWT(jwt.SigningMethodHS256, issuer, secret, secret), nil
}

// NewRS256 signs with an RSA key of at least 2048 bits, and verifies with its
// public part. The issuer is that of NewHS256.
func NewRS256(key *rsa.PrivateKey, issuer string) (*JWT, error) {
	const op = "new RS256"
	if key == nil || key.N == nil {
		return nil, during(op, invalid("there is no key"))
	}
	if bits := key.N.BitLen(); bits < minRSABits {
		return nil, during(op, invalid("key has %d bits, want at least %d", bits, minRSABits))
	}
	return newJWT(jwt.SigningMethodRS256, issuer, key, &key.PublicKey), nil
}

func newJWT(method jwt.SigningMethod, issuer string, sign, verify any) *JWT {
	// The one method: a token does not choose how it is verified.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithIssuer(issuer), jwt.WithStrictDecoding())
	return &JWT{method: method, issuer: issuer, sign: sign, key: verify, parser: parser}
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims

	Metadata *metadata `json:"metadata,omitempty"`
}

type metadata struct {
	UserAgent *string `json:"user_agent,omitempty"`
	IPAddress *string `json:"ip_address,omitempty"`
}

// Validate is asked by the parser, once the signature is right.
func (c claims) Validate() error {
	if c.Subject == "" || c.IssuedAt == nil {
		return jwt.ErrTokenRequiredClaimMissing
	}
	return nil
}

// Sign makes a session of n, whose Token must be empty. Its times are cut to whole
// seconds; otherwise it has the rules and defaults of store.Sessions.Create, but
// nobody asks whether the user is there. One that ends in the past is made, and
// is never good.
func (j *JWT) Sign(n store.NewSession) (store.Session, error) {
	const op = "sign session"
	now := time.Now()
	if n.CreatedAt.IsZero() {
		n.CreatedAt = now
	}
	if n.ExpiresAt.IsZero() {
		n.ExpiresAt = now.Add(store.DefaultSessionLifetime)
	}
	if err := checkSigned(n, now); err != nil {
		return store.Session{}, during(op, err)
	}
	c := claims{RegisteredClaims: jwt.RegisteredClaims{
		Subject: n.UserID, Issuer: j.issuer,
		IssuedAt: jwt.NewNumericDate(n.CreatedAt), ExpiresAt: jwt.NewNumericDate(n.ExpiresAt),
	}}
	if n.UserAgent != nil || n.IPAddress != nil {
		c.Metadata = &metadata{UserAgent: n.UserAgent, IPAddress: n.IPAddress}
	}
	text, err := jwt.NewWithClaims(j.method, c).SignedString(j.sign)
	if err != nil {
		return store.Session{}, during(op, err)
	}
	if len(text) > maxJWT {
		return store.Session{}, during(op, invalid("token would have %d bytes, at most %d are read", len(text), maxJWT))
	}
	return c.session(store.Token(text)), nil
}

// checkSigned accepts what comes back unchanged.
func checkSigned(n store.NewSession, now time.Time) error {
	texts := []string{n.UserID}
	for _, text := range []*string{n.UserAgent, n.IPAddress} {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return invalid("user id, user agent or ip address is not UTF-8")
		}
	}
	switch {
	case n.UserID == "":
		return invalid("user id is empty")
	case n.Token != "":
		return invalid("a JSON Web Token cannot be chosen; leave Token empty")
	case n.CreatedAt.Unix() < 0 || n.ExpiresAt.Unix() < 0:
		return invalid("session begins or ends before 1970")
	case n.ExpiresAt.Sub(now) > store.MaxSessionLifetime:
		return invalid("session ends at %s, more than %s from now", n.ExpiresAt.Format(time.RFC3339), store.MaxSessionLifetime)
	default:
		return nil
	}
}

// Verify returns the session that a token is. It returns ErrExpired when that has
// ended, at whose instant it is no longer good, RFC 7519 section 4.1.4; and
// ErrInvalidToken for everything else: another signature, another algorithm, none
// at all, another issuer, or a text that is no JSON Web Token.
func (j *JWT) Verify(t store.Token) (store.Session, error) {
	const op = "verify session"
	if len(t) > maxJWT {
		return store.Session{}, during(op, ErrInvalidToken)
	}
	var c claims
	_, err := j.parser.ParseWithClaims(string(t), &c, func(*jwt.Token) (any, error) { return j.key, nil })
	switch {
	case err == nil:
		return c.session(t), nil
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return store.Session{}, during(op, ErrExpired)
	default:
		// The cause may quote the token.
		return store.Session{}, during(op, ErrInvalidToken)
	}
}

func (c claims) session(t store.Token) store.Session {
	s := store.Session{
		Token: t, TokenHash: t.Hash(), UserID: c.Subject,
		CreatedAt: c.IssuedAt.UTC(), UpdatedAt: c.IssuedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	}
	if c.Metadata != nil {
		s.UserAgent, s.IPAddress = c.Metadata.UserAgent, c.Metadata.IPAddress
	}
	return s
}

// String shows no key.
func (j JWT) String() string { return fmt.Sprintf("auth.JWT{%s, issuer %q}", j.method.Alg(), j.issuer) }

// Format hides the key from every verb.
func (j JWT) Format(f fmt.State, _ rune) { io.WriteString(f, j.String()) } //nolint:errcheck // There is nobody to tell.
