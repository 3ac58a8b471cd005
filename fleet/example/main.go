// Command example runs two APIs behind one Redis. A client is revoked at one of them,
// and refused at the other by its next request.
//
//	go run ./example                                 with a Redis of its own, in this process
//	go run ./example -redis redis://127.0.0.1:6379   with a real one
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func main() {
	url := flag.String("redis", "", "where Redis is; empty for one of this process")
	flag.Parse()
	if err := run(context.Background(), *url); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string) error {
	if url == "" {
		redis, err := miniredis.Run()
		if err != nil {
			return err
		}
		defer redis.Close()
		url = "redis://" + redis.Addr()
	}
	iss, err := issuertest.Start()
	if err != nil {
		return err
	}
	defer iss.Close()
	secret := make([]byte, 32) // of a deployment's configuration, the same for all instances
	_, _ = rand.Read(secret)

	orders, err := newAPI(iss, url, secret)
	if err != nil {
		return err
	}
	defer orders.close()
	invoices, err := newAPI(iss, url, secret)
	if err != nil {
		return err
	}
	defer invoices.close()

	token := iss.Token(issuertest.Claims{Scope: "read"})
	for _, api := range []*api{orders, invoices} {
		if err := api.wait(ctx, token); err != nil {
			return err
		}
	}
	fmt.Println("before: orders", orders.status(ctx, token), "invoices", invoices.status(ctx, token))

	receipt, err := orders.shared.Revoke(ctx, revocation.Block(revocation.Client(iss.URL(), issuertest.ClientID)))
	if err != nil {
		return err
	}
	if err := receipt.Wait(ctx); err != nil {
		return err
	}
	fmt.Println("after:  orders", orders.status(ctx, token), "invoices", invoices.status(ctx, token))

	receipt, err = invoices.shared.Revoke(ctx, revocation.Lift(revocation.Client(iss.URL(), issuertest.ClientID)))
	if err != nil {
		return err
	}
	if err := receipt.Wait(ctx); err != nil {
		return err
	}
	fmt.Println("lifted: orders", orders.status(ctx, token), "invoices", invoices.status(ctx, token))
	return nil
}

// api is one API, with what it holds.
type api struct {
	shared    *fleet.Fleet
	validator *validator.Validator
	server    *httptest.Server
}

func newAPI(iss *issuertest.Issuer, url string, secret []byte) (*api, error) {
	shared, err := fleet.New(fleet.Config{URL: url, Name: "example", Secrets: func() [][]byte { return [][]byte{secret} }})
	if err != nil {
		return nil, err
	}
	v, err := validator.New(validator.Config{
		Issuers:     []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Revocations: shared.Revocations(),
	})
	if err != nil {
		shared.Close()
		return nil, err
	}
	handler := httpauth.New(v, nil).Require(scopes.All("read"))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	return &api{shared, v, httptest.NewServer(handler)}, nil
}

func (a *api) close() {
	a.server.Close()
	a.validator.Close()
	a.shared.Close()
}

// status is what a request with a token is answered.
func (a *api) status(ctx context.Context, token string) int {
	r, err := http.NewRequestWithContext(ctx, "GET", a.server.URL, nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := a.server.Client().Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// wait asks until the list was filled: before, the answer is 503.
func (a *api) wait(ctx context.Context, token string) error {
	for a.status(ctx, token) == http.StatusServiceUnavailable {
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
