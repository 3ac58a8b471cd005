// Package connectcalls makes calls of Connect's over one connection on loopback, client and
// all, guarded by m2mguard, by connectrpc.com/authn with golang-jwt, and by nobody.
package connectcalls

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"connectrpc.com/authn"
	"connectrpc.com/connect"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Modules are what the report names the versions of.
var Modules = []string{"connectrpc.com/connect", "connectrpc.com/authn"}

const list = "/orders.v1.Orders/List"

// Guard is who stands before the handler.
type Guard struct {
	Name    string
	protect func(http.Handler) http.Handler
}

// Guards are all of them, nobody first.
func Guards(f *fixture.Fixture, v *validator.Validator) ([]Guard, error) {
	keys, err := keyfunc.NewJWKSetJSON(f.JWKS)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{f.Algorithm}), jwt.WithIssuer(f.URL()),
		jwt.WithAudience(issuertest.Audience), jwt.WithExpirationRequired(),
	)
	type claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	return []Guard{
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
			if !slices.Contains(strings.Fields(c.Scope), fixture.Scope) {
				return nil, connect.NewError(connect.CodePermissionDenied, errors.New("a scope is missing"))
			}
			return &c, nil
		}).Wrap},
	}, nil
}

// Serve starts a server behind g, over HTTP/2 with TLS, and returns what calls it with a
// token and what ends it.
func (g Guard) Serve() (call func(token string) error, end func()) {
	server := httptest.NewUnstartedServer(g.protect(connect.NewUnaryHandler(list, func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return connect.NewResponse(new(emptypb.Empty)), nil
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](server.Client(), server.URL+list)
	return func(token string) error {
		request := connect.NewRequest(new(emptypb.Empty))
		request.Header().Set("Authorization", "Bearer "+token)
		_, err := client.CallUnary(context.Background(), request)
		return err
	}, server.Close
}
