package validator_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const (
	signedType = "token-introspection+jwt"
	mediaType  = "application/" + signedType
	// answersFor is the client id of the API under test.
	answersFor = "orders-api"
)

// signedAnswers is how to reach iss for signed answers.
func signedAnswers(iss *issuertest.Issuer) validator.Issuer {
	i := answersOf(iss)
	i.Keys, i.SignedAnswersFor = &jwks.Config{HTTPClient: iss.Client()}, answersFor
	return i
}

// answerOf is what a signed answer holds, and the header that it comes under.
type answerOf struct {
	header, payload map[string]any
	alg             string
}

func goodAnswer(iss *issuertest.Issuer, now time.Time) answerOf {
	return answerOf{
		header: map[string]any{"alg": "ES256", "kid": iss.CurrentKeyID("ES256"), "typ": signedType},
		payload: map[string]any{"iss": iss.URL(), "aud": answersFor, "iat": now.Unix(), "token_introspection": map[string]any{
			"active": true, "iss": iss.URL(), "aud": issuertest.Audience, "client_id": "svc", "scope": "orders:read",
		}},
		alg: "ES256",
	}
}

func (a answerOf) sign(iss *issuertest.Issuer) string {
	return iss.Sign(object(a.header), object(a.payload), a.alg)
}

// answering makes iss answer every introspection with this.
func answering(iss *issuertest.Issuer, contentType, body string) {
	iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{"Content-Type": {contentType}}, body))
}

