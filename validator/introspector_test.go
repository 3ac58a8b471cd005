package validator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// reviewing answers about tokens in its own way; without an answer it says inactive.
type reviewing struct {
	answers map[string]map[string]any
	err     error
}

func (r reviewing) IntrospectToken(_ context.Context, token string) (introspection.Answer, error) {
	claims, active := r.answers[token]
	return introspection.Answer{Active: active, Claims: claims}, r.err
}

// TestIntrospector: what it says passes the same checks as an endpoint's answer.
func TestIntrospector(t *testing.T) {
	now := time.Now().Unix()
	own := func(changes map[string]any) map[string]any {
		claims := map[string]any{"aud": "api", "sub": "svc", "scope": "orders:read", "exp": now + 60}
		for name, value := range changes {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return claims
	}
	answers := reviewing{answers: map[string]map[string]any{
		"good": own(nil), "listed": own(map[string]any{"aud": []string{"x", "api"}}), "expired": own(map[string]any{"exp": now - 60}),
		"foreign": own(map[string]any{"iss": "https://other.example.com"}), "for-another": own(map[string]any{"aud": "x"}), "for-nobody": own(map[string]any{"aud": nil}),
		"bound": own(map[string]any{"cnf": map[string]any{"jkt": "x"}}), "early": own(map[string]any{"nbf": now + 600}), "old": own(map[string]any{"iat": now - 7200}),
	}}
	iss := validator.Issuer{URL: "https://id.example.com", Audience: []string{"api"}, Introspection: &introspection.Config{Introspector: answers}}
	v := newMany(t, iss)
	for token, want := range map[string]string{
		"good": "ok", "listed": "ok", "expired": "exp", "foreign": "iss", "for-another": "aud", "for-nobody": "aud", "bound": "cnf", "early": "nbf", "old": "ok", "unknown": "active",
	} {
		for range 2 {
			wantOutcome(t, want)(v.Verify(t.Context(), token))
		}
		wantOutcome(t, want)(v.VerifyFresh(t.Context(), token, 0))
	}
	if err := v.CanVerifyFresh(); err != nil {
		t.Error(err)
	}
	if err := v.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	iss.MaxTokenLifetime = time.Hour
	wantOutcome(t, "exp")(newMany(t, iss).Verify(t.Context(), "old"))

	// Beside keys it confirms JWTs.
	fake := issuertest.NewInMemory(t)
	raw, revoked := fake.Token(issuertest.Claims{}), fake.Token(issuertest.Claims{ClientID: "other"})
	both := keysOf(fake)
	both.Introspection = &introspection.Config{Introspector: reviewing{answers: map[string]map[string]any{raw: {}}}}
	v = newMany(t, both)
	wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0))
	wantOutcome(t, "ok")(v.Verify(t.Context(), revoked))
	wantOutcome(t, "active")(v.VerifyFresh(t.Context(), revoked, 0))
}

// TestIntrospectorInTrouble is 503 with the time that it asks for, and a log line that
// says whose trouble it is and no token.
func TestIntrospectorInTrouble(t *testing.T) {
	down := errors.New("dial tcp 192.0.2.1:443: connection refused")
	v := newMany(t, validator.Issuer{URL: "https://id.example.com", Audience: []string{"api"}, Introspection: &introspection.Config{
		Introspector: reviewing{err: introspection.AboutEndpoint(down, 0)},
	}})
	_, err := v.Verify(t.Context(), "token-of-somebody")
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
	if !errors.Is(err, down) || !strings.Contains(err.Error(), "Config.Introspector: "+down.Error()) || strings.Contains(err.Error(), "token-of-somebody") {
		t.Errorf("%v", err)
	}
}
