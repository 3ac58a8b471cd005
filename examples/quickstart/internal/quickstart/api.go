package quickstart

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

const (
	// audience is the API's name at the issuer: what must be in a token's aud.
	audience = "https://orders.example.test"

	// The API's own credentials, with which it may ask the issuer about tokens.
	apiID     = "orders-api"
	apiSecret = "orders-api-secret"

	// revocationLimit is how long a revoked opaque token can pass. The default
	// is 30 s; a demonstration should not take that long.
	revocationLimit = time.Second
)

// newValidator is what an API configures: whom it trusts, and how it is called there.
// All else is a field of its own, for what this quickstart goes through: opaque tokens,
// for which Keys must say that there are JWTs, too; tokens that are bound to their
// client's key; killed, which is what must not pass although its issuer calls it good.
func newValidator(trusted string, killed *revocation.List, log observe.Observer) (*validator.Validator, error) {
	issuer := validator.Issuer{URL: trusted, Audience: []string{audience}}
	issuer.Keys = &jwks.Config{}
	issuer.Introspection = &introspection.Config{
		Auth:             introspection.ClientSecretBasic(apiID, introspection.Secret(apiSecret)),
		PositiveLifetime: revocationLimit,
	}

	config := validator.Config{Issuers: []validator.Issuer{issuer}}
	config.DPoP = &dpop.Config{}
	config.Revocations = killed
	config.Observer = log

	v, err := validator.New(config)
	return v, err
}

// Greeting is what a client is told that was let in.
type Greeting struct {
	Client string `json:"client"`
	Scope  string `json:"scope"`
}

// Greet greets the client of a token.
func Greet(t *validator.Token) Greeting {
	return Greeting{Client: t.ClientID(), Scope: t.Scopes().String()}
}

// NetHTTP is the API on net/http.
var NetHTTP = Framework{Name: "net/http", Routes: onNetHTTP}

func onNetHTTP(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Greet(validator.FromContext(r.Context()))) // the client may have gone
	})
	auth := httpauth.New(v, cfg)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(orders))
	mux.Handle("POST /orders", auth.Require(scopes.All("orders:write"))(orders))
	mux.Handle("DELETE /orders", auth.RequireFresh(0, scopes.All("orders:read"))(orders))
	auth.MountMetadata(mux) // which challenges point at
	return mux
}
