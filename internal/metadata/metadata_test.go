package metadata_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/metadata"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transport answers from a map of URLs; what is missing is a 404.
type transport struct {
	answers map[string]string
	asked   []string
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.asked = append(tr.asked, r.URL.String())
	w := httptest.NewRecorder()
	text, ok := tr.answers[r.URL.String()]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.WriteString(text)
	return w.Result(), nil
}

func discover(ctx context.Context, issuer string, want metadata.Endpoint, tr *transport) (string, error) {
	return metadata.Discover(ctx, fetch.New(&http.Client{Transport: tr}, time.Second, 10000), issuer, want, false)
}

func TestPaths(t *testing.T) {
	for issuer, want := range map[string][]string{
		"https://id.example.com": {
			"https://id.example.com/.well-known/openid-configuration",
			"https://id.example.com/.well-known/oauth-authorization-server",
		},
		"https://id.example.com/": {
			"https://id.example.com/.well-known/openid-configuration",
			"https://id.example.com/.well-known/oauth-authorization-server",
		},
		"https://id.example.com:8443/realms/r": {
			"https://id.example.com:8443/realms/r/.well-known/openid-configuration",
			"https://id.example.com:8443/.well-known/oauth-authorization-server/realms/r",
			"https://id.example.com:8443/realms/r/.well-known/oauth-authorization-server",
			"https://id.example.com:8443/.well-known/openid-configuration/realms/r",
		},
		"https://id.example.com/tenant/": {
			"https://id.example.com/tenant/.well-known/openid-configuration",
			"https://id.example.com/.well-known/oauth-authorization-server/tenant",
			"https://id.example.com/tenant/.well-known/oauth-authorization-server",
			"https://id.example.com/.well-known/openid-configuration/tenant",
		},
	} {
		tr := &transport{}
		if _, err := discover(t.Context(), issuer, metadata.JWKS, tr); err == nil {
			t.Errorf("%s was discovered from nothing", issuer)
		}
		if diff := cmp.Diff(want, tr.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", issuer, diff)
		}
	}
}

