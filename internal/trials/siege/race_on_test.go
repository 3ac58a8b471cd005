//go:build race

package siege_test

// mostGoroutines is what the race detector bears, less what a test needs beside.
const mostGoroutines = 7000
