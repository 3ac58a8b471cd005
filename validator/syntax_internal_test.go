package validator

import (
	"strings"
	"testing"
)

// TestAlphabet holds each byte in each place against RFC 6750 §2.1, among eight that
// are looked at together and beside them.
func TestAlphabet(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	for _, rest := range []byte{'A', 'z', '9', '~', '+'} {
		for length := 1; length <= 17; length++ {
			for place := range length {
				for c := range 256 {
					text := []byte(strings.Repeat(string(rest), length))
					text[place] = byte(c)
					want := strings.IndexByte(alphabet, byte(c)) >= 0 || c == '=' && place == length-1 && place > 0
					if got := isB64Token(string(text)); got != want {
						t.Fatalf("%q: %v", text, got)
					}
				}
			}
		}
	}
	for text, want := range map[string]bool{"": false, "=": false, "==": false, "a=": true, "a==": true, "a===": true, "a=b": false, "=a": false, strings.Repeat("a", 8) + "=": true, strings.Repeat("a=", 8): false} {
		if got := isB64Token(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
