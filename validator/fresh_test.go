package validator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// fresh is the kinds of tokens that VerifyFresh can be asked about.
var fresh = []struct {
	name   string
	issuer func(*issuertest.Issuer) validator.Issuer
	token  func(*issuertest.Issuer) string
	// later is what Verify says once VerifyFresh has seen the revocation.
	later string
}{
	{"opaque token", answersOf, opaqueToken, "active"},
	{"opaque token of an issuer with keys", bothOf, opaqueToken, "active"},
	{"JWT proven by asking", answersOf, jwtToken, "active"},
	{"JWT proven by its signature", bothOf, jwtToken, "ok"},
}

func opaqueToken(iss *issuertest.Issuer) string { return iss.Opaque(issuertest.Claims{}) }
func jwtToken(iss *issuertest.Issuer) string    { return iss.Token(issuertest.Claims{}) }

func TestFreshRefusesARevokedTokenAtOnce(t *testing.T) {
	for _, tc := range fresh {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			v := newMany(t, tc.issuer(iss))
			raw := tc.token(iss)
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0))
			iss.Revoke(raw)
			before := asked(iss)
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) // from the cache
			if n := asked(iss); n != before {
				t.Errorf("Verify sent %d requests, wanted none", n-before)
			}
			wantOutcome(t, "active")(v.VerifyFresh(t.Context(), raw, 0))
			wantOutcome(t, tc.later)(v.Verify(t.Context(), raw))
			wantOutcome(t, "active")(v.VerifyFresh(t.Context(), raw, time.Hour))
			wantOutcome(t, "active")(v.VerifyFresh(t.Context(), raw, 0))
		})
	}
}

// TestFreshByItself asks about tokens that no Verify has seen.
func TestFreshByItself(t *testing.T) {
	for _, tc := range fresh {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			v := newMany(t, tc.issuer(iss))
			good, revoked := tc.token(iss), tc.token(iss)
			iss.Revoke(revoked)
			wantOutcome(t, "active")(v.VerifyFresh(t.Context(), revoked, 0))
			for n := range 3 {
				wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), good, 0))
				wantRequests(t, iss, issuertest.Introspection, n+2)
			}
			wantOutcome(t, "ok")(v.Verify(t.Context(), good)) // remembered
			wantRequests(t, iss, issuertest.Introspection, 4)
		})
	}
}

func TestFreshAge(t *testing.T) {
	for _, tc := range fresh {
		for _, age := range []struct {
			elapsed, maxAge time.Duration
			asks            bool
		}{
			{5 * time.Second, 5 * time.Second, false},
			{5*time.Second + 1, 5 * time.Second, true},
			{0, 0, true},
			{0, -time.Hour, true}, // is 0
			{time.Second, time.Hour, false},
			{30 * time.Second, time.Hour, true}, // introspection keeps no answer longer
		} {
			t.Run(fmt.Sprintf("%s, %v after an answer, %v", tc.name, age.elapsed, age.maxAge), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					v := newMany(t, tc.issuer(iss))
					raw := tc.token(iss)
					wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0))
					elapse(age.elapsed)
					wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, age.maxAge))
					want := 1
					if age.asks {
						want = 2
					}
					wantRequests(t, iss, issuertest.Introspection, want)
				})
			})
		}
	}
}

// TestFreshJoinsNoCallUnderWay holds one answer back while others ask: they share
// one call, which is sent after it.
func TestFreshJoinsNoCallUnderWay(t *testing.T) {
	for _, tc := range fresh {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newMany(t, tc.issuer(iss))
				raw := tc.token(iss)
				fault, release := held()
				iss.SetFault(issuertest.Introspection, fault)
				var requests sync.WaitGroup
				for range 3 {
					requests.Go(func() { wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0)) })
					synctest.Wait()
					wantRequests(t, iss, issuertest.Introspection, 1)
				}
				release()
				requests.Wait()
				wantRequests(t, iss, issuertest.Introspection, 2)
			})
		})
	}
}

