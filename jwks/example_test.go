package jwks_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/m2mguard/m2mguard/jwks"
)

// A user of golang-jwt takes the keys from here, and asks for the checks that
// golang-jwt makes only when told to.
func ExampleKeySet_Keyfunc() {
	issuer, private := exampleIssuer()
	defer issuer.Close()

	keys, err := jwks.New(jwks.Config{Issuer: issuer.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()

	signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Issuer:    issuer.URL,
		Subject:   "orders-worker",
		Audience:  jwt.ClaimStrings{"https://orders.example.com"},
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	})
	signed.Header["kid"] = "2026-01"
	raw, err := signed.SignedString(private)
	if err != nil {
		fmt.Println(err)
		return
	}

	token, err := jwt.Parse(raw, keys.Keyfunc,
		jwt.WithValidMethods([]string{"RS256", "ES256", "EdDSA"}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuer(issuer.URL),
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

// A fixed set needs no network.
func ExampleKeySet_Lookup() {
	keys, err := jwks.New(jwks.Config{Set: []byte(`{"keys": [
		{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	]}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()

	key, err := keys.Lookup(context.Background(), "2026-01", true, "EdDSA")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.ID(), key.Thumbprint())

	_, err = keys.Lookup(context.Background(), "2026-01", true, "RS256")
	fmt.Println(err)
	// Output:
	// 2026-01 kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
	// jwks: no such key: the key with kid "2026-01" does not serve "RS256"
}

// exampleIssuer serves metadata and one key.
func exampleIssuer() (*httptest.Server, ed25519.PrivateKey) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, server.URL, server.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01", "x": %q}]}`,
			base64.RawURLEncoding.EncodeToString(public))
	})
	return server, private
}
