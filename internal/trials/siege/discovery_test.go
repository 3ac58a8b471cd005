package siege_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// metadata answers with the issuer's metadata after a change.
func metadata(change func(doc map[string]any)) issuertest.Fault {
	return spoilt(func(body []byte) []byte {
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			panic(err)
		}
		change(doc)
		changed, err := json.Marshal(doc)
		if err != nil {
			panic(err)
		}
		return changed
	})
}

// addressed names other endpoints; nil names none.
func addressed(url any) issuertest.Fault {
	return metadata(func(doc map[string]any) { doc["jwks_uri"], doc["introspection_endpoint"] = url, url })
}

// TestDiscoveryFaults: an API that starts while discovery is broken answers 503,
// for JWTs and opaque tokens alike, and works as soon as discovery does.
func TestDiscoveryFaults(t *testing.T) {
	elsewhere := canary(t)
	for name, fault := range map[string]issuertest.Fault{
		"500":                      issuertest.ServerError(),
		"404":                      status(http.StatusNotFound),
		"204":                      status(http.StatusNoContent),
		"connection closed":        issuertest.Down(),
		"reset half-way":           issuertest.Reset(),
		"no answer in time":        hang(),
		"slow drip":                issuertest.Drip(5 * time.Millisecond),
		"HTML with 200":            issuertest.Garbage(),
		"truncated JSON":           issuertest.Truncated(),
		"text after the document":  spoilt(func(b []byte) []byte { return append(b, "{}"...) }),
		"64 MiB":                   issuertest.TooLarge(64 << 20),
		"gzip bomb":                issuertest.GzipBomb(2 << 20),
		"redirect to another host": issuertest.Redirect(elsewhere),
		"another issuer":           metadata(func(doc map[string]any) { doc["issuer"] = elsewhere }),
		"an issuer with a slash":   metadata(func(doc map[string]any) { doc["issuer"] = doc["issuer"].(string) + "/" }),
		"no issuer":                metadata(func(doc map[string]any) { delete(doc, "issuer") }),
		"null for addresses":       addressed(nil),
		"empty addresses":          addressed(""),
		"addresses by http":        addressed("http://id.example.com/"),
		"addresses of a file":      addressed("file:///etc/passwd"),
		"addresses with user info": addressed("https://u:p@id.example.com/"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := issuertest.New(t)
			iss.SetFault(issuertest.Discovery, fault)
			keys := quick()
			ask := introspection.Config{RequestTimeout: keys.RequestTimeout, Auth: introspection.ClientSecretPost(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))}
			a := listen(t, trusting(validator.Issuer{URL: iss.URL(), Keys: &keys, Introspection: &ask}))
			for _, token := range []string{fresh(iss), opaque(iss)} {
				a.want(token, unavailable)
				a.want(token, unavailable)
			}
			if n := iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Introspection); n > 0 {
				t.Errorf("%d requests to endpoints that nobody named", n)
			}
			iss.ClearFaults()
			for _, token := range []string{fresh(iss), opaque(iss)} {
				a.become(token, ok, unavailable)
			}
		})
	}
}
