package store

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// maxIP bounds the text of an address, in bytes. The longest form of an IPv6
// address has 45 and may have a zone.
const maxIP = 64

// Attempt is a failed attempt to log in. Its time is UTC with millisecond
// precision, by the server's clock.
type Attempt struct {
	// ID is positive. It is 0 when nothing was recorded.
	ID int64
	// Email need not belong to a user.
	Email string
	// IPAddress is nil when absent, which differs from empty.
	IPAddress   *string
	AttemptedAt time.Time
}

// NewAttempt describes an attempt to be recorded. Only Email is required.
type NewAttempt struct {
	Email string
	// IPAddress is not checked: what is not UTF-8 is replaced and what goes
	// beyond 64 bytes is cut off, because an address that a client has made up
	// must not keep its attempt from being counted.
	IPAddress *string
	// ID is from NewAttemptID; it is generated when 0. Recorded twice with one
	// ID and address, an attempt counts once, so a call whose outcome is unknown
	// can be repeated.
	ID int64
}

// AttemptStats are counts of failed attempts.
type AttemptStats struct {
	// Count goes up to MaxAttemptsKept.
	Count int
	// Latest is nil when Count is 0.
	Latest *time.Time
}

// NewAttemptID makes an id: 63 random bits, never 0.
func NewAttemptID() int64 {
	for {
		var raw [8]byte
		rand.Read(raw[:])
		if id := int64(binary.BigEndian.Uint64(raw[:]) >> 1); id > 0 {
			return id
		}
	}
}

// draftAttempt completes and checks what a caller wants to record.
func draftAttempt(n NewAttempt) (Attempt, error) {
	a := Attempt{ID: n.ID, Email: n.Email, IPAddress: n.IPAddress}
	if a.ID == 0 {
		a.ID = NewAttemptID()
	}
	if a.IPAddress != nil {
		ip := bounded(*a.IPAddress, maxIP)
		a.IPAddress = &ip
	}
	if a.ID < 0 {
		return Attempt{}, invalid("attempt id %d is negative", n.ID)
	}
	return a, checkText("email", a.Email)
}

// bounded makes UTF-8 of at most size bytes of a text.
func bounded(text string, size int) string {
	return strings.ToValidUTF8(text[:min(len(text), size)], "?")
}

// member is the stored form of an attempt, beside its time: "ID -" without an
// address, "ID =ADDRESS" with one.
func (a Attempt) member() string {
	id := strconv.FormatInt(a.ID, 10)
	if a.IPAddress == nil {
		return id + " " + none
	}
	return id + " =" + *a.IPAddress
}
