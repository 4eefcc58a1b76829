package store

import (
	_ "embed"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"
)

// A session is a field of its user's hash: the raw SHA-256 of the token, and a
// record. A record is either compact
//
//	1 byte   2, the format
//	6 bytes  end in milliseconds, big endian
//	6 bytes  last update
//	1 byte   flags: how user agent and address are written
//	varint   creation
//	...      address: 4 or 16 bytes, or a length and a text
//	...      user agent, compressed with agents.txt or as it is, to the end
//
// or JSON (see sessionDocument). A reader takes both, whatever is configured.
// Scripts read and write the first 13 bytes, or the beginning of the JSON, and
// nothing else. The user is not named: it is that of the hash.

// SessionFormat is how sessions are stored.
type SessionFormat string

// The formats of sessions. Compact ones take a third of the memory of JSON.
const (
	// SessionCompact is the default.
	SessionCompact SessionFormat = "compact"
	// SessionJSON is for those who want to read sessions with other tools.
	SessionJSON SessionFormat = "json"
)

// agentTexts is the dictionary that user agents are compressed with. It is part
// of the format: it may never change, only be followed by another one with a
// flag of its own.
//
//go:embed agents.txt
var agentTexts []byte

// The flags of a compact record: two bits for each.
const (
	compactFormat = 2

	agentMask       = 0b11
	agentPlain      = 1
	agentCompressed = 2

	addressMask = 0b1100
	address4    = 0b0100
	address6    = 0b1000
	addressText = 0b1100
)

// compactHead is the length of what scripts read.
const compactHead = 13

// sessionCodec writes and reads the records of sessions. It is safe for
// concurrent use.
type sessionCodec struct {
	format SessionFormat
	agents *s2.Dict
}

func newSessionCodec(format SessionFormat) sessionCodec {
	return sessionCodec{format: format, agents: s2.MakeDict(agentTexts, nil)}
}

// encode writes the record of a session that checkSession has accepted.
func (c sessionCodec) encode(s Session) string {
	if c.format == SessionJSON {
		return encodeSessionDocument(s)
	}
	return string(c.compact(s))
}

func (c sessionCodec) compact(s Session) []byte {
	out := make([]byte, 0, 128)
	out = append(out, compactFormat)
	out = append48(out, s.ExpiresAt)
	out = append48(out, s.UpdatedAt)
	out = append(out, 0)
	out = binary.AppendVarint(out, s.CreatedAt.UnixMilli())
	var flags byte
	if s.IPAddress != nil {
		flags, out = appendAddress(out, *s.IPAddress)
	}
	if s.UserAgent != nil {
		var how byte
		how, out = c.appendAgent(out, *s.UserAgent)
		flags |= how
	}
	out[compactHead] = flags
	return out
}

// append48 writes a time between 1970 and 10889.
func append48(out []byte, t time.Time) []byte {
	ms := uint64(max(0, t.UnixMilli()))
	return append(out, byte(ms>>40), byte(ms>>32), byte(ms>>24), byte(ms>>16), byte(ms>>8), byte(ms))
}

// appendAddress writes an IP address in its own size if its text comes back the
// same, and any other text as it is.
func appendAddress(out []byte, text string) (byte, []byte) {
	addr, err := netip.ParseAddr(text)
	if err == nil && addr.String() == text && !addr.Is4In6() && addr.Zone() == "" {
		if addr.Is4() {
			raw := addr.As4()
			return address4, append(out, raw[:]...)
		}
		raw := addr.As16()
		return address6, append(out, raw[:]...)
	}
	out = binary.AppendUvarint(out, uint64(len(text)))
	return addressText, append(out, text...)
}

// appendAgent writes what is shorter. The library's better encoders find little
// more in a text of this length, and take ten and two hundred times as long.
func (c sessionCodec) appendAgent(out []byte, text string) (byte, []byte) {
	packed := c.agents.Encode(nil, []byte(text))
	if packed == nil || len(packed) >= len(text) {
		return agentPlain, append(out, text...)
	}
	return agentCompressed, append(out, packed...)
}

// decode reads a record of either format. Token, hash and user are left to the
// caller. Every fault is the same ErrCorrupt.
func (c sessionCodec) decode(raw string) (Session, error) {
	read := c.decodeCompact
	if strings.HasPrefix(raw, "{") {
		read = decodeSessionDocument
	}
	s, ok := read(raw)
	if !ok {
		return Session{}, corrupt("session record")
	}
	return s, nil
}

