// Package connectcalls_test has calls of Connect's over one connection on loopback, client
// and all, guarded by m2mguard, by connectrpc.com/authn with golang-jwt, and by nobody:
//
//	go test -run xxx -bench Medians -benchtime 1x ./internal/connectcalls
package connectcalls_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/authn"
	"connectrpc.com/connect"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const list = "/orders.v1.Orders/List"

// guards are those who stand before the handler, nobody first.
func guards(t testing.TB, f *fixture.Fixture) []guard {
	t.Helper()
	v, err := contender.NewValidator(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	keys, err := keyfunc.NewJWKSetJSON(f.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{f.Algorithm}), jwt.WithIssuer(f.URL()),
		jwt.WithAudience(issuertest.Audience), jwt.WithExpirationRequired(),
	)
	type claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	return []guard{
		{"Connect", func(next http.Handler) http.Handler { return next }},
		{"Connect + m2mguard", connectauth.New(v, connectauth.Rules{list: scopes.All(fixture.Scope)}, nil).Protect},
		{"Connect + authn, golang-jwt, keyfunc", authn.NewMiddleware(func(_ context.Context, r *http.Request) (any, error) {
			raw, ok := authn.BearerToken(r)
			if !ok {
				return nil, authn.Errorf("no token")
			}
			var c claims
			if _, err := parser.ParseWithClaims(raw, &c, keys.Keyfunc); err != nil {
				return nil, authn.Errorf("bad token")
			}
			for scope := range strings.FieldsSeq(c.Scope) {
				if scope == fixture.Scope {
					return &c, nil
				}
			}
			return nil, connect.NewError(connect.CodePermissionDenied, errors.New("a scope is missing"))
		}).Wrap},
	}
}

type guard struct {
	name    string
	protect func(http.Handler) http.Handler
}

// call asks a server of its own, again and again.
func (g guard) call(t testing.TB) func(token string) error {
	t.Helper()
	server := httptest.NewUnstartedServer(g.protect(connect.NewUnaryHandler(list, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return connect.NewResponse(new(emptypb.Empty)), nil
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](server.Client(), server.URL+list)
	return func(token string) error {
		request := connect.NewRequest(new(emptypb.Empty))
		request.Header().Set("Authorization", "Bearer "+token)
		_, err := client.CallUnary(context.Background(), request)
		return err
	}
}

// TestEachDoesTheWholeJob: whoever guards lets the good token in, and no bad one.
func TestEachDoesTheWholeJob(t *testing.T) {
	f, err := fixture.New("RS256")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guards(t, f)[1:] {
		call := g.call(t)
		if err := call(f.Good()); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		for _, bad := range f.Rejections() {
			if err := call(bad.Token); connect.CodeOf(err) != connect.CodeUnauthenticated && connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s, %s: %v", g.name, bad.Name, err)
			}
		}
	}
}

// BenchmarkMedians reports the medians of ten runs in turns, with a token that was seen
// before.
func BenchmarkMedians(b *testing.B) {
	f, err := fixture.New("RS256")
	if err != nil {
		b.Fatal(err)
	}
	var group []measure.Subject
	for _, g := range guards(b, f) {
		call, token := g.call(b), f.Good()
		group = append(group, measure.Subject{Name: g.name, Worker: measure.Each(func() error { return call(token) })})
	}
	results, err := measure.Run(group, measure.One, measure.Options{Count: 10, Batch: 300 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range results {
		b.Logf("%-38s %6.1f µs, %d allocations", r.Name, r.Time/1000, r.Allocs)
	}
}