func TestDiscover(t *testing.T) {
	const (
		id      = "https://id.example.com"
		oidc    = id + "/.well-known/openid-configuration"
		rfc8414 = id + "/.well-known/oauth-authorization-server"
		good    = `{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/keys","introspection_endpoint":"https://id.example.com/introspect","note":{"a":[1]}}`
	)
	aliased := func(aliases string) string { return `{"mtls_endpoint_aliases":` + aliases + `,` + good[1:] }
	cases := map[string]struct {
		answers map[string]string
		want    metadata.Endpoint
		found   string
		faults  []string
	}{
		"key set":               {answers: map[string]string{oidc: good}, want: metadata.JWKS, found: id + "/keys"},
		"introspection":         {answers: map[string]string{oidc: good}, want: metadata.Introspection, found: id + "/introspect"},
		"RFC 8414":              {answers: map[string]string{rfc8414: good}, want: metadata.JWKS, found: id + "/keys"},
		"HTML with 200, then":   {answers: map[string]string{oidc: "<html>", rfc8414: good}, want: metadata.JWKS, found: id + "/keys"},
		"another issuer, then":  {answers: map[string]string{oidc: `{"issuer":"https://x.example.com"}`, rfc8414: good}, want: metadata.JWKS, found: id + "/keys"},
		"endpoint missing":      {answers: map[string]string{oidc: `{"issuer":"https://id.example.com"}`}, want: metadata.Introspection, faults: []string{"has no introspection_endpoint", oidc, rfc8414, "status 404, wanted 200"}},
		"HTML":                  {answers: map[string]string{oidc: "<html>"}, want: metadata.JWKS, faults: []string{`status 200, but content type "text/html" and not a JSON object`}},
		"issuer with a slash":   {answers: map[string]string{oidc: `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/keys"}`}, want: metadata.JWKS, faults: []string{`names issuer "https://id.example.com/", wanted exactly "https://id.example.com"`}},
		"issuer in other case":  {answers: map[string]string{oidc: `{"issuer":"https://ID.example.com","jwks_uri":"https://id.example.com/keys"}`}, want: metadata.JWKS, faults: []string{`names issuer "https://ID.example.com"`}},
		"issuer missing":        {answers: map[string]string{oidc: `{"jwks_uri":"https://id.example.com/keys"}`}, want: metadata.JWKS, faults: []string{`names issuer ""`}},
		"issuer twice":          {answers: map[string]string{oidc: `{"issuer":"x",` + good[1:]}, want: metadata.JWKS, faults: []string{"not a JSON object"}},
		"issuer, folded":        {answers: map[string]string{oidc: `{"Issuer":"https://id.example.com","jwks_uri":"https://id.example.com/keys"}`}, want: metadata.JWKS, faults: []string{`names issuer ""`}},
		"text after it":         {answers: map[string]string{oidc: good + "x"}, want: metadata.JWKS, faults: []string{"not a JSON object"}},
		"endpoint over http":    {answers: map[string]string{oidc: `{"issuer":"https://id.example.com","jwks_uri":"http://127.0.0.1/keys"}`}, want: metadata.JWKS, faults: []string{`"http://127.0.0.1/keys" is http, but the issuer "https://id.example.com" is https`}},
		"endpoint relative":     {answers: map[string]string{oidc: `{"issuer":"https://id.example.com","jwks_uri":"/keys"}`}, want: metadata.JWKS, faults: []string{`"/keys" is not an absolute URL`}},
		"alias":                 {answers: map[string]string{oidc: aliased(`{"introspection_endpoint":"https://mtls.example.com/introspect"}`)}, want: metadata.MTLSIntrospection, found: "https://mtls.example.com/introspect"},
		"alias, not for all":    {answers: map[string]string{oidc: aliased(`{"introspection_endpoint":"https://mtls.example.com/introspect"}`)}, want: metadata.Introspection, found: id + "/introspect"},
		"no such alias":         {answers: map[string]string{oidc: aliased(`{"token_endpoint":"https://mtls.example.com/token"}`)}, want: metadata.MTLSIntrospection, found: id + "/introspect"},
		"no aliases":            {answers: map[string]string{oidc: good}, want: metadata.MTLSIntrospection, found: id + "/introspect"},
		"alias over http":       {answers: map[string]string{oidc: aliased(`{"introspection_endpoint":"http://mtls.example.com/introspect"}`)}, want: metadata.MTLSIntrospection, faults: []string{`"http://mtls.example.com/introspect" is http`}},
		"odd aliases":           {answers: map[string]string{oidc: aliased(`["https://mtls.example.com/introspect"]`)}, want: metadata.MTLSIntrospection, faults: []string{"no introspection_endpoint that can be read"}},
		"odd, not for all":      {answers: map[string]string{oidc: aliased(`["https://mtls.example.com/introspect"]`)}, want: metadata.Introspection, found: id + "/introspect"},
		"endpoint not a string": {answers: map[string]string{oidc: `{"issuer":"https://id.example.com","jwks_uri":["https://id.example.com/keys"]}`}, want: metadata.JWKS, faults: []string{"not a JSON object"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found, err := discover(t.Context(), id, c.want, &transport{answers: c.answers})
			if c.faults == nil {
				if err != nil || found != c.found {
					t.Errorf("got %q, %v, wanted %q", found, err, c.found)
				}
				return
			}
			if err == nil {
				t.Fatalf("got %q, wanted an error", found)
			}
			for _, want := range c.faults {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestHTTPIssuerOnLoopback(t *testing.T) {
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys")
	}))
	defer server.Close()
	c := fetch.New(nil, time.Second, 10000)
	defer c.Close()
	if found, err := metadata.Discover(t.Context(), c, server.URL, metadata.JWKS, false); err != nil || found != server.URL+"/keys" {
		t.Errorf("got %q, %v", found, err)
	}
}

func TestNobodyIsAskedAfterTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tr := &transport{}
	if _, err := discover(ctx, "https://id.example.com", metadata.JWKS, tr); err == nil {
		t.Error("discovered with an ended context")
	}
	if len(tr.asked) > 1 {
		t.Errorf("asked %q", tr.asked)
	}
}

// What a hostile document says does not fill the log.
func TestErrorsAreShort(t *testing.T) {
	const id = "https://id.example.com"
	long := strings.Repeat("x", 5000)
	for _, document := range []string{
		`{"issuer":"https://` + long + `","jwks_uri":"https://id.example.com/keys"}`,
		`{"issuer":"https://id.example.com","jwks_uri":"http://` + long + `"}`,
		`{"issuer":"https://id.example.com","jwks_uri":"` + long + `"}`,
		`{"issuer":"https://id.example.com","jwks_uri":"` + long + `://id.example.com"}`,
	} {
		_, err := discover(t.Context(), id, metadata.JWKS, &transport{answers: map[string]string{id + "/.well-known/openid-configuration": document}})
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%.80s…: an error of %d bytes", document, len(fmt.Sprint(err)))
		}
	}
}

