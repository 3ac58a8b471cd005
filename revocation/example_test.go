package revocation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

const example = "https://id.example.com"

// What a validator does: marks stand beside each remembered token, and each request
// asks.
func Example() {
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer list.Close()
	var marks revocation.Marks // when the token is proven
	list.Mark(&marks, &revocation.Token{Issuer: example, ID: "7d1c", Client: "orders-batch", Subject: "orders-batch", KeyID: "2026-11", IssuedAt: time.Now()})
	request := func() {
		switch verdict := list.Check(&marks, revocation.StaleByConfig); verdict.Outcome() {
		case revocation.Passes:
			fmt.Println("200")
		case revocation.Revoked:
			fmt.Println("401", verdict)
		case revocation.AskIssuer: // as RequireFresh does
		case revocation.Unavailable:
			fmt.Println("503", verdict)
		}
	}
	request() // its feed has said nothing yet

	// What a feed does.
	client := revocation.Client(example, "orders-batch")
	tell := func(e revocation.Entry, sequence uint64) {
		record, err := list.Record(e, sequence)
		if err != nil {
			fmt.Println(err)
		}
		if err := list.Merge(record); err != nil {
			fmt.Println(err)
		}
	}
	list.Current(time.Now())
	request()
	tell(revocation.Block(client), 1)
	request()
	tell(revocation.Lift(client), 2)
	tell(revocation.Block(client), 1) // comes again, and was lifted
	request()
	// Output:
	// 503 the list of revocations is not up to date
	// 200
	// 401 an entry for its client stands until it is lifted
	// 200
}

// A file says what is revoked. It is replaced as a whole.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "revoked.json")
	err = os.WriteFile(file, []byte(`{
		"m2mguard_revocations": 1,
		"sequence": 1,
		"entries": [
			{"issuer": "https://id.example.com", "client": "orders-batch", "block": true, "note": "INC-4711"},
			{"issuer": "https://id.example.com", "all": true, "issued_before": "2026-11-26T09:00:00Z"}
		]
	}`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := revocation.New(revocation.Config{File: file})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer list.Close()
	for !list.Stats().Loaded {
		changed := list.Changed()
		if !list.Stats().Loaded {
			<-changed
		}
	}
	var marks revocation.Marks
	list.Mark(&marks, &revocation.Token{Issuer: example, Client: "invoices", Subject: "invoices", IssuedAt: time.Date(2026, 11, 26, 8, 59, 0, 0, time.UTC)})
	fmt.Println(list.Check(&marks, revocation.StaleByConfig))
	list.Mark(&marks, &revocation.Token{Issuer: example, Client: "invoices", Subject: "invoices", IssuedAt: time.Date(2026, 11, 26, 9, 1, 0, 0, time.UTC)})
	fmt.Println(list.Check(&marks, revocation.StaleByConfig))
	// Output:
	// an entry for its issuer refuses what was issued up to 2026-11-26T09:00:00Z
	// nothing is held against it
}

// One opaque token is revoked by a hash of it.
func ExampleHashOpaque() {
	secret := []byte("32 random bytes of a secret store")
	hash := revocation.HashOpaque(secret, example, "the-token-that-leaked")
	fmt.Printf("{%q: %q, %q: %q, %q: true}\n", "issuer", example, "opaque_hash", hash, "block")
	// Output:
	// {"issuer": "https://id.example.com", "opaque_hash": "2911a4550254029a3ffc4a9255b840e5890e0d6461c4a6bd9f5cb4f10ef7a1c1", "block": true}
}