func TestSignedAnswers(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	now := time.Now()
	inner := func(a answerOf) map[string]any { return a.payload["token_introspection"].(map[string]any) }
	for _, tc := range []struct {
		name   string
		change func(*answerOf)
		want   string
	}{
		{"a good one", func(*answerOf) {}, "ok"},
		{"inactive", func(a *answerOf) { a.payload["token_introspection"] = map[string]any{"active": false} }, "active"},
		{"for several clients", func(a *answerOf) { a.payload["aud"] = []string{"other", answersFor} }, "ok"},
		{"the type in full", func(a *answerOf) { a.header["typ"] = "application/Token-Introspection+JWT" }, "ok"},
		{"by another of the issuer's keys", func(a *answerOf) {
			a.header["alg"], a.header["kid"], a.alg = "RS256", iss.CurrentKeyID("RS256"), "RS256"
		}, "ok"},
		{"made most of a minute ago", func(a *answerOf) { a.payload["iat"] = now.Add(-45 * time.Second).Unix() }, "ok"},
		{"made most of a minute ahead", func(a *answerOf) { a.payload["iat"] = now.Add(45 * time.Second).Unix() }, "ok"},

		// The token that it is about fails what every token must pass.
		{"about a token for another API", func(a *answerOf) { inner(*a)["aud"] = "https://other.example.test" }, "aud"},
		{"about a token without audience", func(a *answerOf) { inner(*a)["aud"] = nil; delete(inner(*a), "aud") }, "aud"},
		{"about another issuer's token", func(a *answerOf) { inner(*a)["iss"] = "https://other.example.test" }, "iss"},
		{"about an expired token", func(a *answerOf) { inner(*a)["exp"] = now.Add(-time.Hour).Unix() }, "exp"},

		// It is no answer, or none for us, or none of now.
		{"without a type", func(a *answerOf) { a.header["typ"] = nil }, "unavailable"},
		{"an access token's type", func(a *answerOf) { a.header["typ"] = "at+jwt" }, "unavailable"},
		{"type JWT", func(a *answerOf) { a.header["typ"] = "JWT" }, "unavailable"},
		{"for another client", func(a *answerOf) { a.payload["aud"] = "billing-api" }, "unavailable"},
		{"for this API by its audience", func(a *answerOf) { a.payload["aud"] = issuertest.Audience }, "unavailable"},
		{"for nobody", func(a *answerOf) { a.payload["aud"] = nil }, "unavailable"},
		{"for a client of odd form", func(a *answerOf) { a.payload["aud"] = 7 }, "unavailable"},
		{"from another issuer", func(a *answerOf) { a.payload["iss"] = "https://other.example.test" }, "unavailable"},
		{"from nobody", func(a *answerOf) { a.payload["iss"] = nil }, "unavailable"},
		{"with a slash more", func(a *answerOf) { a.payload["iss"] = iss.URL() + "/" }, "unavailable"},
		{"too old", func(a *answerOf) { a.payload["iat"] = now.Add(-63 * time.Second).Unix() }, "unavailable"},
		{"too early", func(a *answerOf) { a.payload["iat"] = now.Add(63 * time.Second).Unix() }, "unavailable"},
		{"without a time", func(a *answerOf) { a.payload["iat"] = nil }, "unavailable"},
		{"a time of odd form", func(a *answerOf) { a.payload["iat"] = "now" }, "unavailable"},
		{"of 1970", func(a *answerOf) { a.payload["iat"] = 0 }, "unavailable"},
		{"without the member", func(a *answerOf) { a.payload["token_introspection"] = nil }, "unavailable"},
		{"the member is a string", func(a *answerOf) { a.payload["token_introspection"] = `{"active":true}` }, "unavailable"},
		{"the member is null", func(a *answerOf) { a.payload["token_introspection"] = json.RawMessage("null") }, "unavailable"},
		{"the member is empty", func(a *answerOf) { a.payload["token_introspection"] = map[string]any{} }, "unavailable"},
		{"active beside the member", func(a *answerOf) {
			a.payload["token_introspection"], a.payload["active"] = map[string]any{}, true
		}, "unavailable"},
		{"active as a string", func(a *answerOf) { inner(*a)["active"] = "true" }, "unavailable"},

		// What is wrong with its signature.
		{"alg none", func(a *answerOf) { a.header["alg"] = "none" }, "unavailable"},
		{"HMAC", func(a *answerOf) { a.header["alg"] = "HS256" }, "unavailable"},
		{"an alg that is not configured", func(a *answerOf) {
			a.header["alg"], a.header["kid"], a.alg = "RS512", iss.CurrentKeyID("RS256"), "RS256"
		}, "unavailable"},
		{"another alg than signed", func(a *answerOf) { a.header["alg"] = "PS256" }, "unavailable"},
		{"an unknown key", func(a *answerOf) { a.header["kid"] = "made-up" }, "unavailable"},
		{"another key", func(a *answerOf) { a.header["kid"] = iss.CurrentKeyID("EdDSA") }, "unavailable"},
		{"an extension", func(a *answerOf) { a.header["crit"] = []string{"exp"} }, "unavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := newMany(t, signedAnswers(iss))
			answer := goodAnswer(iss, now)
			tc.change(&answer)
			body := answer.sign(iss)
			answering(iss, mediaType, body)
			defer iss.ClearFaults()
			token, err := v.Verify(t.Context(), "opaque-token")
			wantOutcome(t, tc.want)(token, err)
			switch {
			case err == nil && (token.ClientID() != "svc" || token.Scopes().String() != "orders:read"):
				t.Errorf("%v %v", token, token.Scopes())
			case tc.want == "unavailable":
				wantOnlyAnOutage(t, err, body)
			}
		})
	}
}

