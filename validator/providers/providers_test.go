package providers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	goleak.VerifyTestMain(m)
}

// Identifiers of the fixtures.
const (
	tenant = "8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6"
	api    = "2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34"
	entity = "e13365f1-a270-493e-bd1b-3d239d753d53"
	orders = "https://orders.example.com"

	project = "178204173316174381"
	svid    = "spiffe://example.org/shop/reports"
)

// gitHubJobs are one by its environment, one by its workflow and one by its branch.
func gitHubJobs() []providers.GitHubJob {
	return []providers.GitHubJob{
		{RepositoryID: "1296269", OwnerID: "583231", Environment: "production"},
		{RepositoryID: "1300192", Workflow: "acme/workflows/.github/workflows/report.yml@refs/tags/v2"},
		{RepositoryID: "1300731", Ref: "refs/heads/release"},
	}
}

var auth = introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))

// presets are the functions as the fixtures' APIs would call them.
var presets = map[string]func() validator.Issuer{
	"Auth0": func() validator.Issuer { return providers.Auth0("example.eu.auth0.com", orders) },
	"Okta": func() validator.Issuer {
		return providers.Okta("https://example.okta.com/oauth2/default", "api://default")
	},
	"OktaOrg": func() validator.Issuer {
		return providers.OktaOrg("https://example.okta.com", auth, "0oa1b2c3d4e5f6g7h8i9")
	},
	"EntraID": func() validator.Issuer {
		return providers.EntraID(strings.ToUpper(tenant), api) // tokens have it in lower case
	},
	"EntraIDv1": func() validator.Issuer {
		return providers.EntraIDv1(strings.ToUpper(tenant), api, "api://"+api)
	},
	"Cognito": func() validator.Issuer {
		return providers.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI", "3k7m1p9q5r2s8t4u6v0w1x5y7z")
	},
	"GoogleServiceAccount": func() validator.Issuer {
		return providers.GoogleServiceAccount(orders, "backup@example.iam.gserviceaccount.com", "reports@example.iam.gserviceaccount.com")
	},
	"Keycloak": func() validator.Issuer { return providers.Keycloak("https://id.example.com/", "shop", "orders") },
	"Hydra":    func() validator.Issuer { return providers.Hydra("https://id.example.com/", orders) },
	"HydraOpaque": func() validator.Issuer {
		return providers.HydraOpaque("https://id.example.com/", orders, "https://hydra-admin.example.com", auth)
	},
	"GitHubActions": func() validator.Issuer { return providers.GitHubActions(orders, gitHubJobs()...) },
	"Kubernetes": func() validator.Issuer {
		return providers.Kubernetes("https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF", orders,
			"system:serviceaccount:shop:reports", "system:serviceaccount:shop-eu:night.reports")
	},
	"Authentik": func() validator.Issuer {
		return providers.Authentik("https://id.example.com/", "orders", "Xk2rVb7QnT9mLw4YcH8sJd3FzG6pA1eU5oRtKi0B")
	},
	"ADFS":         func() validator.Issuer { return providers.ADFS("FS.example.com", orders, api) },
	"PingFederate": func() validator.Issuer { return providers.PingFederate("https://id.example.com/", orders) },
	"GitLab": func() validator.Issuer {
		return providers.GitLab("https://gitlab.example.com", orders,
			providers.GitLabJob{ProjectID: "20", Ref: "refs/heads/main"}, providers.GitLabJob{ProjectID: "21", Environment: "live"})
	},
	"FusionAuth": func() validator.Issuer {
		return providers.FusionAuth("https://id.example.com/", "acme.com", strings.ToUpper(entity))
	},
	"Zitadel": func() validator.Issuer {
		return providers.Zitadel("https://shop-a1b2c3.zitadel.cloud", project, "178204173316100001")
	},
	"Casdoor": func() validator.Issuer {
		return providers.Casdoor("https://door.example.com/", orders, "d4a8f3c2b1e09f7a6d5c")
	},
	"SPIFFE": func() validator.Issuer {
		return providers.SPIFFE("example.org", "https://spire.example.org/bundle", "spiffe://example.org/orders", svid, "spiffe://example.org/ns/shop/sa/night.reports")
	},
	"RFC9068": func() validator.Issuer {
		return providers.RFC9068("https://authorization-server.example.com/", "https://rs.example.com/")
	},
}

// host plays the hosts of a provider, in memory.
type host struct {
	testdata.Provider
	answer []byte   // about any token
	asked  []string // method and URL of each request
}

func (h *host) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := req.Method + " " + req.URL.String()
	h.asked = append(h.asked, asked)
	body, status := []byte("not here"), http.StatusNotFound
	switch asked {
	case "GET " + h.JWKSURI:
		body, status = h.JWKS, http.StatusOK
	case "GET " + h.metadataURI():
		body, status = encode(map[string]any{"issuer": h.Issuer, "jwks_uri": h.JWKSURI}), http.StatusOK
	case "POST " + h.IntrospectionEndpoint:
		body, status = h.answer, http.StatusOK
		if id, secret, ok := req.BasicAuth(); !ok || id != issuertest.ClientID || secret != issuertest.ClientSecret {
			body, status = nil, http.StatusUnauthorized
		}
	}
	return &http.Response{
		StatusCode: status, Request: req, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(string(body))),
	}, nil
}

func (h *host) metadataURI() string {
	return strings.TrimSuffix(h.Issuer, "/") + "/.well-known/openid-configuration"
}

