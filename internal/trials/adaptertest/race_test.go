//go:build race

package adaptertest_test

// floods is a tenth under the race detector, which makes each signature dear.
const floods = 5_000
