package store_test

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/memory"
)

// planted is a cache that holds this text instead of the copy of user1, whose
// email is emailA, and of what leads from emailA to it.
func planted(t *testing.T, user, email string) *store.Cache {
	t.Helper()
	server := memory.NewServer(nil)
	s := openHealthy(t, server)
	cache := s.NewCache(newRecords(row(user1, emailA, 7)), store.CacheOptions{})
	_, _, err := cache.UserByEmail(t.Context(), emailA)
	check(t, err)
	d, err := server.Dial(t.Context(), store.Config{})
	check(t, err)
	if user != "" {
		plant(t, d, keyEnding(t, s, "}:cu"), user)
	}
	if email != "" {
		plant(t, d, keyEnding(t, s, "}:ce"), email)
	}
	return cache
}

const plainUser = `"user":{"id":"` + user1 + `","email":"` + emailA + `","created_at":1,"updated_at":5`

func TestUnknownFieldsOfAnEntryAreIgnored(t *testing.T) {
	cache := planted(t,
		`5`+"\n"+`{"schema":1,"cached_at":9,"color":"red",`+plainUser+`,"cached_at":"a field of the user","metadata":{"x":1}},"lease":{"a":[1]}}`,
		`5`+"\n"+`{"schema":1,"cached_at":9,"user_id":"`+user1+`","email":"who knows"}`)
	got, ok, err := cache.UserByEmail(t.Context(), emailA)
	check(t, err)
	want := store.CachedUser{User: row(user1, emailA, 5), CachedAt: time.UnixMilli(9).UTC()}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
	}
	if stats := cache.Stats(); stats.Corrupt != 0 || stats.Hits != 1 {
		t.Errorf("stats %+v, want a hit and nothing corrupt", stats)
	}
}