// requests are those that a good token causes.
func (h *host) requests() []string {
	switch {
	case h.IntrospectionEndpoint != "":
		return []string{"POST " + h.IntrospectionEndpoint}
	case h.Discovered:
		return []string{"GET " + h.metadataURI(), "GET " + h.JWKSURI}
	default:
		return []string{"GET " + h.JWKSURI}
	}
}

// newValidator is a validator of iss alone, which finds its provider at h.
func newValidator(t *testing.T, iss validator.Issuer, h *host) *validator.Validator {
	t.Helper()
	client := &http.Client{Transport: h}
	switch {
	case iss.Keys != nil:
		iss.Keys.HTTPClient = client
	case iss.Introspection == nil:
		iss.Keys = &jwks.Config{HTTPClient: client}
	}
	if iss.Introspection != nil {
		iss.Introspection.HTTPClient = client
	}
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{iss},
		Now:     func() time.Time { return h.Clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// raw is the token as a client would send it.
func raw(t *testing.T, iss *issuertest.Issuer, token testdata.ProviderToken) string {
	t.Helper()
	if token.Header == nil {
		return "an.opaque-token"
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(token.Header, &header); err != nil {
		t.Fatal(err)
	}
	segment := base64.RawURLEncoding.EncodeToString
	input := segment(token.Header) + "." + segment(token.Claims)
	switch header.Algorithm {
	case "RS256":
		return iss.SignWith(testdata.ProviderKey, token.Header, token.Claims, "RS256")
	case "none":
		return input + "."
	default: // what whoever has the public key can do (RFC 8725 §2.1)
		mac := hmac.New(sha256.New, testdata.PublicKey(testdata.ProviderKey))
		mac.Write([]byte(input))
		return input + "." + segment(mac.Sum(nil))
	}
}

// outcome is "ok", or the check that failed.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	e, ok := errors.AsType[*validator.Error](err)
	if !ok || !errors.Is(err, validator.ErrInvalidToken) {
		return err.Error()
	}
	return string(e.Check())
}

// said is what the fixtures say of a good token.
type said struct {
	ClientID string
	Scopes   []string
	Roles    []string
	Tenant   string
}

func TestDocumentedTokens(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	for _, provider := range testdata.Providers() {
		t.Run(provider.Name, func(t *testing.T) {
			for _, token := range provider.Tokens {
				t.Run(token.Name, func(t *testing.T) {
					preset := presets[provider.Name]()
					preset.AppOnly = preset.AppOnly || token.AppOnly
					if token.Clients != nil {
						preset.Clients = token.Clients
					}
					h := &host{Provider: provider, answer: token.Claims}
					v := newValidator(t, preset, h)

					got, err := v.Verify(t.Context(), raw(t, iss, token))
					if o := outcome(err); o != token.Want {
						t.Fatalf("got %s (%v), wanted %s", o, err, token.Want)
					}
					if err == nil {
						want := said{token.ClientID, token.Scopes, token.Roles, token.Tenant}
						found := said{got.ClientID(), slices.Collect(got.Scopes().All()), got.Roles(), got.Tenant()}
						if diff := cmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" {
							t.Error(diff)
						}
					}
					// A JWT of another kind, issuer, API or time is not worth a key. What
					// the profile asks beyond that is asked of tokens with a good signature.
					var requests []string
					if token.Header == nil || slices.Contains([]string{"ok", "claims", "client", "app"}, token.Want) {
						requests = h.requests()
					}
					if diff := cmp.Diff(requests, h.asked); diff != "" {
						t.Error("requests:", diff)
					}
					e := v.Explain(t.Context(), &validator.Request{Token: raw(t, iss, token)}, validator.ExplainOptions{Network: true})
					failed, refused := e.Failed()
					if refused == e.Accepted || e.Accepted != (token.Want == "ok") || refused && string(failed.Check) != token.Want {
						t.Errorf("wanted %s:\n%s", token.Want, e)
					}
				})
			}
		})
	}
}

// jobsAlone are presets whose issuers have no users, or none whose tokens hold what is
// required.
var jobsAlone = map[string]bool{"SPIFFE": true, "GitHubActions": true, "GitLab": true}

// Every preset has its fixtures, with what a neighbour, a user or another API
// could try.
func TestFixturesCoverEveryPreset(t *testing.T) {
	var names []string
	for _, p := range testdata.Providers() {
		names = append(names, p.Name)
		refused := make(map[string]int)
		total := 0
		for _, token := range p.Tokens {
			if token.Want != "ok" {
				refused[token.Want]++
				total++
			}
		}
		if total < 8 || p.Tokens[0].Want != "ok" || len(p.Documents) == 0 {
			t.Errorf("%s: %d refused tokens, the first is %s, %d documents", p.Name, total, p.Tokens[0].Want, len(p.Documents))
		}
		for _, check := range []validator.Check{validator.CheckApp, validator.CheckIssuer, validator.CheckAudience, validator.CheckClient} {
			if refused[string(check)] == 0 && (check != validator.CheckApp || presets[p.Name]().Profile.App != nil && !jobsAlone[p.Name] && p.Name != "Kubernetes") { // see TestKubernetesWithoutAccounts
				t.Errorf("%s: no token is refused by check %s", p.Name, check)
			}
		}
	}
	names = append(names, "FAPI2") // which is around the others; see TestFAPI2
	slices.Sort(names)
	if diff := cmp.Diff(functions(t), names); diff != "" {
		t.Error("each function wants a file in testdata/providers, with tokens, and a line in presets, in this file (-functions +fixtures):", diff)
	}
}

func encode(object map[string]any) []byte {
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return data
}
