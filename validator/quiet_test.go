package validator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestNoNewsIsNotLogged: in a user's test, and at an API's start, nobody reads
// about keys that are as they should be.
func TestNoNewsIsNotLogged(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for name, algorithms := range map[string][]string{"default": nil, "RS256, as most presets": {"RS256"}, "EdDSA": {"EdDSA"}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			iss := issuertest.New(t)
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}, Algorithms: algorithms}}})
			if err != nil {
				t.Fatal(err)
			}
			claims := issuertest.Claims{}
			if algorithms != nil {
				claims.Algorithm = algorithms[0]
			}
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(claims)))
			v.Close()
			if log.Len() > 0 {
				t.Errorf("logged: %s", &log)
			}
		})
	}
}

// TestHostileKeySetsInLogs: kids are the issuer's to choose. They break out of no
// line, fill none, and do not fill a log by their number either.
func TestHostileKeySetsInLogs(t *testing.T) {
	var good map[string]any
	if err := json.Unmarshal(testdata.PublicKey("ed25519-a"), &good); err != nil {
		t.Fatal(err)
	}
	good["kid"] = "\u202e\x1b[2J" + strings.Repeat("k", 100_000)
	keys := []any{good}
	for i := range 450 {
		keys = append(keys, map[string]any{"kty": "RSA", "kid": fmt.Sprint("\n\u202e", strings.Repeat("z", 20_000/(i+1)), i)}, map[string]any{"kty": "RSA", "use": "enc", "kid": fmt.Sprint(i)})
	}
	iss := issuertest.NewInMemory(t)
	iss.SetJWKS(object(map[string]any{"keys": keys}), nil)
	var log bytes.Buffer
	v := newValidator(t, keysOf(iss), func(c *validator.Config) {
		c.Observer = validator.LogEvents(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
	wantOutcome(t, "key")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	v.Close()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) > 25 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > 1000 || strings.ContainsFunc(line, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("a line of %d bytes: %.300q", len(line), line)
		}
	}
}
