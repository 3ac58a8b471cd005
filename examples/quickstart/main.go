// Quickstart shows m2mguard at work on one machine, with nothing to set up.
//
//	go run ./examples/quickstart
//
// starts a fake authorization server and an API on net/http that trusts it. A client
// gets real tokens through the client credentials flow, JWTs and opaque ones, and tries
// the API with good tokens and bad ones. Then what happens in the course of a year
// happens in two seconds: keys rotate, tokens are revoked, a client is blocked on all
// instances, a bound token is stolen, the issuer goes down, and an instance starts cold.
// The exit code is 0 if everything went as expected, and 1 otherwise.
//
//	go run ./examples/quickstart/all
//
// has the same API on Echo and Gin beside it.
//
//	go run ./examples/quickstart -serve
//
// keeps the servers up until it is interrupted, prints lines to paste into a shell, and
// logs what an operator would read. The issuer is then at 127.0.0.1:8400, the API at
// 8401 (on Echo at 8402, on Gin at 8403), and what stands in for the operator at 8404.
//
// Where to read on: internal/quickstart/api.go is what an API's author writes. Beside
// it, checks.go holds the requests and what each should be answered, drills.go and
// killed.go the drills, and demo.go what it takes to run all of it in one process.
package main

import "github.com/m2mguard/m2mguard/examples/quickstart/internal/quickstart"

func main() { quickstart.Main(quickstart.NetHTTP) }
