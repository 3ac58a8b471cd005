package siege_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// respond answers with a content type and a body.
func respond(status int, contentType, body string) issuertest.Fault {
	return issuertest.Respond(status, http.Header{"Content-Type": {contentType}}, body)
}

// saying changes members of a good answer; a nil value takes a member away.
func saying(changes map[string]any) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		var doc map[string]any
		if err := json.Unmarshal(whole.Body.Bytes(), &doc); err != nil {
			panic(err)
		}
		maps.Copy(doc, changes)
		maps.DeleteFunc(doc, func(_ string, value any) bool { return value == nil })
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(doc)
	}
}

// quickly is introspection with knobs of milliseconds.
func quickly() introspection.Config {
	return introspection.Config{RequestTimeout: 250 * time.Millisecond, PositiveLifetime: time.Minute}
}

// TestIntrospectionFaults puts each fault between the good answers of a real
// endpoint. While it lasts, what is not remembered is answered with 503, what is
// remembered serves, and the operator is told; after it, the same API recovers
// by itself. JWTs of the same issuer notice nothing.
func TestIntrospectionFaults(t *testing.T) {
	elsewhere := canary(t)
	oauth := func(code string) string { return `{"error":"` + code + `"}` }
	for name, f := range map[string]struct {
		fault issuertest.Fault
		says  string // part of the event's error
	}{
		"401 with JSON":              {respond(401, "application/json", oauth("invalid_client")), "check Config.Auth"},
		"401, empty":                 {status(401), "check Config.Auth"},
		"401 with text":              {respond(401, "text/plain", "Unauthorized"), "check Config.Auth"},
		"401 with active:true":       {respond(401, "application/json", `{"active":true}`), "check Config.Auth"},
		"403 with a page":            {respond(403, "text/html", "<h1>Forbidden</h1>"), "may not introspect"},
		"400 invalid_client":         {respond(400, "application/json", oauth("invalid_client")), "check Config.Auth"},
		"400 unauthorized_client":    {respond(400, "application/json", oauth("unauthorized_client")), "check Config.Auth"},
		"400 unsupported_token_type": {respond(400, "application/json", oauth("unsupported_token_type")), "would not judge this token"},
		"400, empty":                 {status(400), "would not judge"},
		"404":                        {status(404), "no introspection endpoint"},
		"405":                        {status(405), "no introspection endpoint"},
		"429 without Retry-After":    {status(429), "fewer requests"},
		"429 with a bad Retry-After": {issuertest.Respond(429, http.Header{"Retry-After": {"soon"}}, ""), "fewer requests"},
		"500":                        {issuertest.ServerError(), "the authorization server failed"},
		"502 with a page":            {respond(502, "text/html", "<h1>Bad gateway</h1>"), "status 502"},
		"503 without Retry-After":    {status(503), "status 503"},
		"504":                        {status(504), "status 504"},
		"active:true under 201":      {under(201), "status 201"},
		"active:true under 500":      {under(500), "status 500"},
		"204":                        {status(204), "status 204"},
		"connection closed":          {issuertest.Down(), "EOF"},
		"reset half-way":             {issuertest.Reset(), "broke off"},
		"no answer in time":          {hang(), "deadline exceeded"},
		"slow drip":                  {issuertest.Drip(5 * time.Millisecond), "deadline exceeded"},
		"header without end":         {headerLoris(), "deadline exceeded"},
		"no HTTP":                    {raw(func(write func(string) bool) { write("SSH-2.0-OpenSSH_9.9\r\n") }), "no HTTP answer"},
		"active as a string":         {saying(map[string]any{"active": "true"}), "active that is not true or false"},
		"active as a number":         {saying(map[string]any{"active": 1}), "active that is not true or false"},
		"active null":                {spoilt(func(b []byte) []byte { return []byte(strings.Replace(string(b), "true", "null", 1)) }), "active that is not true or false"},
		"active missing":             {saying(map[string]any{"active": nil}), "no member active"},
		"Active":                     {saying(map[string]any{"active": nil, "Active": true}), "no member active"},
		"active twice":               {body(`{"active":false,"active":true}`), "not strict JSON"},
		"an array":                   {body(`[{"active":true}]`), "not a JSON object"},
		"text after the answer":      {spoilt(func(b []byte) []byte { return append(b, "{}"...) }), "after the JSON object"},
		"nothing with 200":           {body(""), "not a JSON object"},
		"HTML with 200":              {issuertest.Garbage(), "text/html"},
		"truncated JSON":             {issuertest.Truncated(), "not strict JSON"},
		"over the limit":             {issuertest.TooLarge(64 << 20), "over the limit"},
		"gzip bomb":                  {issuertest.GzipBomb(2 << 20), "over the limit"},
		"exp as a string":            {saying(map[string]any{"exp": "9999999999"}), "exp that is not a NumericDate"},
		"signed, though not asked":   {respond(200, "application/token-introspection+jwt", "eyJhbGciOiJub25lIn0.eyJhY3RpdmUiOnRydWV9."), "not a JSON object"},
		"redirect to another host":   {issuertest.Redirect(elsewhere), "redirects are not followed"},
		"moved permanently":          {issuertest.Respond(301, http.Header{"Location": {elsewhere}}, ""), "redirects are not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			besiegeIntrospection(t, f.fault, f.says)
		})
	}
}

