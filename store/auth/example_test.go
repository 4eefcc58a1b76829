package auth_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/toriibench/toriibench/store"
	"github.com/toriibench/toriibench/store/auth"
	"github.com/toriibench/toriibench/store/memory"
)

func Example() {
	ctx := context.Background()
	st, err := store.Open(ctx, store.Config{URLs: []string{"memory"}}, memory.Dial)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	service, err := auth.New(st, auth.Options{Strict: true})
	if err != nil {
		fmt.Println(err)
		return
	}

	user, err := service.Register(ctx, auth.NewAccount{Email: "ada@example.org", Password: "correct horse"})
	fmt.Println("registered:", user.Email, err)

	agent := "Firefox"
	login, err := service.Login(ctx, "ada@example.org", "correct horse", auth.Client{UserAgent: &agent})
	fmt.Println("logged in:", login.Session.Token, err) // string(login.Session.Token) goes into the cookie.

	identity, ok, err := service.Authenticate(ctx, login.Session.Token)
	fmt.Println("next request:", identity.User.Email, ok, err)

	_, err = service.Login(ctx, "ada@example.org", "wrong horse", auth.Client{})
	fmt.Println("wrong password:", errors.Is(err, auth.ErrCredentials))

	token, ok, err := service.RequestReset(ctx, "ada@example.org")
	fmt.Println("to be mailed:", token.Token, ok, err)
	_, err = service.ResetPassword(ctx, token.Token, "battery staple")
	fmt.Println("new password:", err)
	_, ok, err = service.Authenticate(ctx, login.Session.Token)
	fmt.Println("the session of before:", ok, err)
	// Output:
	// registered: ada@example.org <nil>
	// logged in: [redacted] <nil>
	// next request: ada@example.org true <nil>
	// wrong password: true
	// to be mailed: [redacted] true <nil>
	// new password: <nil>
	// the session of before: false <nil>
}
