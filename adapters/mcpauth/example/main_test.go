package main

import (
	"context"
	"log"
)

func Example() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// list_orders: orders of m2m-client
	// cancel_order with "orders:read" needs "orders:write"
	// cancel_order with "orders:read orders:write" needs "orders:write orders:recall"
	// cancel_order: cancelled
}
