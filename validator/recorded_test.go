package validator_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
)

// TestRecorded takes every token that real servers issued through the public
// way, at its recorded time, to its recorded outcome.
func TestRecorded(t *testing.T) {
	servers := testdata.Recorded()
	if len(servers) != 3 {
		t.Fatalf("%d recorded servers, wanted 3", len(servers))
	}
	for _, server := range servers {
		for _, token := range server.Tokens {
			for n, want := range token.Outcomes {
				t.Run(fmt.Sprintf("%s/%s/%d, by %s", server.Name, token.Name, n, want.Proof), func(t *testing.T) {
					iss := validator.Issuer{
						URL:                              server.Issuer,
						Audience:                         []string{server.Audience},
						Algorithms:                       want.Algorithms,
						DangerouslyAcceptMissingAudience: want.MissingAudienceAllowed,
					}
					switch want.Proof {
					case "jwt":
						iss.Keys = &jwks.Config{Set: server.JWKS}
					case "introspection":
						iss.Introspection = &introspection.Config{
							Endpoint:   server.Issuer + "/introspect",
							Auth:       introspection.ClientSecretBasic("api", introspection.Secret("secret")),
							HTTPClient: &http.Client{Transport: recordedAnswers{server}},
						}
					default:
						t.Fatalf("proof %q", want.Proof)
					}
					v := newValidator(t, iss, func(c *validator.Config) { c.Now = func() time.Time { return want.Clock } })
					for _, when := range []string{"first", "again"} {
						checkRecorded(t, v, token, want, when)
					}
				})
			}
		}
	}
}

func checkRecorded(t *testing.T, v *validator.Validator, token testdata.Token, want testdata.Outcome, when string) {
	t.Helper()
	r, o := &validator.Request{Token: token.Raw}, validator.ExplainOptions{Network: true}
	if want.Want == "scope" {
		o.Rule = new(scopes.All(want.Requires))
	}
	wantExplained(t, when, v.Explain(t.Context(), r, o), checkOf(t, v, r, o), r)
	got, err := v.Verify(t.Context(), token.Raw)
	result := outcome(got, err)
	if err == nil && want.Want == "scope" {
		err = got.Check(scopes.All(want.Requires))
		result = outcome(nil, err)
	}
	if result != want.Want {
		t.Fatalf("%s: %s (%v), wanted %s", when, result, err, want.Want)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want.Scopes, slices.AppendSeq([]string{}, got.Scopes().All())); diff != "" {
		t.Errorf("%s: scopes %s", when, diff)
	}
	if got.ClientID() != token.ClientID {
		t.Errorf("%s: client %q, wanted %q", when, got.ClientID(), token.ClientID)
	}
	if want.MissingAudienceAllowed != (len(got.Audience()) == 0) {
		t.Errorf("%s: audience %q, and a missing one is allowed: %v", when, got.Audience(), want.MissingAudienceAllowed)
	}
}

// recordedAnswers is a server's introspection endpoint.
type recordedAnswers struct{ testdata.Server }

func (s recordedAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	for _, token := range s.Tokens {
		if token.Raw == form.Get("token") {
			return &http.Response{
				StatusCode: token.IntrospectionStatus,
				Header:     http.Header{"Content-Type": {"application/json"}},
				Body:       io.NopCloser(bytes.NewReader(token.Introspection)),
				Request:    req,
			}, nil
		}
	}
	return nil, fmt.Errorf("asked about a token that was not recorded")
}