// An operator reads each address once, what to look for, and of what kind the
// fault is.
func TestWordsOfFailures(t *testing.T) {
	const id = "https://id.example.com/tenant"
	const oidc, rfc8414 = id + "/.well-known/openid-configuration", "https://id.example.com/.well-known/oauth-authorization-server/tenant"
	const third, fourth = id + "/.well-known/oauth-authorization-server", "https://id.example.com/.well-known/openid-configuration/tenant"
	long := "https://id.example.com/" + strings.Repeat("x", 300)
	for name, tc := range map[string]struct {
		answers map[string]string
		says    string
		kind    error
	}{
		"nothing at any": {nil, "discovery at " + oidc + ", " + rfc8414 + ", " + third + " and " + fourth + ": status 404, wanted 200", metadata.ErrNoDocument},
		"a page, then nothing": {map[string]string{oidc: "<html>"},
			"discovery at " + oidc + `: status 200, but content type "text/html" and not a JSON object: at offset 0 of 6 bytes, it is no JSON from there on; at ` + rfc8414 + ", " + third + " and " + fourth + ": status 404, wanted 200", metadata.ErrNoDocument},
		"another issuer at two": {map[string]string{oidc: `{"issuer":"https://x.example.com"}`, rfc8414: `{"issuer":"https://x.example.com"}`},
			"discovery at " + oidc + " and " + rfc8414 + `: the document names issuer "https://x.example.com", wanted exactly "` + id + `"; at ` + third + " and " + fourth + ": status 404", metadata.ErrOtherIssuer},
		"something else at each": {map[string]string{oidc: "<html>", rfc8414: "[]", third: `{"issuer":"https://x.example.com"}`, fourth: `{"issuer":"` + id + `"}`},
			`; at ` + fourth + ": the document of issuer " + `"` + id + `" has no jwks_uri`, metadata.ErrNoEndpoint},
		"a byte order mark":         {map[string]string{oidc: "\xef\xbb\xbf{}"}, "byte order mark", metadata.ErrNoDocument},
		"an issuer with a long end": {map[string]string{oidc: `{"issuer":"` + long + `/v2.0"}`}, `/v2.0" (`, metadata.ErrOtherIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := discover(t.Context(), id, metadata.JWKS, &transport{answers: tc.answers})
			if err == nil || !strings.Contains(err.Error(), tc.says) || !errors.Is(err, tc.kind) {
				t.Fatalf("got %v, wanted %s", err, tc.says)
			}
			for _, url := range []string{oidc, rfc8414, third, fourth} {
				if n := strings.Count(err.Error(), url); n != 1 {
					t.Errorf("%s is there %d times: %v", url, n, err)
				}
			}
		})
	}
}

// TestElderPlaces: where the standards' own have nothing, each name is looked for at
// the other's place, by the same rules.
func TestElderPlaces(t *testing.T) {
	const id = "https://id.example.com/a/b"
	const inserted, appended = "https://id.example.com/.well-known/openid-configuration/a/b", id + "/.well-known/oauth-authorization-server"
	const good = `{"issuer":"` + id + `","jwks_uri":"https://id.example.com/keys"}`
	for name, tc := range map[string]struct {
		answers map[string]string
		good    bool
	}{
		"RFC 8414's name, appended (Okta)":           {map[string]string{appended: good}, true},
		"OpenID's name, inserted (MCP, RFC 8414 §5)": {map[string]string{inserted: good}, true},
		"the first that is good counts":              {map[string]string{appended: "<html>", inserted: good}, true},
		"of another issuer":                          {map[string]string{appended: `{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/keys"}`}, false},
		"of the host":                                {map[string]string{"https://id.example.com/.well-known/openid-configuration": good}, false},
		"of the folder above":                        {map[string]string{"https://id.example.com/a/.well-known/openid-configuration": good}, false},
	} {
		found, err := discover(t.Context(), id, metadata.JWKS, &transport{answers: tc.answers})
		if (err == nil) != tc.good || tc.good && found != "https://id.example.com/keys" {
			t.Errorf("%s: got %q, %v", name, found, err)
		}
	}
}

// silent answers nothing.
type silent struct{ asked int }

func (s *silent) RoundTrip(*http.Request) (*http.Response, error) {
	s.asked++
	return nil, errors.New("no connection")
}

// TestSilentIssuerIsAskedAtTheStandardPlacesAlone: each further one would cost a
// time-out.
func TestSilentIssuerIsAskedAtTheStandardPlacesAlone(t *testing.T) {
	tr := &silent{}
	_, err := metadata.Discover(t.Context(), fetch.New(&http.Client{Transport: tr}, time.Second, 10000), "https://id.example.com/a", metadata.JWKS, false)
	if err == nil || tr.asked != 2 {
		t.Errorf("asked %d times: %v", tr.asked, err)
	}
}

func TestRedirectsOfMetadata(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer server.Close()
	c := fetch.New(nil, time.Second, 10000)
	defer c.Close()
	_, err := metadata.Discover(t.Context(), c, server.URL, metadata.JWKS, false)
	if err == nil || !strings.Contains(err.Error(), "status 302, wanted 200: redirects are not followed") {
		t.Errorf("got %v", err)
	}
}