// TestAnOvertakenAnswerUndoesNothing lets the answer to an earlier question,
// made before the revocation, arrive after it is known.
func TestAnOvertakenAnswerUndoesNothing(t *testing.T) {
	for _, between := range []time.Duration{0, time.Second} { // coarse clocks see no difference
		synctest.Test(t, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			v := newMany(t, answersOf(iss))
			raw := iss.Opaque(issuertest.Claims{})
			arrive := make(chan struct{})
			iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				early := httptest.NewRecorder()
				next.ServeHTTP(early, r)
				<-arrive
				io.Copy(w, early.Body)
			})
			var slow sync.WaitGroup
			slow.Go(func() { wantOutcome(t, "active")(v.Verify(t.Context(), raw)) })
			synctest.Wait()
			elapse(between)
			iss.Revoke(raw)
			iss.ClearFaults()
			wantOutcome(t, "active")(v.VerifyFresh(t.Context(), raw, 0))
			close(arrive)
			slow.Wait()
			wantOutcome(t, "active")(v.Verify(t.Context(), raw))
		})
	}
}

// TestARevocationWhileAnAnswerIsJudged learns of the revocation when an older
// answer has been read and is not in the cache yet. Now is the hook: the answer
// has no exp, so the first to ask for the time are the checks.
func TestARevocationWhileAnAnswerIsJudged(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	answer := func(active bool) {
		members := map[string]any{"active": active, "aud": issuertest.Audience}
		iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, string(object(members))))
	}
	var v *validator.Validator
	var once sync.Once
	v = newValidator(t, answersOf(iss), func(c *validator.Config) {
		c.Now = func() time.Time {
			once.Do(func() {
				answer(false)
				wantOutcome(t, "active")(v.VerifyFresh(t.Context(), "token", 0))
			})
			return time.Now()
		}
	})
	answer(true)
	wantOutcome(t, "ok")(v.Verify(t.Context(), "token"))
	wantOutcome(t, "active")(v.Verify(t.Context(), "token"))
}

// TestFreshAsksAboutNoBadJWT: the issuer's word is no second chance, and a
// forger learns nothing of what is revoked.
func TestFreshAsksAboutNoBadJWT(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newMany(t, bothOf(iss))
	for _, bad := range issuertest.Bads() {
		if _, err := v.VerifyFresh(t.Context(), iss.Bad(bad, issuertest.Claims{}), 0); !errors.Is(err, validator.ErrInvalidToken) {
			t.Errorf("%v: %v, wanted ErrInvalidToken", bad, err)
		}
	}
	wantRequests(t, iss, issuertest.Introspection, 0)
}

func TestFreshNeedsIntrospection(t *testing.T) {
	byKeys, both := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	able, unable := newMany(t, bothOf(both)), newMany(t, bothOf(both), keysOf(byKeys))
	if err := able.CanVerifyFresh(); err != nil {
		t.Errorf("CanVerifyFresh: %v", err)
	}
	err := unable.CanVerifyFresh()
	if err == nil || !strings.Contains(err.Error(), byKeys.URL()) || strings.Contains(err.Error(), both.URL()) {
		t.Errorf("CanVerifyFresh: %v, wanted %s named and no other", err, byKeys.URL())
	}

	raw := byKeys.Token(issuertest.Claims{})
	_, err = unable.VerifyFresh(t.Context(), raw, 0)
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
	if !strings.Contains(err.Error(), byKeys.URL()) || !strings.Contains(err.Error(), "Introspection") {
		t.Errorf("%v does not say what is missing", err)
	}
	wantOutcome(t, "ok")(unable.Verify(t.Context(), raw))
	wantOutcome(t, "ok")(unable.VerifyFresh(t.Context(), both.Token(issuertest.Claims{}), 0))
	wantOutcome(t, "shape")(newMany(t, keysOf(byKeys)).VerifyFresh(t.Context(), "opaque", 0))
}

