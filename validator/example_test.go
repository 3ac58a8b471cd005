package validator_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// One issuer, whose keys are discovered, cached and rotated. New makes no
// request, so an issuer that is down does not keep an API from starting.
func ExampleNew() {
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      "https://id.example.com",
			Audience: []string{"https://orders.example.com"},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	// Output:
}

// JWTs by the issuer's keys and opaque tokens by introspection.
func ExampleNew_introspection() {
	secret := introspection.Secret("from a vault")
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      "https://id.example.com",
			Audience: []string{"https://orders.example.com"},
			Keys:     &jwks.Config{},
			Introspection: &introspection.Config{
				Auth: introspection.ClientSecretBasic("orders-api", secret),
			},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	// Output:
}

// Every fault of a Config is reported at once.
func ExampleNew_faults() {
	_, err := validator.New(validator.Config{
		ClockSkew: time.Hour,
		Issuers:   []validator.Issuer{{URL: "https://id.example.com"}},
	})
	fmt.Println(err)
	// Output:
	// validator: Config.ClockSkew is 1h0m0s, wanted at most 5m0s
	// validator: Issuer "https://id.example.com": Audience is empty, wanted the name of this API as the issuer writes it into aud
}

// An adapter does this for each request.
func ExampleValidator_Verify() {
	iss, err := issuertest.Start() // stands in for the real issuer
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	for _, raw := range []string{
		iss.Token(issuertest.Claims{ClientID: "billing", Scope: "orders:read"}),
		iss.Bad(issuertest.Expired, issuertest.Claims{}),
		iss.Bad(issuertest.OtherKey, issuertest.Claims{}),
	} {
		token, err := v.Verify(context.Background(), raw)
		var refused *validator.Error
		switch {
		case err == nil:
			fmt.Printf("%s may %s\n", token.ClientID(), token.Scopes())
		case errors.Is(err, validator.ErrUnavailable):
			fmt.Println("try again later") // it says nothing about the token
		case errors.As(err, &refused):
			fmt.Printf("%s: %s\n", refused.Check(), refused.Description())
		}
	}
	// Output:
	// billing may orders:read
	// exp: The access token has expired.
	// signature: The signature of the access token is not valid.
}

// greet is a handler behind an adapter: the token in the request's context has
// passed every check.
func greet(w http.ResponseWriter, r *http.Request) {
	token := validator.FromContext(r.Context())
	fmt.Fprintf(w, "hello %s", token.ClientID())
	if token.Check(scopes.All("orders:write")) == nil {
		fmt.Fprint(w, ", you may write")
	}
}

// A unit test of a handler puts a token into the context by itself.
func ExampleFromContext() {
	token, err := validator.DangerouslyUnverified([]byte(`{"client_id": "billing", "scope": "orders:write"}`), validator.Profile{})
	if err != nil {
		log.Fatal(err)
	}
	request := httptest.NewRequest("GET", "/", nil)
	request = request.WithContext(validator.NewContext(request.Context(), token))
	response := httptest.NewRecorder()
	greet(response, request)
	fmt.Println(response.Body)
	// Output: hello billing, you may write
}

func ExampleToken_Claims() {
	token, err := validator.DangerouslyUnverified([]byte(`{"client_id": "billing", "plan": "gold"}`), validator.Profile{})
	if err != nil {
		log.Fatal(err)
	}
	var own struct {
		Plan string `json:"plan"`
	}
	if err := token.Claims(&own); err != nil {
		log.Fatal(err)
	}
	fmt.Println(own.Plan)
	// Output: gold
}

func ExampleToken_Claim() {
	token, err := validator.DangerouslyUnverified([]byte(`{"client_id": "billing", "tenant": {"plan": "gold"}}`), validator.Profile{})
	if err != nil {
		log.Fatal(err)
	}
	var plan string
	if err := token.Claim("/tenant/plan", &plan); err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan)
	fmt.Println(errors.Is(token.Claim("/tenant/owner", &plan), validator.ErrNoClaim))
	// Output:
	// gold
	// true
}

// Who acts for the subject: only ErrNoClaim says that nobody does.
func ExampleToken_Actor() {
	for _, claims := range []string{`{"sub": "alice", "act": {"sub": "agent"}}`, `{"sub": "alice"}`, `{"sub": "alice", "act": "agent"}`} {
		token, err := validator.DangerouslyUnverified([]byte(claims), validator.Profile{})
		if err != nil {
			log.Fatal(err)
		}
		switch actor, err := token.Actor(); {
		case err == nil:
			fmt.Println(actor.Subject, "for", token.Subject())
		case errors.Is(err, validator.ErrNoClaim):
			fmt.Println(token.Subject())
		default:
			fmt.Println("refused:", err)
		}
	}
	// Output:
	// agent for alice
	// alice
	// refused: validator: claim act is no object (RFC 8693 §4.1)
}

// What is granted in detail; what only one type has is a claim by its place.
func ExampleToken_AuthorizationDetails() {
	token, err := validator.DangerouslyUnverified([]byte(`{"authorization_details": [{"type": "payment", "actions": ["initiate"], "limit": 100}]}`), validator.Profile{})
	if err != nil {
		log.Fatal(err)
	}
	details, err := token.AuthorizationDetails()
	if err != nil {
		log.Fatal(err)
	}
	for n, detail := range details {
		var limit int
		if err := token.Claim(fmt.Sprintf("/authorization_details/%d/limit", n), &limit); err != nil {
			log.Fatal(err)
		}
		fmt.Println(detail.Type, detail.Actions, limit)
	}
	// Output: payment [initiate] 100
}
