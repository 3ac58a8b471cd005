package goredis_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/example/goredis"
	"github.com/m2mguard/m2mguard/revocation"
)

func Example() {
	server, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer client.Close()

	ctx := context.Background()
	secrets := func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} } // random ones, in earnest
	var both [2]*fleet.Fleet
	for n := range both {
		if both[n], err = fleet.New(fleet.Config{Conn: goredis.Conn{Client: client}, Name: "orders", Secrets: secrets}); err != nil {
			log.Fatal(err)
		}
		defer both[n].Close()
		both[n].Revocations()
	}
	const issuer = "https://id.example.com"
	receipt, err := both[0].Revoke(ctx, revocation.Block(revocation.Client(issuer, "batch")))
	if err != nil {
		log.Fatal(err)
	}
	if err := receipt.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	for {
		changed := both[1].Revocations().Changed()
		if both[1].Revocations().Stats().Entries == 1 {
			break
		}
		<-changed
	}
	fmt.Println(receipt.All(), both[1].Revocations().Stats().Entries)
	// Output: true 1
}
