package storetest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toriibench/toriibench/store"
)

func pkceScenarios() []scenario {
	return []scenario{
		{name: "X-1 a verifier is stored, got and deleted", run: pkce},
		{name: "X-1 odd states and verifiers come back unchanged", run: oddStates},
		{name: "X-1 a state is not at rest", run: stateAtRest},
		{name: "X-2 a verifier expires", waits: true, run: pkceExpires},
		{name: "X-2 absurd lifetimes of a verifier are refused", run: absurdHandshakes},
		{name: "X-3 a verifier is consumed once", run: consumePKCE},
		{name: "X-3 an expired verifier is not consumed", waits: true, run: consumeExpired},
		{name: "X-4 storing again overwrites value and life", waits: true, run: restorePKCE},
	}
}

// wantVerifier compares what a state finds; "" means nothing.
func (h *harness) wantVerifier(state, want string) {
	h.Helper()
	got, ok, err := h.OAuth.PKCE(h.Context(), state)
	h.must(err)
	if ok != (want != "") || got != want {
		h.Errorf("state %.40q finds %.40q (%t), want %.40q", state, got, ok, want)
	}
}

func pkce(h *harness) {
	h.wantVerifier("state", "")
	h.wantVerifier("", "")
	h.must(h.OAuth.DeletePKCE(h.Context(), "state"))
	h.must(h.OAuth.StorePKCE(h.Context(), "state", "verifier", time.Minute))
	h.must(h.OAuth.StorePKCE(h.Context(), "other", "another", store.MaxHandshakeLifetime))
	h.wantVerifier("state", "verifier")
	h.wantVerifier("state", "verifier")
	h.must(h.OAuth.DeletePKCE(h.Context(), "state"))
	h.wantVerifier("state", "")
	h.wantVerifier("other", "another")
	h.want(h.OAuth.StorePKCE(h.Context(), "", "verifier", time.Minute), store.ErrInvalid)
	h.want(h.OAuth.StorePKCE(h.Context(), "state", strings.Repeat("x", 16<<10+1), time.Minute), store.ErrInvalid)
}

func oddStates(h *harness) {
	for _, text := range oddTexts() {
		h.must(h.OAuth.StorePKCE(h.Context(), text, text+"!", time.Minute))
	}
	for _, text := range oddTexts() {
		h.wantVerifier(text, text+"!")
	}
	h.must(h.OAuth.StorePKCE(h.Context(), "empty", "", time.Minute))
	got, ok, err := h.OAuth.ConsumePKCE(h.Context(), "empty")
	h.must(err)
	if !ok || got != "" {
		h.Errorf("an empty verifier comes back as %q (%t)", got, ok)
	}
}

func stateAtRest(h *harness) {
	const state = "state-of-which-only-the-hash-is-kept"
	h.must(h.OAuth.StorePKCE(h.Context(), state, "verifier", time.Minute))
	h.must(h.Passkeys.SetChallenge(h.Context(), state, "challenge", time.Minute))
	for key, k := range h.keys() {
		if strings.Contains(key, state) || strings.Contains(fmt.Sprint(k.Values), state) {
			h.Errorf("%s holds the state", key)
		}
		if k.TTL <= 0 || k.TTL > time.Minute {
			h.Errorf("%s lives for %s, want up to a minute", key, k.TTL)
		}
	}
}

func pkceExpires(h *harness) {
	for i, d := range []time.Duration{time.Millisecond, 250 * time.Millisecond} {
		state := strconv.Itoa(i)
		begin := func() error { return h.OAuth.StorePKCE(h.Context(), state, "verifier", d) }
		h.wantLasting(d, begin, func() bool {
			_, ok, err := h.OAuth.PKCE(h.Context(), state)
			h.must(err)
			return ok
		})
	}
	h.eventually("no key is left", func() bool { return len(h.keys()) == 0 })
}

func absurdHandshakes(h *harness) {
	for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond - 1, store.MaxHandshakeLifetime + 1, 1<<63 - 1} {
		h.want(h.OAuth.StorePKCE(h.Context(), "state", "verifier", d), store.ErrInvalid)
		h.want(h.Passkeys.SetChallenge(h.Context(), "id", "challenge", d), store.ErrInvalid)
	}
	if left := h.keys(); len(left) > 0 {
		h.Errorf("keys were made: %v", left)
	}
}

func (h *harness) consumePKCE(state string) consumer {
	return func() (string, bool, error) { return h.OAuth.ConsumePKCE(h.Context(), state) }
}

func consumePKCE(h *harness) {
	h.must(h.OAuth.StorePKCE(h.Context(), "state", "verifier", time.Minute))
	h.must(h.OAuth.StorePKCE(h.Context(), "other", "another", time.Minute))
	h.wantConsumed(h.consumePKCE("state"), "verifier")
	h.wantVerifier("state", "")
	h.wantConsumed(h.consumePKCE("other"), "another")
	h.must(h.OAuth.StorePKCE(h.Context(), "state", "next", time.Minute))
	h.wantConsumed(h.consumePKCE("state"), "next")
}

func consumeExpired(h *harness) {
	h.must(h.OAuth.StorePKCE(h.Context(), "state", "verifier", 20*time.Millisecond))
	elapse(time.Now().Add(22*time.Millisecond + h.opts.Tolerance))
	if got, ok, err := h.OAuth.ConsumePKCE(h.Context(), "state"); ok || err != nil {
		h.Errorf("consumed %q (%t), %v", got, ok, err)
	}
}

func restorePKCE(h *harness) {
	h.must(h.OAuth.StorePKCE(h.Context(), "longer", "old", 200*time.Millisecond))
	h.must(h.OAuth.StorePKCE(h.Context(), "longer", "new", time.Minute))
	h.must(h.OAuth.StorePKCE(h.Context(), "shorter", "old", time.Minute))
	h.must(h.OAuth.StorePKCE(h.Context(), "shorter", "new", 200*time.Millisecond))
	h.wantVerifier("longer", "new")
	elapse(time.Now().Add(202*time.Millisecond + h.opts.Tolerance))
	h.wantVerifier("longer", "new")
	h.wantVerifier("shorter", "")
	h.Run("and a challenge likewise", func(t *testing.T) {
		h := &harness{T: t, RedisStorage: h.RedisStorage, opts: h.opts}
		h.must(h.Passkeys.SetChallenge(h.Context(), "id", "old", 200*time.Millisecond))
		h.must(h.Passkeys.SetChallenge(h.Context(), "id", "new", time.Minute))
		elapse(time.Now().Add(202*time.Millisecond + h.opts.Tolerance))
		h.wantChallenge("id", "new")
	})
}
