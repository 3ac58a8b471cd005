// Package snippets holds the test that what the pages show in Go compiles.
package snippets