func besiegeIntrospection(t *testing.T, fault issuertest.Fault, says string) {
	iss := issuertest.New(t)
	ask := quickly()
	a := listen(t, trusting(validator.Issuer{URL: iss.URL(), Keys: &jwks.Config{}, Introspection: asked(iss, ask)}))
	remembered, token := opaque(iss), opaque(iss)
	a.become(remembered, ok, unavailable)

	iss.SetFault(issuertest.Introspection, fault)
	for range 4 { // three failures shut the way to the endpoint for a while
		a.want(token, unavailable)
		a.want(remembered, ok)
		a.want(fresh(iss), ok)
	}
	failed := append(a.events.of(observe.IntrospectionFailed), a.events.of(observe.TokenNotJudged)...)
	if !slices.ContainsFunc(failed, func(e observe.Event) bool {
		return strings.Contains(e.Err.Error(), says)
	}) {
		t.Errorf("the operator is told %v, wanted %q", failed, says)
	}

	iss.ClearFaults()
	a.become(token, ok, unavailable)
	a.become(opaque(iss), ok, unavailable)
	a.want(iss.BadOpaque(issuertest.Unknown, issuertest.Claims{}), invalidToken)
}

// TestAnswersThatDoNotFit: what an issuer says of an active token is held
// against the configuration. It is about the token, so the API answers 401, and
// once the issuer says better the token is good.
func TestAnswersThatDoNotFit(t *testing.T) {
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for name, changes := range map[string]map[string]any{
		"inactive, with all the rest": {"active": false},
		"foreign iss":                 {"iss": "https://id.example.com"},
		"iss with a slash":            {"iss": "/"},
		"iss as an array":             {"iss": []string{"a"}},
		"foreign aud":                 {"aud": "https://other.example.test"},
		"foreign aud in an array":     {"aud": []string{"https://other.example.test", issuertest.Audience + "/"}},
		"no aud":                      {"aud": nil},
		"empty aud":                   {"aud": []string{}},
		"aud as a number":             {"aud": 7},
		"past exp":                    {"exp": past},
		"exp 0":                       {"exp": 0},
		"nbf to come":                 {"nbf": future},
		"nbf as a string":             {"nbf": "0"},
		"bound to a sender":           {"cnf": map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
		"scope as a number":           {"scope": 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := issuertest.New(t)
			ask := quickly()
			ask.PositiveLifetime, ask.NegativeLifetime = 10*time.Millisecond, 10*time.Millisecond
			a := listen(t, byAsking(iss, ask))
			token := opaque(iss)
			iss.SetFault(issuertest.Introspection, saying(changes))
			for range 3 {
				a.become(token, invalidToken, unavailable)
			}
			iss.ClearFaults()
			a.become(token, ok, invalidToken)
		})
	}
}

