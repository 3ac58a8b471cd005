package jwks_test

import (
	"context"
	"fmt"

	"github.com/m2mguard/m2mguard/jwks"
)

// A public key in PEM has no kid, so it serves tokens with any.
func ExampleNew_pem() {
	keys, err := jwks.New(jwks.Config{Set: []byte(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`)})
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
	fmt.Printf("%T %s\n", key.Public(), key.Thumbprint())
	// Output: ed25519.PublicKey 3YZxBJ12jO3n_mXt_q-j_Z-TFP1vt-NiI3OCf-fEnHQ
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