// wantOnlyAnOutage fails if an error says something about the token, or holds a
// piece of the answer.
func wantOnlyAnOutage(t *testing.T, err error, answer string) {
	t.Helper()
	if errors.Is(err, validator.ErrInvalidToken) {
		t.Errorf("%v is a refusal, too", err)
	}
	if _, signature, ok := cutLast(answer, "."); ok && strings.Contains(err.Error(), signature) {
		t.Errorf("%v holds the answer's signature", err)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 || i+len(sep) == len(s) {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// TestAnswersThatAreNotSigned, or not as they should be.
func TestAnswersThatAreNotSigned(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	good := goodAnswer(iss, time.Now()).sign(iss)
	input, signature, _ := cutLast(good, ".")
	other := goodAnswer(iss, time.Now())
	other.payload["token_introspection"].(map[string]any)["scope"] = "admin"
	forged, _, _ := cutLast(other.sign(iss), ".")
	plain := `{"active":true,"aud":"` + issuertest.Audience + `"}`
	for name, tc := range map[string]struct{ contentType, body string }{
		"plain JSON":                 {"application/json", plain},
		"plain JSON in disguise":     {mediaType, plain},
		"signed, under another type": {"application/json", good},
		"signed, without a type":     {"", good},
		"signed, as application/jwt": {"application/jwt", good},
		"no signature":               {mediaType, input + "."},
		"another answer's signature": {mediaType, forged + "." + signature},
		"a signature cut short":      {mediaType, good[:len(good)-4]},
		"a padded signature":         {mediaType, good + "="},
		"white space after":          {mediaType, good + "\n"},
		"four segments":              {mediaType, good + ".x"},
		"two segments":               {mediaType, input},
		"nothing":                    {mediaType, ""},
		"dots":                       {mediaType, ".."},
		"HTML":                       {"text/html", "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newMany(t, signedAnswers(iss))
			answering(iss, tc.contentType, tc.body)
			_, err := v.Verify(t.Context(), "opaque-token")
			wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
			wantOnlyAnOutage(t, err, tc.body)
		})
	}
}

// TestAnswersAndTokensAreNotExchangeable: each has a type of its own.
func TestAnswersAndTokensAreNotExchangeable(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	now := time.Now()
	// An access token with all that an answer needs, and an answer with all that
	// an access token needs; neither under the other's type.
	both := goodAnswer(iss, now).payload
	maps.Copy(both, goodClaims(iss, now))
	both["aud"] = []string{answersFor, issuertest.Audience}
	as := func(typ string) string {
		a := goodAnswer(iss, now)
		a.header["typ"], a.payload = typ, both
		return a.sign(iss)
	}

	answering(iss, mediaType, as("at+jwt"))
	_, err := newMany(t, signedAnswers(iss)).Verify(t.Context(), "opaque-token")
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
	answering(iss, mediaType, as(signedType))
	wantOutcome(t, "ok")(newMany(t, signedAnswers(iss)).Verify(t.Context(), "opaque-token"))

	byKeys := newMany(t, keysOf(iss))
	wantOutcome(t, "ok")(byKeys.Verify(t.Context(), as("at+jwt")))
	wantOutcome(t, "typ")(byKeys.Verify(t.Context(), as(signedType)))
	wantOutcome(t, "typ")(byKeys.Verify(t.Context(), as(mediaType)))
}

// TestSignedAnswersAreAskedFor, and the keys come from where the issuer's do.
func TestSignedAnswersAreAskedFor(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	for name, tc := range map[string]struct {
		keys   *jwks.Config
		wanted int // fetches of keys
	}{
		"discovered": {&jwks.Config{HTTPClient: iss.Client()}, 1},
		"fixed":      {&jwks.Config{Set: published(t, map[string]string{"k": "p256-a"})}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := signedAnswers(iss)
			issuer.Keys = tc.keys
			v := newMany(t, issuer)
			before := iss.Requests(issuertest.JWKS)
			if err := v.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			answer := goodAnswer(iss, time.Now())
			body := answer.sign(iss)
			if tc.wanted == 0 {
				answer.header["kid"] = "k"
				body = iss.SignWith("p256-a", object(answer.header), object(answer.payload), "ES256")
			}
			iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if got := r.Header.Get("Accept"); got != mediaType {
					t.Errorf("Accept is %q, wanted %q", got, mediaType)
				}
				w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
				io.WriteString(w, body)
			})
			wantOutcome(t, "ok")(v.Verify(t.Context(), "opaque-token"))
			wantRequests(t, iss, issuertest.JWKS, before+tc.wanted)
		})
	}
}

// TestAnswerKeysWithoutKeys: an issuer whose every token is asked about still
// has keys for its answers, which Ready fetches, by the way that leads to the
// endpoint.
func TestAnswerKeysWithoutKeys(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	issuer := answersOf(iss)
	issuer.SignedAnswersFor = answersFor
	v := newMany(t, issuer)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, iss, issuertest.JWKS, 1)
	answering(iss, mediaType, goodAnswer(iss, time.Now()).sign(iss))
	wantOutcome(t, "ok")(v.Verify(t.Context(), "opaque-token"))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{}))) // asked about, too
	wantRequests(t, iss, issuertest.Introspection, 2)
	wantRequests(t, iss, issuertest.JWKS, 1)

	down := issuertest.NewInMemory(t)
	issuer = answersOf(down)
	issuer.SignedAnswersFor = answersFor
	v = newMany(t, issuer)
	answering(down, mediaType, goodAnswer(down, time.Now()).sign(down))
	down.SetFault(issuertest.JWKS, issuertest.ServerError())
	if err := v.Ready(t.Context()); !errors.Is(err, validator.ErrUnavailable) {
		t.Errorf("Ready: %v, wanted ErrUnavailable", err)
	}
	_, err := v.Verify(t.Context(), "opaque-token")
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
}

