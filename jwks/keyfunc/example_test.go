package keyfunc_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/jwks/keyfunc"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// A user of golang-jwt takes the keys from here, and asks for the checks that
// golang-jwt makes only when told to.
func ExampleNew() {
	issuer, err := issuertest.Start() // stands in for the real one
	if err != nil {
		fmt.Println(err)
		return
	}
	defer issuer.Close()

	keys, err := jwks.New(jwks.Config{Issuer: issuer.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()

	ctx := context.Background() // in a handler, the request's
	raw := issuer.Token(issuertest.Claims{Subject: "orders-worker", Audience: []string{"https://orders.example.com"}})
	token, err := jwt.Parse(raw, keyfunc.New(ctx, keys),
		jwt.WithValidMethods([]string{"RS256", "ES256", "EdDSA"}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuer(issuer.URL()),
		jwt.WithAudience("https://orders.example.com"),
		jwt.WithStrictDecoding(),
	)
	switch {
	case errors.Is(err, jwks.ErrUnavailable):
		fmt.Println("503")
		return
	case err != nil:
		fmt.Println("401", err)
		return
	}
	if _, critical := token.Header["crit"]; critical { // golang-jwt would let it pass
		fmt.Println("401")
		return
	}
	fmt.Println(token.Claims.GetSubject())
	// Output: orders-worker <nil>
}
