//go:build !race

package siege_test

const mostGoroutines = 1 << 20
