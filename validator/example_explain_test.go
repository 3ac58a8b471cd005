package validator_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// All that is wrong with a request at once, for its operator: in an endpoint that only
// operators reach, or in a program that reads a token from a file.
func ExampleValidator_Explain() {
	iss, err := issuertest.Start() // stands in for the real issuer
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{"https://orders.example.com"}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	token := iss.Token(issuertest.Claims{ // of yesterday, for another API
		IssuedAt: time.Now().Add(-24 * time.Hour), Audience: []string{"https://invoices.example.com"}, Scope: "orders:read",
	})
	rule := scopes.All("orders:read")
	e := v.Explain(context.Background(), &validator.Request{Scheme: "Bearer", Token: token}, validator.ExplainOptions{
		Network: true, // fetches the keys, if they are not there
		Rule:    &rule,
	})
	fmt.Println("accepted:", e.Accepted, "by its issuer:", e.Proven)
	for _, s := range e.Steps {
		if s.Outcome() == "failed" {
			fmt.Printf("%s: %s\n", s.Name, s.Fix)
		}
	}
	// Output:
	// accepted: false by its issuer: true
	// exp: the client should fetch a new token; Config.ClockSkew and Config.Now
	// aud: Issuer.Audience, or the audience that the client asks for
}
