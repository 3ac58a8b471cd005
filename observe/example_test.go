package observe_test

import (
	"context"
	"fmt"
	"log"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// requestID is the key under which a middleware of the API keeps the request's id.
type requestID struct{}

// An access log of its own: who was refused and why, and who was let in.
func Example() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Observer{Accepted: true, Event: func(ctx context.Context, e *observe.Event) {
			if e.Kind == observe.Accepted || e.Kind == observe.Refused {
				fmt.Println(ctx.Value(requestID{}), e.Kind, e.Client.Text, e.Client.Unproven, e.Check, e.Way)
			}
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	for id, token := range []string{
		iss.Token(issuertest.Claims{ClientID: "billing"}),
		iss.Token(issuertest.Claims{ClientID: "reports", Audience: []string{"https://other.example.com"}}),
	} {
		_, _ = v.Verify(context.WithValue(context.Background(), requestID{}, id), token)
	}
	// Output:
	// 0 token accepted billing false  signature
	// 1 token refused reports true aud
}