func TestNullMissingAndEmptyOptionals(t *testing.T) {
	empty, at := "", time.UnixMilli(3).UTC()
	for fields, want := range map[string]store.User{
		``:             {},
		`,"name":null`: {},
		`,"name":""`:   {Name: &empty},
		`,"email_verified_at":null,"locked_at":null`: {},
		`,"email_verified_at":3`:                     {EmailVerifiedAt: &at},
		`,"locked_at":3`:                             {LockedAt: &at},
	} {
		t.Run(fields, func(t *testing.T) {
			cache := planted(t, `5`+"\n"+`{"schema":1,"cached_at":9,`+plainUser+fields+`}}`, "")
			got, ok, err := cache.LookupUser(t.Context(), user1)
			check(t, err)
			whole := row(user1, emailA, 5)
			whole.Name, whole.EmailVerifiedAt, whole.LockedAt = want.Name, want.EmailVerifiedAt, want.LockedAt
			if diff := cmp.Diff(whole, got.User); !ok || diff != "" {
				t.Errorf("found: %t, difference (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// What another version wrote, what is not complete and what is no entry at all is
// a miss, is counted, and is replaced.
func TestEntriesThatAreNotOursAreMissesAndAreReplaced(t *testing.T) {
	const head = `5` + "\n" + `{"schema":1,"cached_at":9,`
	for name, entries := range map[string][2]string{
		"a user of the next schema":            {`5` + "\n" + `{"schema":2,"cached_at":9,` + plainUser + `}}`, ""},
		"a user of no schema":                  {`5` + "\n" + `{"cached_at":9,` + plainUser + `}}`, ""},
		"a user with a time as text":           {`5` + "\n" + `{"schema":1,"cached_at":"2024-01-01T00:00:00Z",` + plainUser + `}}`, ""},
		"a user without cached_at":             {`5` + "\n" + `{"schema":1,` + plainUser + `}}`, ""},
		"a user without a time of update":      {head + `"user":{"id":"` + user1 + `","email":"x","created_at":1}}`, ""},
		"a user locked in a far age":           {head + plainUser + `,"locked_at":999999999999999999}}`, ""},
		"a user without an email":              {head + `"user":{"id":"` + user1 + `","created_at":1,"updated_at":5}}`, ""},
		"a user who is also absent":            {head + `"absent":"x",` + plainUser + `}}`, ""},
		"half a user":                          {head + plainUser, ""},
		"no JSON":                              {"5\n\x00\xff", ""},
		"a way of the next schema":             {"", `5` + "\n" + `{"schema":2,"cached_at":9,"user_id":"` + user1 + `"}`},
		"a way to nobody":                      {"", head + `"user_id":""}`},
		"a way to somebody who is also absent": {"", head + `"user_id":"1","absent":"x"}`},
		"no way":                               {"", "junk"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := planted(t, entries[0], entries[1])
			for _, fromSource := range []bool{true, false} {
				got, ok, err := cache.UserByEmail(t.Context(), emailA)
				check(t, err)
				if diff := cmp.Diff(row(user1, emailA, 7), got.User); !ok || diff != "" || got.FromSource != fromSource {
					t.Errorf("found: %t, from the source: %t, want %t; difference (-want +got):\n%s", ok, got.FromSource, fromSource, diff)
				}
			}
			if got := cache.Stats().Corrupt; got != 1 {
				t.Errorf("%d corrupt entries counted, want 1", got)
			}
		})
	}
}

// The same for sessions, which have no source: the caller puts them again.
func TestSessionEntriesThatAreNotOursAreMisses(t *testing.T) {
	token := store.NewToken(user1)
	at := time.Now().UTC().Truncate(time.Millisecond)
	session := store.Session{
		Token: token, TokenHash: token.Hash(), UserID: user1, CreatedAt: at, UpdatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
	body := fmt.Sprintf(`"session":{"user_id":"%s","token_hash":"%s","created_at":1,"updated_at":5,"expires_at":%d`,
		user1, token.Hash(), session.ExpiresAt.UnixMilli())
	for text, hit := range map[string]bool{
		`5` + "\n" + `{"schema":1,"cached_at":9,` + body + `}}`:                                true,
		`5` + "\n" + `{"schema":1,"cached_at":9,` + body + `,"color":"red"},"lease":{"a":[]}}`: true,
		`5` + "\n" + `{"schema":2,"cached_at":9,` + body + `}}`:                                false,
		`5` + "\n" + `{"schema":1,` + body + `}}`:                                              false,
		`5` + "\n" + `{"schema":1,"cached_at":9,` + body:                                       false,
		`5` + "\n" + `{"schema":1,"cached_at":9,"session":null}`:                               false,
	} {
		t.Run(text, func(t *testing.T) {
			server := memory.NewServer(nil)
			s := openHealthy(t, server)
			cache := s.NewCache(nil, store.CacheOptions{})
			check(t, cache.PutSession(t.Context(), session, nil))
			d, err := server.Dial(t.Context(), store.Config{})
			check(t, err)
			plant(t, d, keyEnding(t, s, "}:cs:"), text)
			got, ok, err := cache.Session(t.Context(), token)
			check(t, err)
			if corrupt := cache.Stats().Corrupt == 1; ok != hit || corrupt == hit || ok && got.UserID != user1 {
				t.Errorf("found: %t, want %t; counted as corrupt: %t", ok, hit, corrupt)
			}
			check(t, cache.PutSession(t.Context(), session, nil))
			if _, ok, err := cache.Session(t.Context(), token); !ok || err != nil {
				t.Errorf("put again: %t, %v", ok, err)
			}
		})
	}
}

// That somebody else's id or email is not there says nothing: the beginnings of
// two hashes may be equal.
func TestTheAbsenceOfAnotherIsAMiss(t *testing.T) {
	const absent = `-253402300800000` + "\n" + `{"schema":1,"cached_at":9,"absent":"somebody else"}`
	cache := planted(t, absent, absent)
	for _, fromSource := range []bool{true, false} {
		got, ok, err := cache.UserByEmail(t.Context(), emailA)
		check(t, err)
		if !ok || got.FromSource != fromSource {
			t.Errorf("found: %t, from the source: %t, want %t", ok, got.FromSource, fromSource)
		}
	}
}

// A clock that is ahead writes copies of the future.
func TestACopyOfTheFutureHasNoAge(t *testing.T) {
	cache := planted(t, `5`+"\n"+`{"schema":1,"cached_at":32503680000000,`+plainUser+`}}`, "")
	got, ok, err := cache.LookupUser(t.Context(), user1)
	check(t, err)
	if age := got.Age(time.Now()); !ok || age != 0 {
		t.Errorf("found: %t, age %s, want 0", ok, age)
	}
}

// What an entry says of its load may be anything: a load begins early or not, and
// nothing else happens.
func TestOddCostsOfAnEntryDoNoHarm(t *testing.T) {
	for _, odd := range []string{
		`"cost_us":-5,"ends_at":1`, `"cost_us":5`, `"ends_at":1`, `"cost_us":5,"ends_at":999999999999999999`,
		`"cost_us":9223372036854775807,"ends_at":253402300799999`, `"cost_us":9223372036854775807,"ends_at":-253402300799999`,
	} {
		server := memory.NewServer(nil)
		s := openHealthy(t, server)
		cache := s.NewCache(newRecords(row(user1, emailA, 7)), store.CacheOptions{Beta: 1e300, Random: func() float64 { return 0.999 }})
		check(t, cache.PutUser(t.Context(), row(user1, emailA, 5), 0))
		d, err := server.Dial(t.Context(), store.Config{})
		check(t, err)
		plant(t, d, keyEnding(t, s, "}:cu"), `5`+"\n"+`{"schema":1,"cached_at":9,`+odd+`,`+plainUser+`}}`)
		if got, ok, err := cache.User(t.Context(), user1); !ok || err != nil || got.FromSource || got.Email != emailA {
			t.Errorf("%s: found %t, %+v, error %v", odd, ok, got, err)
		}
	}
}

// A life may be as long as a Duration can say.
func TestACopyMayLiveForEver(t *testing.T) {
	s := openHealthy(t, memory.NewServer(nil))
	cache := s.NewCache(origin{}, store.CacheOptions{})
	for n, life := range []time.Duration{1, time.Millisecond, math.MaxInt64 - 1, math.MaxInt64} {
		id := strconv.Itoa(n)
		if err := cache.PutUser(t.Context(), row(id, id+emailA, 1), life); err != nil {
			t.Errorf("for %d ns: %v", life, err)
		}
		if life < time.Hour {
			continue
		}
		if got, ok, err := cache.User(t.Context(), id); err != nil || !ok || got.FromSource {
			t.Errorf("for %d ns: found %t, from the source %t, %v", life, ok, got.FromSource, err)
		}
	}
}

// What has no time of update is older than every copy: its invalidation would do
// nothing.
func TestInvalidatingWithoutATimeIsRefused(t *testing.T) {
	s := openHealthy(t, memory.NewServer(nil))
	cache := s.NewCache(origin{row(user1, emailA, 7)}, store.CacheOptions{})
	if err := cache.InvalidateUser(t.Context(), store.User{ID: user1, Email: emailA}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("error is %v, want %v", err, store.ErrInvalid)
	}
	check(t, cache.InvalidateUser(t.Context(), row(user1, emailA, 7)))
	check(t, cache.ForgetUser(t.Context(), user1, emailA))
}