// TestAnswersAndSkew: what ClockSkew allows of tokens it allows of answers.
func TestAnswersAndSkew(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	now := time.Unix(1_800_000_000, 0)
	for _, tc := range []struct {
		skew, age time.Duration
		want      string
	}{
		{-1, 30 * time.Second, "ok"},
		{-1, 31 * time.Second, "unavailable"},
		{-1, -31 * time.Second, "unavailable"},
		{0, 60 * time.Second, "ok"},
		{0, 61 * time.Second, "unavailable"},
		{5 * time.Minute, 330 * time.Second, "ok"},
		{5 * time.Minute, -331 * time.Second, "unavailable"},
	} {
		v := newValidator(t, signedAnswers(iss), func(c *validator.Config) {
			c.ClockSkew, c.Now = tc.skew, func() time.Time { return now }
		})
		answering(iss, mediaType, goodAnswer(iss, now.Add(-tc.age)).sign(iss))
		if got := outcome(v.Verify(t.Context(), "opaque-token")); got != tc.want {
			t.Errorf("skew %v, an answer of %v ago: %s, wanted %s", tc.skew, tc.age, got, tc.want)
		}
	}
}

// recordedAnswer is what a real server said, as it was recorded.
type recordedAnswer struct {
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

func (a recordedAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200,
		Header:     http.Header{"Content-Type": {a.ContentType}},
		Body:       io.NopCloser(strings.NewReader(a.Body)),
		Request:    req,
	}, nil
}

// TestRecordedSignedAnswers takes those of a real server through the public
// way, at their recorded time and at others.
func TestRecordedSignedAnswers(t *testing.T) {
	var server testdata.Server
	for _, s := range testdata.Recorded() {
		if s.Name == "oidc-provider" {
			server = s
		}
	}
	var doc struct {
		At  int64                      `json:"obtained_at"`
		JWT map[string]json.RawMessage `json:"introspection_jwt"`
	}
	if err := json.Unmarshal(server.Document, &doc); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(doc.At, 0)
	for _, tc := range []struct {
		name, client string
		clock        time.Time
		want         string
	}{
		{"signed_active", "rs-signed", at, "ok"},
		{"signed_active", "rs-signed", at.Add(60 * time.Second), "ok"},
		{"signed_active", "rs-signed", at.Add(61 * time.Second), "unavailable"},
		{"signed_active", "rs-signed", at.Add(-61 * time.Second), "unavailable"},
		{"signed_active", "rs", at, "unavailable"},
		{"signed_revoked", "rs-signed", at, "active"},
		{"signed_garbage", "rs-signed", at, "active"},
		{"client_without_alg", "rs", at, "ok"},
		{"not_permitted_client", "m2m-rs256", at, "active"},
		{"encrypted_active", "rs-encrypted", at, "unavailable"},
	} {
		t.Run(tc.name+" for "+tc.client+" at "+tc.clock.Format(time.TimeOnly), func(t *testing.T) {
			var recorded recordedAnswer
			if err := json.Unmarshal(doc.JWT[tc.name], &recorded); err != nil || recorded.Body == "" {
				t.Fatalf("%v, %+v", err, recorded)
			}
			v := newValidator(t, validator.Issuer{
				URL:              server.Issuer,
				Audience:         []string{server.Audience},
				Keys:             &jwks.Config{Set: server.JWKS},
				SignedAnswersFor: tc.client,
				Introspection: &introspection.Config{
					Endpoint:   server.Issuer + "/introspect",
					Auth:       introspection.ClientSecretBasic("api", introspection.Secret("secret")),
					HTTPClient: &http.Client{Transport: recorded},
				},
			}, func(c *validator.Config) { c.Now = func() time.Time { return tc.clock } })
			token, err := v.Verify(t.Context(), "opaque-token")
			wantOutcome(t, tc.want)(token, err)
			if err != nil {
				return
			}
			var got, want map[string]any
			if err := errors.Join(token.Claims(&got), json.Unmarshal(doc.JWT["openid_client_verified"], &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another client's reading (-) and ours (+):\n%s", diff)
			}
		})
	}
}
