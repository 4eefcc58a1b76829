package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/boj/redistore"
	"github.com/gorilla/sessions"

	"github.com/toriibench/toriibench/runner"
)

// sessionName is that of the cookie.
const sessionName = "session"

// gorillaStore is redistore as NewRediStoreWithURL makes it, which asks for a PING
// each time before a connection is used. A request and a response are no more
// than their headers here. It takes no context.
type gorillaStore struct{ store *redistore.RediStore }

func openRedistore(_ context.Context, url string, connections int) (runner.SessionStore, error) {
	key := make([]byte, 32)
	rand.Read(key) // It never fails; it ends the program instead.
	store, err := redistore.NewRediStoreWithURL(connections, url, key)
	if err != nil {
		return nil, fmt.Errorf("open redistore: %w", err)
	}
	return &gorillaStore{store}, nil
}

// Create is a request without a cookie, which gets one.
func (g *gorillaStore) Create(_ context.Context, l runner.Login) (runner.Ticket, error) {
	session, err := g.store.New(&http.Request{Header: http.Header{}}, sessionName)
	if err != nil {
		return runner.Ticket{}, err
	}
	fill(session, l)
	reply := response{}
	if err := session.Save(nil, reply); err != nil {
		return runner.Ticket{}, err
	}
	_, cookie, _ := strings.Cut(reply.Header().Get("Set-Cookie"), "=")
	value, _, _ := strings.Cut(cookie, ";")
	return runner.Ticket{Cookie: value, ID: session.ID}, nil
}

func (g *gorillaStore) Find(_ context.Context, t runner.Ticket) (runner.Login, bool, error) {
	request := &http.Request{Header: http.Header{"Cookie": {sessionName + "=" + t.Cookie}}}
	session, err := g.store.New(request, sessionName)
	if err != nil || session.IsNew {
		return runner.Login{}, false, err
	}
	return loginOf(func(key string) any { return session.Values[key] }), true, nil
}

// Refresh saves what the request has loaded.
func (g *gorillaStore) Refresh(_ context.Context, t runner.Ticket, l runner.Login) error {
	session := g.loaded(t)
	fill(session, l)
	return session.Save(nil, response{})
}

// Delete saves a session that has ended.
func (g *gorillaStore) Delete(_ context.Context, t runner.Ticket) error {
	session := g.loaded(t)
	session.Options.MaxAge = -1
	return session.Save(nil, response{})
}

func (g *gorillaStore) Close() error { return g.store.Close() }

// loaded is a session as Find leaves it to the rest of its request.
func (g *gorillaStore) loaded(t runner.Ticket) *sessions.Session {
	session := sessions.NewSession(g.store, sessionName)
	options := *g.store.Options
	session.ID, session.Options = t.ID, &options
	return session
}

// fill gives a session its values and its age.
func fill(session *sessions.Session, l runner.Login) {
	session.Options.MaxAge = int(l.Lifetime() / time.Second)
	session.Values[keyUser], session.Values[keyAgent], session.Values[keyAddress] = l.UserID, l.UserAgent, l.IPAddress
	session.Values[keyCreated], session.Values[keyUpdated] = l.CreatedAt.UnixMilli(), l.UpdatedAt.UnixMilli()
	session.Values[keyExpires] = l.ExpiresAt.UnixMilli()
}

// response is the header of one that goes nowhere.
type response http.Header

// Header is part of http.ResponseWriter.
func (r response) Header() http.Header { return http.Header(r) }

// Write is part of http.ResponseWriter.
func (response) Write(body []byte) (int, error) { return len(body), nil }

// WriteHeader is part of http.ResponseWriter.
func (response) WriteHeader(int) {}
