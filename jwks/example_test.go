package jwks_test

import (
	"context"
	"fmt"

	"github.com/m2mguard/m2mguard/jwks"
)

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
