package config_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

// TestNoYAMLQuotesNothing: a secret with a sign of YAML's before it is in no error.
func TestNoYAMLQuotesNothing(t *testing.T) {
	const secret = "s3cret-of-the-client"
	for _, text := range []string{
		"client: *" + secret + "\n", "a: &" + secret + " {b: *" + secret + "}\n", "a: !<" + secret + "\n", "a: !!x!" + secret + "! b\n",
		"%" + secret + "\n---\na: 1\n", "%TAG !" + secret + "\n---\n", "a: \"\\q" + secret, "a: [" + secret + "\n", "a: @" + secret + "\n", "a: b\n\t" + secret + "\n",
	} {
		_, err := config.Read(strings.NewReader(text))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
