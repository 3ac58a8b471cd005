// Package trials holds the tests against MCP's conformance suite and the TypeScript
// SDK's clients, which need Node and the build tag interop:
//
//	npm ci
//	go test -tags interop
package trials
