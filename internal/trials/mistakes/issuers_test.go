package mistakes_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// ready is what Ready says of an issuer.
func ready(iss func(t *testing.T) validator.Issuer) func(*testing.T) string {
	return func(t *testing.T) string {
		a := open(t, iss(t))
		err := a.Ready(t.Context())
		if !errors.Is(err, validator.ErrUnavailable) {
			t.Fatalf("Ready says %v", err)
		}
		a.Close() // and so every event was told
		// The operator reads the same advice in the log.
		text := err.Error()
		if line := a.log.line(t, "level=WARN"); !strings.Contains(line, text[strings.LastIndex(text, " ("):]) {
			t.Errorf("%s\nis not followed by the advice of\n%s", line, text)
		}
		return text
	}
}

// trouble is what Ready says of a fake issuer in trouble.
func trouble(e issuertest.Endpoint, f issuertest.Fault) func(*testing.T) string {
	return ready(func(t *testing.T) validator.Issuer {
		fake := issuertest.New(t)
		fake.SetFault(e, f)
		return validator.Issuer{URL: fake.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: fake.Client()}}
	})
}

// failing is an HTTP client that cannot reach anybody.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func failingClient(err error) *http.Client { return &http.Client{Transport: failing{err}} }

// publishing is an Issuer with a key set of one's own.
func publishing(t *testing.T, body string) validator.Issuer {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	t.Cleanup(s.Close)
	iss := fine()
	iss.Keys = &jwks.Config{URL: s.URL + "/keys"}
	return iss
}

// introspected is the first line about a fake issuer's introspection.
func introspected(change func(fake *issuertest.Issuer, c *introspection.Config)) func(*testing.T) string {
	return func(t *testing.T) string {
		fake := issuertest.New(t)
		iss := asking(fake)
		change(fake, iss.Introspection)
		a := open(t, iss)
		a.request(t, orders, bearer(fake.Opaque(issuertest.Claims{Scope: "orders:read"})))
		return a.log.line(t, "introspection failed")
	}
}

