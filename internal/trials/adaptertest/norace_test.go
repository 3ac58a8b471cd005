//go:build !race

package adaptertest_test

// floods is how many proofs are in one.
const floods = 50_000
