package main

import "context"

func Example() {
	if err := run(context.Background(), ""); err != nil {
		panic(err)
	}
	// Output:
	// before: orders 204 invoices 204
	// after:  orders 401 invoices 401
	// lifted: orders 204 invoices 204
}
