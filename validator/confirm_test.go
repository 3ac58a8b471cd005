package validator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestAnswersAboutAnotherToken: what VerifyFresh is told of must be the token that
// it asked about, as far as both say who that is.
func TestAnswersAboutAnotherToken(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	strict, lenient := bothOf(iss), bothOf(iss)
	lenient.DangerouslyAcceptAnswerID = true
	claims := goodClaims(iss, time.Now())
	claims["sub"], claims["client_id"], claims["jti"] = "subject", "client", "id"
	whole := signed(iss, claims)
	for _, name := range []string{"sub", "client_id", "jti"} {
		delete(claims, name)
	}
	bare := signed(iss, claims)
	claims["azp"] = "client"
	byAZP := signed(iss, claims)
	for name, tc := range map[string]struct {
		raw           string
		answer        map[string]any
		want, lenient string
	}{
		"says nothing of it":       {whole, map[string]any{}, "ok", "ok"},
		"the same":                 {whole, map[string]any{"sub": "subject", "client_id": "client", "jti": "id"}, "ok", "ok"},
		"nulls":                    {whole, map[string]any{"sub": json.RawMessage("null"), "client_id": json.RawMessage("null"), "jti": json.RawMessage("null")}, "ok", "ok"},
		"another jti":              {whole, map[string]any{"sub": "subject", "client_id": "client", "jti": "other"}, "active", "ok"},
		"another jti and no more":  {whole, map[string]any{"jti": "other"}, "active", "ok"},
		"another subject":          {whole, map[string]any{"sub": "other", "client_id": "client", "jti": "id"}, "active", "active"},
		"another client":           {whole, map[string]any{"sub": "subject", "client_id": "other", "jti": "id"}, "active", "active"},
		"in another case":          {whole, map[string]any{"sub": "Subject"}, "active", "active"},
		"a longer one":             {whole, map[string]any{"client_id": "client "}, "active", "active"},
		"all other":                {whole, map[string]any{"sub": "x", "client_id": "y", "jti": "z"}, "active", "active"},
		"a JWT that says nothing":  {bare, map[string]any{"sub": "x", "client_id": "y", "jti": "z"}, "ok", "ok"},
		"the client by azp":        {byAZP, map[string]any{"client_id": "client"}, "ok", "ok"},
		"another client by azp":    {byAZP, map[string]any{"client_id": "other"}, "active", "active"},
		"another, and its own azp": {whole, map[string]any{"azp": "other"}, "active", "active"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.answer["active"], tc.answer["aud"] = true, issuertest.Audience
			iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, string(object(tc.answer))))
			for range 2 {
				_, err := newMany(t, strict).VerifyFresh(t.Context(), tc.raw, 0)
				wantOutcome(t, tc.want)(nil, err)
				if err != nil && (!strings.Contains(err.Error(), "another token") || err.(*validator.Error).Description() != "The authorization server did not confirm this access token.") {
					t.Errorf("%v does not say what is wrong", err)
				}
				wantOutcome(t, tc.lenient)(newMany(t, lenient).VerifyFresh(t.Context(), tc.raw, 0))
			}
		})
	}
}

// TestARecordedAnswerConfirmsNoOtherToken: a signed answer is bound to no token
// (RFC 9701), so one that was recorded for an active token could count for a
// revoked one within a minute.
func TestARecordedAnswerConfirmsNoOtherToken(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newMany(t, signedAnswers(iss))
	own := map[string]any{"active": true, "jti": "attackers-own", "sub": "attacker", "client_id": "attacker", "scope": "orders:read"}
	answer := goodAnswer(iss, time.Now())
	answer.payload["token_introspection"] = own
	recorded := answer.sign(iss)
	victim := iss.Token(issuertest.Claims{Scope: "orders:admin", ClientID: "victim", Extra: map[string]any{"jti": "stolen-and-revoked"}})
	iss.Revoke(victim)
	answering(iss, mediaType, recorded)
	wantOutcome(t, "active")(v.VerifyFresh(t.Context(), victim, 0))
	wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), iss.Token(issuertest.Claims{ClientID: "attacker", Extra: map[string]any{"jti": "attackers-own"}}), 0))
}

// TestAnAnswerIsReadOnce: an answer that introspection remembers is not read and
// judged at every request, but its times are.
func TestAnAnswerIsReadOnce(t *testing.T) {
	for _, tc := range fresh {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				issuer := tc.issuer(iss)
				issuer.Introspection.PositiveLifetime = time.Hour
				clock := newClock(time.Now())
				v := newValidator(t, issuer, func(c *validator.Config) { c.Now, c.ClockSkew = clock.Now, -1 })
				raw := tc.token(iss)
				answer := map[string]any{"active": true, "aud": issuertest.Audience, "nbf": clock.Now().Add(-time.Minute).Unix(), "note": strings.Repeat("x", 50<<10)}
				iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{}, string(object(answer))))
				first, err := v.VerifyFresh(t.Context(), raw, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					again, err := v.VerifyFresh(t.Context(), raw, time.Hour)
					if err != nil || again != first {
						t.Errorf("%v; the same token: %v", err, again == first)
					}
				}
				clock.set(clock.Now().Add(-time.Hour)) // the clock was wrong
				if _, err := v.VerifyFresh(t.Context(), raw, time.Hour); err == nil {
					t.Error("a token that is not valid yet passes, because its answer was read before")
				}
				wantRequests(t, iss, issuertest.Introspection, 1)
				clock.set(clock.Now().Add(time.Hour))
				iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{}, `{"active":true,"aud":"x"}`))
				wantOutcome(t, "aud")(v.VerifyFresh(t.Context(), raw, 0)) // another answer is read
			})
		})
	}
}