// TestFreshWhileTheIssuerIsDown: what was proven before stays proven, but it is
// not fresh.
func TestFreshWhileTheIssuerIsDown(t *testing.T) {
	for _, tc := range fresh {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				issuer := tc.issuer(iss)
				issuer.Introspection.StaleIfError = time.Hour
				v := newMany(t, issuer)
				raw := tc.token(iss)
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				iss.SetFault(issuertest.Introspection, issuertest.ServerError())
				_, err := v.VerifyFresh(t.Context(), raw, 0)
				wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
				if errors.Is(err, validator.ErrInvalidToken) {
					t.Errorf("%v is both an outage and a refusal", err)
				}
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				iss.ClearFaults()
				wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0))
			})
		})
	}
}

// TestAnswersAboutJWTs: the signature is good, and the issuer says more of the
// token than that it is active.
func TestAnswersAboutJWTs(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	issuer := bothOf(iss)
	issuer.Profile.MatchAnswer = map[string][]string{"token_type": {"Bearer"}}
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for name, tc := range map[string]struct {
		member string
		value  any
		want   string
	}{
		"the least":            {"x", nil, "ok"},
		"our audience":         {"aud", issuertest.Audience, "ok"},
		"no audience":          {"aud", []string{}, "ok"},
		"another audience":     {"aud", "https://other.example.test", "aud"},
		"this issuer":          {"iss", iss.URL(), "ok"},
		"another issuer":       {"iss", iss.URL() + "/", "iss"},
		"another expiry":       {"exp", future, "ok"},
		"expired":              {"exp", past, "exp"},
		"not valid yet":        {"nbf", future, "nbf"},
		"bound to a sender":    {"cnf", map[string]string{"jkt": "x"}, "cnf"},
		"another type":         {"token_type", "refresh_token", "claims"},
		"sender-bound by type": {"token_type", "dPoP", "cnf"},
		"more scopes":          {"scope", "orders:read admin", "ok"},
		"scopes of odd form":   {"scope", 7, "ok"},
		"an audience of none":  {"aud", 7, "aud"},
		"inactive":             {"active", false, "active"},
		"active as a string":   {"active", "true", "unavailable"},
		"an expiry of none":    {"exp", "soon", "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newMany(t, issuer)
			raw := iss.Token(issuertest.Claims{Scope: "orders:read"})
			body := map[string]any{"active": true, "token_type": "Bearer"}
			body[tc.member] = tc.value
			iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{"Content-Type": {"application/json"}}, string(object(body))))
			token, err := v.VerifyFresh(t.Context(), raw, 0)
			wantOutcome(t, tc.want)(token, err)
			if err == nil && token.Scopes().String() != "orders:read" {
				t.Errorf("scopes %q, wanted those that were signed", token.Scopes())
			}
		})
	}
}

// TestFreshOpaqueToken is the answer's word alone: what it holds counts anew.
func TestFreshOpaqueToken(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newMany(t, answersOf(iss))
	raw := iss.Opaque(issuertest.Claims{Scope: "orders:read orders:write"})
	token, err := v.Verify(t.Context(), raw)
	if err != nil || token.Scopes().Len() != 2 {
		t.Fatalf("%v, %v", token, err)
	}
	less := map[string]any{"active": true, "aud": issuertest.Audience, "scope": "orders:read"}
	iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, string(object(less))))
	for _, verify := range []func() (*validator.Token, error){
		func() (*validator.Token, error) { return v.VerifyFresh(t.Context(), raw, 0) },
		func() (*validator.Token, error) { return v.Verify(t.Context(), raw) },
	} {
		token, err = verify()
		if err != nil || token.Scopes().String() != "orders:read" {
			t.Errorf("%v, %v, wanted what the newer answer grants", token, err)
		}
	}
	var members map[string]any
	if err := token.Claims(&members); err != nil || members["active"] != true {
		t.Errorf("%v, %v", members, err)
	}
	less["aud"] = json.RawMessage("null")
	iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, string(object(less))))
	wantOutcome(t, "aud")(v.VerifyFresh(t.Context(), raw, 0))
}
