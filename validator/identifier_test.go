package validator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// keysElsewhere is for issuers from which nothing is discovered.
func keysElsewhere() *jwks.Config { return &jwks.Config{URL: "https://keys.example.com/jwks"} }

// identifiers are what people put into Issuer.URL, and what New says of it: of
// the first part where keys are discovered from it, and "" where it is good.
var identifiers = []struct {
	url              string
	discovers, named string // with Keys.URL set
}{
	{"https://id.example.com", "", ""},
	{"https://id.example.com/", "", ""},
	{"HTTPS://id.example.com/a/b", "", ""},
	{"https://id.example.com:8443/realms/shop", "", ""},
	{"http://127.0.0.1:8080", "", ""},
	{"acme.com", "is not an absolute URL", ""},
	{"Acme", "is not an absolute URL", ""},
	{"id.example.com/realms/shop", "is not an absolute URL", ""},
	{"reports@example.iam.gserviceaccount.com", "is not an absolute URL", ""},
	{"http://fs.example.com/adfs/services/trust", "is http, which is for loopback hosts alone: use https, or set DangerouslyAllowHTTP", ""},
	{"spiffe://example.org", `has scheme "spiffe", wanted https`, ""},
	{"urn:example:issuer", "is not an absolute URL", ""},
	{"did:web:example.com", "is not an absolute URL", ""},
	{"https://id.example.com?tenant=a", "has a query", ""},

	{"", "is empty", "is empty"},
	{"garbage with spaces", "holds a blank", "holds a blank"},
	{" https://id.example.com", "holds a blank", "holds a blank"},
	{"https://id.example.com\n", "holds a blank", "holds a blank"},
	{"https://id.example.com\r\n", "holds a blank", "holds a blank"},
	{"https://id.example.com\u200b", "what cannot be seen", "what cannot be seen"},
	{"\ufeffhttps://id.example.com", "what cannot be seen", "what cannot be seen"},
	{"https://id.example.com\xff", "what cannot be seen", "what cannot be seen"},
	{"https//id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"https:/id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"https:id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"https:///realms", "is not an absolute URL", "is not an absolute URL"},
	{"https://", "is not an absolute URL", "is not an absolute URL"},
	{"htps://id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"htttps://id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"hp//id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"HTTPS:id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"http/id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"h:acme", "is not an absolute URL", ""},
	{"shop:acme", "is not an absolute URL", ""},
	{"//id.example.com", "is not an absolute URL", "is not an absolute URL"},
	{"https://id.example.com/#a", "has a fragment", "has a fragment"},
	{"https://id.example.com/.well-known/openid-configuration", `wanted the issuer: "https://id.example.com"`, `wanted the issuer: "https://id.example.com"`},
	{"https://id.example.com/a/.well-known/openid-configuration", `wanted the issuer: "https://id.example.com/a"`, `wanted the issuer: "https://id.example.com/a"`},
	{"https://id.example.com/.well-known/oauth-authorization-server/a", `wanted the issuer: "https://id.example.com/a"`, `wanted the issuer: "https://id.example.com/a"`},
	{"https://id.example.com/.well-known", `wanted the issuer: "https://id.example.com"`, `wanted the issuer: "https://id.example.com"`},
	{"https://id.example.com/.well-known/jwks.json", "address of the issuer's document", "address of the issuer's document"},
	{"https://id.example.com/jwks.json", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://id.example.com/jwks", "an address of keys is for Keys.URL", "an address of keys is for Keys.URL"},
	{"https://id.example.com/realms/shop/protocol/openid-connect/certs", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://id.example.com/jwks_uri", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://id.example.com/protocol/openid-connect", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://id.example.com/oauth2/v1/keys", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://www.googleapis.com/oauth2/v3/certs", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://id.example.com/oauth2/keys", "", ""},
	{"https://id.example.com/oauth2/v1", "", ""},
	{"https://id.example.com/oauth2/v/keys", "", ""},
	{"https://id.example.com/oauth2/v12/certs", "", ""},
	{"https://id.example.com/my-jwks", "", ""},
	{"https://id.example.com/protocol/openid-connected", "", ""},
	{"https://login.microsoftonline.com/t/discovery/keys", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
	{"https://login.microsoftonline.com/t/discovery/v2.0/keys", "is the address of keys or of an endpoint", "is the address of keys or of an endpoint"},
}

// TestIssuerURL: the name of an issuer is checked whether or not something is
// fetched from it, and said to be wrong once, in the field that holds it.
func TestIssuerURL(t *testing.T) {
	for _, tt := range identifiers {
		for what, change := range map[string]func(*validator.Issuer) string{
			"discovered": func(*validator.Issuer) string { return tt.discovers },
			"asked about": func(i *validator.Issuer) string {
				i.Introspection = fineIntrospection()
				return tt.discovers
			},
			"both": func(i *validator.Issuer) string {
				i.Keys, i.Introspection = &jwks.Config{}, fineIntrospection()
				return tt.discovers
			},
			"keys elsewhere": func(i *validator.Issuer) string {
				i.Keys = keysElsewhere()
				return tt.named
			},
			"metadata elsewhere": func(i *validator.Issuer) string {
				i.Keys = &jwks.Config{Issuer: "https://keys.example.com"}
				return tt.named
			},
			"a fixed set": func(i *validator.Issuer) string {
				i.Keys = &jwks.Config{Set: published(t, map[string]string{"k": "ed25519-a"})}
				return tt.named
			},
			"an endpoint elsewhere": func(i *validator.Issuer) string {
				i.Introspection = fineIntrospection()
				i.Introspection.Endpoint = "https://keys.example.com/introspect"
				return tt.named
			},
		} {
			t.Run(tt.url+", "+what, func(t *testing.T) {
				iss := fine()
				iss.URL = tt.url
				want := change(&iss)
				v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
				if want == "" {
					if err != nil {
						t.Fatal(err)
					}
					v.Close()
					return
				}
				if err == nil {
					v.Close()
					t.Fatal("New found no fault")
				}
				text := err.Error()
				if strings.Count(text, want) != 1 || strings.Contains(text, "\n") || !strings.Contains(text, ": URL") {
					t.Errorf("got %s\nwanted one line that blames URL once: %s", text, want)
				}
				if tt.named == "" && !strings.Contains(text, "Keys.URL") && !strings.Contains(text, "Introspection.Endpoint") {
					t.Errorf("%s does not name the way out", text)
				}
			})
		}
	}
}

// TestNamesThatNoTokenHolds: what a file's line break or a list in one string
// does to a name is New's fault, in each field that holds names.
func TestNamesThatNoTokenHolds(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*validator.Issuer, string)
		bad  []string
		good []string
	}{
		{"Audience", func(i *validator.Issuer, s string) { i.Audience = []string{"api", s} },
			[]string{"", "orders\n", " orders", "orders ", "\torders", "a b", "orders\u00a0", "orders\u200b", "\ufefforders", "orders\r\n", "a\xff", "\n"},
			[]string{"orders", "https://orders.example.com/v1?x=y#z", "api://2b9d41c7", "größe", "urn:a:b", "a,b"}},
		{"Clients", func(i *validator.Issuer, s string) { i.Clients = []string{"api", s} },
			[]string{"", "reports\n", " reports", "reports ", "reports\r", "reports\u200b", "\ufeffreports"},
			[]string{"reports", "our reports", "a@b", "größe"}},
		{"SignedAnswersFor", func(i *validator.Issuer, s string) { i.Introspection, i.SignedAnswersFor = fineIntrospection(), s },
			[]string{"api\n", " api", "api\u200b"},
			[]string{"api", "our api"}},
	} {
		for _, value := range append(tt.bad, tt.good...) {
			iss := fine()
			tt.set(&iss, value)
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
			if v != nil {
				v.Close()
			}
			isBad := slices.Contains(tt.bad, value)
			if (err != nil) != isBad {
				t.Errorf("%s %q: %v", tt.name, value, err)
			}
			if err != nil && (!strings.Contains(err.Error(), ": "+tt.name+" ") || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "wanted")) {
				t.Errorf("%s %q: %v", tt.name, value, err)
			}
		}
	}
}

// TestPastedKey: a key in the place of an address is in no fault.
func TestPastedKey(t *testing.T) {
	for _, key := range []string{"c2VjcmV0LW9mLWNsaWVudA0123456789", "0123456789abcdef0123456789abcdef", `{"kty":"oct","k":"c2VjcmV0"}`, "-----BEGIN PRIVATE KEY----- c2VjcmV0 -----END PRIVATE KEY-----"} {
		asked, pasted := fineIntrospection(), fineIntrospection()
		pasted.Endpoint = key
		for name, issuers := range map[string][]validator.Issuer{
			"URL":                    {{URL: key, Audience: []string{"a"}}},
			"URL, asked about":       {{URL: key, Audience: []string{"a"}, Introspection: fineIntrospection()}, {URL: "https://id.example.com", Audience: []string{"a"}, Introspection: asked}},
			"Keys.URL":               {{URL: "https://id.example.com", Audience: []string{"a"}, Keys: &jwks.Config{URL: key}}},
			"Introspection.Endpoint": {{URL: "https://id.example.com", Audience: []string{"a"}, Introspection: pasted}},
		} {
			v, err := validator.New(validator.Config{Issuers: issuers})
			if err == nil {
				v.Close()
				t.Errorf("%s: it is taken", name)
			} else if strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "0123456789") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
