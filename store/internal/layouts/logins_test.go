package layouts

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/toriibench/toriibench/store"
)

// seed is that of everything drawn here, so that each layout keeps the same.
const seed = 1

// crowd says how many sessions the users of a population have.
type crowd struct {
	name string
	draw func(rng *rand.Rand) int
}

// crowds are those that are weighed.
func crowds() []crowd {
	return []crowd{each(1), {"mixed", mixed}}
}

// each is a crowd in which everybody has k sessions.
func each(k int) crowd {
	return crowd{fmt.Sprintf("%d-each", k), func(*rand.Rand) int { return k }}
}

// mixed draws 1 session (60 %), 2-3 (30 %), 4-10 (9 %) or 11-100 (1 %): 2.5 at
// the mean.
func mixed(rng *rand.Rand) int {
	switch p := rng.Float64(); {
	case p < 0.60:
		return 1
	case p < 0.90:
		return 2 + rng.IntN(2)
	case p < 0.99:
		return 4 + rng.IntN(7)
	default:
		return 11 + rng.IntN(90)
	}
}

// texts says what user agents sessions bear.
type texts struct {
	name  string
	agent func(rng *rand.Rand) string
}

// payloads are those that are weighed.
func payloads() []texts {
	return []texts{{"typical", chrome}, {"log-normal", random}}
}

// chrome draws the user agent of a desktop Chrome of the last two years.
func chrome(rng *rand.Rand) string {
	systems := []string{
		"Windows NT 10.0; Win64; x64", "Windows NT 10.0; Win64; x64", "Windows NT 10.0; Win64; x64", "Windows NT 10.0; Win64; x64",
		"Windows NT 10.0; Win64; x64", "Windows NT 10.0; Win64; x64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7",
		"Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
	}
	return fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36",
		systems[rng.IntN(len(systems))], 120+rng.IntN(26))
}

// random draws a text that nothing compresses, as long as makes the JSON of its
// session log-normal around 410 bytes with sigma 0.25, from 290 to 900, and one in
// a thousand 2 to 8 KB.
func random(rng *rand.Rand) string {
	const bare = 290 // bytes of the JSON without agent and address
	size := min(max(int(410*math.Exp(0.25*rng.NormFloat64())), bare), 900)
	if rng.IntN(1000) == 0 {
		size = 2000 + rng.IntN(6001)
	}
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(raw)[:max(1, size-bare-len(`,"user_agent":"","ip_address":"203.0.113.45"`))]
}

// people are users and their sessions, which come in no order.
type people struct {
	users  []string
	logins []store.Session
}

// gather draws people until they have n sessions.
func gather(n int, c crowd, t texts) people {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	now := time.Now()
	var p people
	for len(p.logins) < n {
		user := store.NewUserID()
		p.users = append(p.users, user)
		for range c.draw(rng) {
			p.logins = append(p.logins, login(rng, user, t, now))
		}
	}
	rng.Shuffle(len(p.logins), func(i, j int) { p.logins[i], p.logins[j] = p.logins[j], p.logins[i] })
	return p
}

// login draws a session that began in the last 29 days and lives for 30.
func login(rng *rand.Rand, user string, t texts, now time.Time) store.Session {
	agent := t.agent(rng)
	address := fmt.Sprintf("%d.%d.%d.%d", 1+rng.IntN(223), rng.IntN(256), rng.IntN(256), rng.IntN(256))
	created := now.Add(-time.Duration(rng.Int64N(int64(29 * 24 * time.Hour))))
	token := store.NewToken(user)
	return store.Session{
		Token: token, TokenHash: token.Hash(), UserID: user, UserAgent: &agent, IPAddress: &address,
		CreatedAt: created, UpdatedAt: created, ExpiresAt: created.Add(store.DefaultSessionLifetime),
	}
}
