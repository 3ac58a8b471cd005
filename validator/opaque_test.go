package validator_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// newChoosing is a validator whose OpaqueIssuer is choose.
func newChoosing(t *testing.T, choose func(context.Context, string) string, issuers ...validator.Issuer) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{Issuers: issuers, OpaqueIssuer: choose})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// byPrefix chooses by what the tokens themselves begin with.
func byPrefix(prefixes map[string]string) func(context.Context, string) string {
	return func(_ context.Context, token string) string {
		for prefix, url := range prefixes {
			if strings.HasPrefix(token, prefix) {
				return url
			}
		}
		return ""
	}
}

// says makes iss call every token active, and shows what it was asked about.
func says(iss *issuertest.Issuer, members map[string]any) (seen *[]string) {
	seen = new([]string)
	members["active"], members["aud"] = true, issuertest.Audience
	body := object(members)
	iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		*seen = append(*seen, r.PostForm.Get("token"))
		w.Write(body)
	})
	return seen
}

// TestOpaqueIssuer shows each token to the issuer that was chosen for it, and to
// no stranger.
func TestOpaqueIssuer(t *testing.T) {
	a, b, keys := issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	seenByA, seenByB := says(a, map[string]any{"client_id": "of-a"}), says(b, map[string]any{"client_id": "of-b"})
	v := newChoosing(t, byPrefix(map[string]string{"a-": a.URL(), "b-": b.URL(), "keys-": keys.URL(), "x-": "https://nobody.example"}),
		answersOf(a), bothOf(b), keysOf(keys))
	for _, tc := range []struct{ raw, client, want string }{
		{"a-1", "of-a", "ok"},
		{"b-1", "of-b", "ok"},
		{"b.2.3", "", "shape"}, // nothing is chosen for it
		{"a-2.3.4", "of-a", "ok"},
		{"c-1", "", "shape"},
		{"keys-1", "", "shape"}, // chosen, and does not introspect
		{"x-1", "", "iss"},      // chosen, and not configured
	} {
		for _, when := range []string{"first", "again"} {
			token, err := v.Verify(t.Context(), tc.raw)
			if got := outcome(token, err); got != tc.want {
				t.Errorf("%s, %s: %s (%v), wanted %s", tc.raw, when, got, err, tc.want)
			}
			if err == nil && token.ClientID() != tc.client {
				t.Errorf("%s, %s: client %q, wanted %q", tc.raw, when, token.ClientID(), tc.client)
			}
		}
		if tc.want == "ok" {
			wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), tc.raw, 0))
		}
	}
	for _, seen := range []struct {
		tokens *[]string
		prefix string
		count  int
	}{{seenByA, "a-", 4}, {seenByB, "b-", 2}} {
		for _, token := range *seen.tokens {
			if !strings.HasPrefix(token, seen.prefix) {
				t.Errorf("a token that begins with %q was shown to a stranger", token[:2])
			}
		}
		if len(*seen.tokens) != seen.count {
			t.Errorf("%d tokens shown to the issuer of %q, wanted %d", len(*seen.tokens), seen.prefix, seen.count)
		}
	}
	if n := asked(keys); n != 0 {
		t.Errorf("%d requests to an issuer that proves JWTs, wanted none", n)
	}
}

// TestJWTsAreNotChosenFor: a JWT names its issuer, also where that one is to be
// asked.
func TestJWTsAreNotChosenFor(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	v := newChoosing(t, func(context.Context, string) string {
		t.Error("OpaqueIssuer was asked about a JWT")
		return a.URL()
	}, answersOf(a), bothOf(b))
	for range 2 {
		wantOutcome(t, "ok")(v.Verify(t.Context(), a.Token(issuertest.Claims{})))
		wantOutcome(t, "ok")(v.Verify(t.Context(), b.Token(issuertest.Claims{})))
	}
	wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), b.Token(issuertest.Claims{}), 0))
	wantRequests(t, a, issuertest.Introspection, 2)
	wantRequests(t, b, issuertest.Introspection, 1)
}

type tenantKey struct{}

// TestOpaqueIssuerOfTheRequest chooses by the request: that a token is in the
// cache because one tenant's request brought it does not let it in to another.
func TestOpaqueIssuerOfTheRequest(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	v := newChoosing(t, func(ctx context.Context, _ string) string {
		return ctx.Value(tenantKey{}).(string)
	}, answersOf(a), answersOf(b))
	forA := context.WithValue(t.Context(), tenantKey{}, a.URL())
	forB := context.WithValue(t.Context(), tenantKey{}, b.URL())
	raw := a.Opaque(issuertest.Claims{})
	for range 2 {
		wantOutcome(t, "ok")(v.Verify(forA, raw))
		wantOutcome(t, "active")(v.Verify(forB, raw))
		wantOutcome(t, "active")(v.VerifyFresh(forB, raw, 0))
	}
	wantRequests(t, a, issuertest.Introspection, 1)
	wantRequests(t, b, issuertest.Introspection, 1) // which remembers that it is inactive
}
