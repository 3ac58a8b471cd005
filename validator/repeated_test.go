package validator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
)

// saying answers introspection with a text.
type saying string

func (s saying) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(s))),
	}, nil
}

func saysOf(answer string, change ...func(*validator.Issuer)) validator.Issuer {
	i := validator.Issuer{
		URL: "https://id.example.com", Audience: []string{"api"},
		Introspection: &introspection.Config{
			Endpoint: "https://id.example.com/introspect", HTTPClient: &http.Client{Transport: saying(answer)},
			Auth: introspection.ClientSecretBasic("api", introspection.Secret("a secret")),
		},
	}
	for _, c := range change {
		c(&i)
	}
	return i
}

// TestAnAnswerThatRepeatsTheToken shows it to no log, whatever it stands for.
func TestAnAnswerThatRepeatsTheToken(t *testing.T) {
	const raw = "opaque-SECRET-token-0123456789"
	for name, tc := range map[string]struct {
		answer string
		change func(*validator.Issuer)
	}{
		"its client, on a list":  {`{"active":true,"aud":"api","client_id":"` + raw + `"}`, func(i *validator.Issuer) { i.Clients = []string{"x"} }},
		"its client":             {`{"active":true,"aud":"api","client_id":"` + raw + `"}`, nil},
		"its issuer":             {`{"active":true,"iss":"x` + raw + `","aud":"api"}`, nil},
		"its audience":           {`{"active":true,"aud":["a","` + raw + `"]}`, nil},
		"a scope":                {`{"active":true,"aud":["api"],"scope":"a ` + raw + `"}`, nil},
		"its subject and its id": {`{"active":true,"aud":["api"],"sub":"x` + raw + `","jti":"` + raw + `"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*validator.Issuer)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			var told []string
			v := newValidator(t, saysOf(tc.answer, change...), func(c *validator.Config) {
				c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
					told = append(told, fmt.Sprintf("%+v", *e), fmt.Sprint(e.Err))
				}}
			})
			token, err := v.Verify(t.Context(), raw)
			told = append(told, fmt.Sprint(err), fmt.Sprint(token), token.String())
			if token != nil {
				told = append(told, token.LogValue().String())
			}
			if len(told) < 5 {
				t.Error("nobody was told of the request")
			}
			for _, text := range told {
				if strings.Contains(text, "SECRET") {
					t.Errorf("the token is in %s", text)
				}
			}
		})
	}
}

// TestShortTokensHideNothing: what is a piece of many a name is nobody's secret, and
// whose refusal it is must be seen.
func TestShortTokensHideNothing(t *testing.T) {
	var issuers []string
	v := newValidator(t, saysOf(`{"active":false}`), func(c *validator.Config) {
		c.Observer = observe.Observer{Event: func(_ context.Context, e *observe.Event) { issuers = append(issuers, e.Issuer.Text) }}
	})
	for _, raw := range []string{"h", "example", "https"} {
		wantOutcome(t, "active")(v.Verify(t.Context(), raw))
	}
	if len(issuers) != 3 || strings.Count(strings.Join(issuers, " "), "https://id.example.com") != 3 {
		t.Errorf("told of %q", issuers)
	}
}

// TestSchemes: another one than Bearer is as if nothing had been sent.
func TestSchemes(t *testing.T) {
	v := newValidator(t, saysOf(`{"active":true,"aud":"api"}`))
	for scheme, want := range map[string]string{
		"": "ok", "Bearer": "ok", "bearer": "ok", "BEARER": "ok",
		"Basic": "missing", "DPoP": "missing", "Digest": "missing", "none": "missing", "Bearer ": "missing", "Beare": "missing", "\u212aearer": "missing", "Bearers": "missing",
	} {
		a, err := v.VerifyRequest(t.Context(), &validator.Request{Scheme: scheme, Token: "opaque"}, nil)
		wantOutcome(t, want)(a.Token, err)
	}
}

// TestMethodsOfEvents: what a client made up is one kind, so that it can be a label.
func TestMethodsOfEvents(t *testing.T) {
	methods := make(map[string]int)
	var source string
	v := newValidator(t, saysOf(`{"active":false}`), func(c *validator.Config) {
		c.Observer = observe.Observer{Event: func(_ context.Context, e *observe.Event) {
			methods[e.Method]++
			source = e.Source
		}}
	})
	for _, method := range []string{"GET", "PATCH", "", "get", "PROPFIND", strings.Repeat("M", 1<<20)} {
		_, _ = v.VerifyRequest(t.Context(), &validator.Request{Method: method, Source: strings.Repeat("s", 1<<20)}, nil)
	}
	if len(methods) != 4 || methods["_OTHER"] != 3 {
		t.Errorf("methods are %v", methods)
	}
	if len(source) > 200 {
		t.Errorf("a source of %d bytes", len(source))
	}
}