// TestAnswersThatFit: what RFC 7662 leaves open is no fault.
func TestAnswersThatFit(t *testing.T) {
	for name, fault := range map[string]issuertest.Fault{
		"as text/plain":    spoilt(func(body []byte) []byte { return body }),
		"without iss":      saying(map[string]any{"iss": nil}),
		"without exp":      saying(map[string]any{"exp": nil}),
		"without much":     saying(map[string]any{"iss": nil, "exp": nil, "iat": nil, "sub": nil, "client_id": nil, "jti": nil, "token_type": nil}),
		"aud in an array":  saying(map[string]any{"aud": []string{"a", issuertest.Audience}}),
		"unknown members":  saying(map[string]any{"realm_access": map[string]any{"roles": []string{"a"}}}),
		"exp with a point": saying(map[string]any{"exp": 9999999999.5}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := issuertest.New(t)
			iss.SetFault(issuertest.Introspection, fault)
			listen(t, byAsking(iss, quickly())).become(opaque(iss), ok, unavailable)
		})
	}
}

// TestRetryAfterIsRespected: about tokens that were active, the endpoint is left
// alone for as long as it asks, and clients are told.
func TestRetryAfterIsRespected(t *testing.T) {
	for name, code := range map[string]int{"429": 429, "503": 503} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := issuertest.New(t)
			ask := quickly()
			ask.PositiveLifetime = time.Millisecond // so that renewals are due
			a := listen(t, byAsking(iss, ask))
			seen, other := opaque(iss), opaque(iss)
			a.become(seen, ok, unavailable)
			a.become(other, ok, unavailable)
			iss.SetFault(issuertest.Introspection, issuertest.Respond(code, http.Header{"Retry-After": {"1"}}, ""))
			a.become(seen, unavailable, ok)
			began := time.Now()
			a.become(other, unavailable, ok)
			before := iss.Requests(issuertest.Introspection)
			iss.ClearFaults()
			token := opaque(iss)
			until(t, "the endpoint to be asked again", func() bool {
				a.get(token)
				a.get(seen)
				return iss.Requests(issuertest.Introspection) > before
			})
			if waited := time.Since(began); waited < time.Second {
				t.Errorf("the endpoint was asked again after %v", waited)
			}
			a.become(token, ok, unavailable)
			a.become(seen, ok, unavailable)
		})
	}
}

// TestStaleIfError: a remembered answer outlives its lifetime in an outage only
// if the configuration says so, and never the token's own end.
func TestStaleIfError(t *testing.T) {
	for name, tc := range map[string]struct {
		stale time.Duration
		life  time.Duration // of the token
		want  string
	}{
		"off by default":    {0, time.Hour, unavailable},
		"on":                {time.Hour, time.Hour, ok},
		"past its end":      {10 * time.Millisecond, time.Hour, unavailable},
		"past the token's":  {time.Hour, 2 * time.Second, unavailable},
		"before it is past": {time.Hour, time.Minute, ok},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := issuertest.New(t)
			ask := quickly()
			ask.PositiveLifetime, ask.StaleIfError = 50*time.Millisecond, tc.stale
			config := byAsking(iss, ask)
			config.ClockSkew = -1
			a := listen(t, config)
			token := ""
			until(t, "a token to be accepted", func() bool { // on a slow machine, a short-lived one is not
				token = iss.Opaque(issuertest.Claims{Scope: scope, ExpiresIn: tc.life})
				return a.get(token) == ok
			})
			iss.SetFault(issuertest.Introspection, issuertest.Down())
			asked := iss.Requests(issuertest.Introspection)
			until(t, "the lifetime to pass, and the endpoint to be asked", func() bool {
				a.get(token)
				return iss.Requests(issuertest.Introspection) > asked
			})
			if tc.want == ok {
				a.want(token, ok)
			} else {
				a.become(token, unavailable, ok)
			}
			iss.ClearFaults()
			if tc.life > time.Minute {
				a.become(token, ok, unavailable)
			}
		})
	}
}