// issuers are mistakes that Ready or the first token sees, about where keys and
// answers come from.
var issuers = []mistake{
	{name: "trailing slash too many", make: ready(func(t *testing.T) validator.Issuer {
		fake := issuertest.New(t)
		iss := trusting(fake)
		iss.URL, iss.Keys = fake.URL()+"/", &jwks.Config{HTTPClient: fake.Client()}
		return iss
	}), says: []string{"the document names issuer", "wanted exactly", `/"`, "Issuer.URL"}},
	{name: "trailing slash too many, at a request", make: mistaken(func(i *validator.Issuer) { i.URL += "/" }, claims(issuertest.Claims{})),
		says: []string{"iss", "got", "wanted", `/"]`, "slash at the end", "Issuer.URL"}},
	{name: "the address of keys as issuer, which does not look like one", make: ready(func(t *testing.T) validator.Issuer {
		fake := issuertest.New(t)
		iss := trusting(fake)
		iss.URL, iss.Keys = fake.URL()+"/public/signing", &jwks.Config{HTTPClient: fake.Client()}
		return iss
	}), says: []string{"status 404", "Issuer.URL must be the issuer, not the address of its document or its keys", "Keys.URL"}},
	{name: "localhost for 127.0.0.1", make: mistaken(func(i *validator.Issuer) { i.URL = strings.Replace(i.URL, "127.0.0.1", "localhost", 1) }, claims(issuertest.Claims{})),
		says: []string{"iss", `got ["http://127.0.0.1:`, `wanted ["http://localhost:`, "Issuer.URL"}},
	{name: "Keycloak under an inner and an outer name", make: ready(func(t *testing.T) validator.Issuer {
		fake := issuertest.New(t)
		iss := fine()
		fake.SetFault(issuertest.Discovery, issuertest.Respond(200, nil, `{"issuer":"`+iss.URL+`","jwks_uri":"`+fake.JWKSURL()+`"}`))
		iss.Keys = &jwks.Config{Issuer: fake.URL(), HTTPClient: fake.Client()}
		return iss
	}), says: []string{"the document names issuer", "wanted exactly", "Keys.URL goes without its metadata"}},
	{name: "issuer refuses connections", make: ready(func(t *testing.T) validator.Issuer {
		fake := issuertest.New(t)
		fake.Close()
		return validator.Issuer{URL: fake.URL(), Audience: []string{issuertest.Audience}}
	}), says: []string{"discovery at http://127.0.0.1:", "connection refused", "Issuer.Keys", "by another name or port, Keys.URL"}},
	{name: "issuer answers 404", make: trouble(issuertest.Discovery, issuertest.Respond(404, nil, "")),
		says: []string{"discovery at", "status 404, wanted 200", "Issuer.URL must be the issuer"}},
	{name: "issuer answers a web page", make: trouble(issuertest.Discovery, issuertest.Garbage()),
		says: []string{"discovery at", `content type "text/html"`, "not a JSON object", "Issuer.URL must be the issuer"}},
	{name: "issuer redirects", make: trouble(issuertest.Discovery, issuertest.Redirect("https://id.example.com/login")),
		says: []string{"discovery at", "status 307", "redirects are not followed", "Keys.URL"}, not: []string{"/login"}},
	{name: "keys answer a web page", make: trouble(issuertest.JWKS, issuertest.Garbage()),
		says: []string{"key set at", `content type "text/html"`, "at offset 0", "Issuer.Keys"}},
	{name: "keys redirect", make: trouble(issuertest.JWKS, issuertest.Redirect("https://id.example.com/login")),
		says: []string{"key set at", "redirects are not followed", "Issuer.Keys"}},
	{name: "keys in UTF-16", make: ready(func(t *testing.T) validator.Issuer { return publishing(t, "\xff\xfe{\x00}\x00") }),
		says: []string{"key set at", "byte order mark", "Issuer.Keys"}},
	{name: "keys in an encoding that nobody asked for", make: trouble(issuertest.JWKS, issuertest.Respond(200, http.Header{"Content-Encoding": {"br"}}, "\x8b\x02")),
		says: []string{"key set at", `content encoding "br", which was not asked for`, "Issuer.Keys"}},
	{name: "an issuer whose host nobody knows", make: ready(func(t *testing.T) validator.Issuer {
		iss := fine()
		iss.Keys = &jwks.Config{HTTPClient: failingClient(&net.DNSError{Err: "no such host", Name: "id.example.com", IsNotFound: true})}
		return iss
	}), says: []string{"id.example.com: no such host", "the host of Issuer.URL or of Issuer.Keys is not known here", "another name here, Keys.URL"}},
	{name: "TLS inspection with an unknown root", make: ready(func(t *testing.T) validator.Issuer {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		iss := fine()
		iss.URL = s.URL
		return iss
	}), says: []string{"certificate signed by unknown authority", "Keys.HTTPClient must trust", "where TLS is inspected on the way"}},
	{name: "an issuer that publishes only ES256K", make: ready(func(t *testing.T) validator.Issuer {
		return publishing(t, `{"keys":[{"kty":"EC","crv":"secp256k1","kid":"k","x":"AAAA","y":"AAAA"}]}`)
	}), says: []string{"the only key of the set cannot be used", "ES256K", "let the issuer sign with ES256", "Issuer.Keys"}},
	{name: "an issuer that publishes keys for nothing that is accepted", make: ready(func(t *testing.T) validator.Issuer {
		return publishing(t, `{"keys":[`+string(testdata.PublicKey("p384"))+`]}`)
	}), says: []string{"the only key of the set cannot be used", "accepted here", "Issuer.Keys"}},
	{name: "an issuer that hangs, in a request with an end", make: func(t *testing.T) (text string) {
		synctest.Test(t, func(t *testing.T) {
			fake := issuertest.NewInMemory(t)
			fake.SetFault(issuertest.Discovery, issuertest.Slow(time.Hour))
			iss := trusting(fake)
			iss.Keys.URL = ""
			a := open(t, iss)
			defer a.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // as the shipped examples do
			defer cancel()
			_, err := a.Verify(ctx, fake.Token(issuertest.Claims{}))
			text = err.Error()
		})
		return text
	}, says: []string{"temporarily unavailable", "context deadline exceeded", "the request's own context ended"}},
	{name: "an issuer that hangs, at Ready", make: func(t *testing.T) (text string) {
		synctest.Test(t, func(t *testing.T) {
			fake := issuertest.NewInMemory(t)
			fake.SetFault(issuertest.Discovery, issuertest.Slow(time.Hour))
			iss := trusting(fake)
			iss.Keys.URL = ""
			a := open(t, iss)
			defer a.Close()
			text = a.Ready(t.Context()).Error()
		})
		return text
	}, says: []string{"discovery at", "deadline exceeded", "Keys.RequestTimeout"}},
	{name: "introspection: wrong secret", make: introspected(func(_ *issuertest.Issuer, c *introspection.Config) {
		c.Auth = introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret("wrong-wrong"))
	}), says: []string{"level=WARN", "status 401", "refused this resource server's own credentials: check Config.Auth"}, not: []string{"wrong-wrong"}},
	{name: "introspection: wrong endpoint", make: introspected(func(fake *issuertest.Issuer, c *introspection.Config) { c.Endpoint = fake.URL() + "/introspection" }),
		says: []string{"level=WARN", "/introspection", "status 404", "check Config.Endpoint"}},
	{name: "introspection: the endpoint is not in the metadata", make: introspected(func(fake *issuertest.Issuer, c *introspection.Config) {
		fake.SetFault(issuertest.Discovery, issuertest.Respond(200, nil, `{"issuer":"`+fake.URL()+`"}`))
		c.Endpoint = ""
	}), says: []string{"level=WARN", "has no introspection_endpoint", "Introspection.Endpoint goes without"}},
	{name: "introspection: a secret that is empty when it is read", make: introspected(func(_ *issuertest.Issuer, c *introspection.Config) {
		c.Auth = introspection.ClientSecretPost(issuertest.ClientID, func(context.Context) (string, error) { return "", nil })
	}), says: []string{"level=WARN", "client authentication", "the client secret is empty"}},
	{name: "introspection: a secret with a line break when it is read", make: introspected(func(_ *issuertest.Issuer, c *introspection.Config) {
		c.Auth = introspection.ClientSecretPost(issuertest.ClientID, func(context.Context) (string, error) { return issuertest.ClientSecret + "\n", nil })
	}), says: []string{"level=WARN", "client authentication", "control character", "line break"}, not: []string{issuertest.ClientSecret}},
	{name: "Ready with a wrong introspection secret", program: "doctor", make: func(t *testing.T) string {
		fake := issuertest.New(t)
		iss := asking(fake)
		iss.Introspection.Auth = introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret("wrong-wrong"))
		a := open(t, iss)
		if err := a.Ready(t.Context()); err != nil { // as its comment says
			t.Errorf("Ready asks: %v", err)
		}
		return a.request(t, scopes.AnyToken(), bearer(fake.Opaque(issuertest.Claims{})))
	}, says: []string{"refused this resource server's own credentials", "Config.Auth", "Issuer.Introspection"}},
}