func (c sessionCodec) decodeCompact(raw string) (Session, bool) {
	if len(raw) <= compactHead || raw[0] != compactFormat {
		return Session{}, false
	}
	s := Session{ExpiresAt: time48(raw[1:]), UpdatedAt: time48(raw[7:])}
	flags := raw[compactHead]
	var room [binary.MaxVarintLen64]byte
	created, n := binary.Varint(room[:copy(room[:], raw[compactHead+1:])])
	if n <= 0 || !inRange(created) || flags&^(agentMask|addressMask) != 0 {
		return Session{}, false
	}
	s.CreatedAt = fromMillis(created)
	rest := raw[compactHead+1+n:]
	var ok bool
	if s.IPAddress, rest, ok = cutAddress(flags&addressMask, rest); !ok {
		return Session{}, false
	}
	s.UserAgent, ok = c.agent(flags&agentMask, rest)
	return s, ok
}

func time48(raw string) time.Time {
	var ms uint64
	for i := range 6 {
		ms = ms<<8 | uint64(raw[i])
	}
	return fromMillis(int64(ms))
}

// cutAddress reads the address and returns what follows it.
func cutAddress(how byte, raw string) (*string, string, bool) {
	size, text := 0, ""
	switch how {
	case 0:
		return nil, raw, true
	case addressText:
		var room [binary.MaxVarintLen64]byte
		length, n := binary.Uvarint(room[:copy(room[:], raw)])
		if n <= 0 || length > uint64(len(raw)-n) {
			return nil, "", false
		}
		size = n + int(length)
		text = raw[n:size]
	case address4, address6:
		size = map[byte]int{address4: 4, address6: 16}[how]
		if len(raw) < size {
			return nil, "", false
		}
		var bytes [16]byte
		addr, _ := netip.AddrFromSlice(bytes[:copy(bytes[:], raw[:size])])
		text = addr.String()
	}
	return &text, raw[size:], true
}

// agent reads the user agent.
func (c sessionCodec) agent(how byte, raw string) (*string, bool) {
	switch how {
	case 0:
		return nil, raw == ""
	case agentPlain:
		return &raw, true
	case agentCompressed:
		var packed, room [256]byte
		src := append(packed[:0], raw...)
		if size, err := s2.DecodedLen(src); err != nil || size > maxText {
			return nil, false
		}
		text, err := c.agents.Decode(room[:], src)
		if err != nil {
			return nil, false
		}
		agent := string(text)
		return &agent, true
	default:
		return nil, false
	}
}

// sessionDocument is a session as JSON. Its first member holds end, last update
// and creation in milliseconds, for scripts and for us; the others have the
// names and the RFC 3339 times that other readers expect.
type sessionDocument struct {
	Times     *[3]int64 `json:"times"`
	ExpiresAt string    `json:"expires_at"`
	UpdatedAt string    `json:"updated_at"`
	CreatedAt string    `json:"created_at"`
	TokenHash string    `json:"token_hash"`
	UserID    string    `json:"user_id"`
	UserAgent *string   `json:"user_agent,omitempty"`
	IPAddress *string   `json:"ip_address,omitempty"`
}

// documentTime is RFC 3339 with milliseconds, always of one length.
const documentTime = "2006-01-02T15:04:05.000Z"

func encodeSessionDocument(s Session) string {
	return encodeJSON(sessionDocument{
		Times:     &[3]int64{s.ExpiresAt.UnixMilli(), s.UpdatedAt.UnixMilli(), s.CreatedAt.UnixMilli()},
		ExpiresAt: s.ExpiresAt.UTC().Format(documentTime),
		UpdatedAt: s.UpdatedAt.UTC().Format(documentTime),
		CreatedAt: s.CreatedAt.UTC().Format(documentTime),
		TokenHash: s.TokenHash,
		UserID:    s.UserID,
		UserAgent: s.UserAgent,
		IPAddress: s.IPAddress,
	})
}

func decodeSessionDocument(raw string) (Session, bool) {
	var d sessionDocument
	if !decodeJSON(raw, &d) || d.Times == nil {
		return Session{}, false
	}
	for _, ms := range d.Times {
		if !inRange(ms) {
			return Session{}, false
		}
	}
	return Session{
		UserAgent: d.UserAgent,
		IPAddress: d.IPAddress,
		ExpiresAt: fromMillis(d.Times[0]),
		UpdatedAt: fromMillis(d.Times[1]),
		CreatedAt: fromMillis(d.Times[2]),
	}, true
}
