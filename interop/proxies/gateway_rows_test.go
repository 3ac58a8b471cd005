//go:build interop

package proxies_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestGateway: the rows of the conformance list that a proxy can carry, through each of
// them as the page has it configured: status, challenge, and whether the API was reached.
func TestGateway(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			iss := s.iss
			key := testdata.PrivateKey("p256-a")
			read := issuertest.Claims{Scope: "orders:read"}
			good := iss.Token(read)
			bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
			proof := func(method, path string) http.Header {
				return http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {issuertest.Proof(key, issuertest.ProofClaims{Method: method, URL: "https://api.example.com" + path, Token: bound})}}
			}
			bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
			twice := proof("GET", "/orders/twice")
			for _, row := range []struct {
				name, method, target string
				header               http.Header
				status               int
				challenge            string // a part of it; empty for none
			}{
				{"good", "GET", "/orders/17", bearer(good), 200, ""},
				{"good, with a query", "GET", "/orders/17?a=%2F..%2F&b", bearer(good), 200, ""},
				{"good, escaped", "GET", "/orders/annual%20report", bearer(good), 200, ""},
				{"lower-case scheme", "GET", "/orders/17", http.Header{"Authorization": {"bearer " + good}}, 200, ""},
				{"the API's own 403", "GET", "/orders/forbidden", bearer(good), 403, ""},
				{"HEAD", "HEAD", "/orders/17", bearer(good), 200, ""},
				{"no token", "GET", "/orders/17", nil, 401, `Bearer realm="api"`},
				{"another scheme", "GET", "/orders/17", http.Header{"Authorization": {"Basic dTpw"}}, 401, `Bearer realm="api"`},
				{"token in the query", "GET", "/orders/17?access_token=" + good, nil, 401, `Bearer realm="api"`},
				{"scheme alone", "GET", "/orders/17", http.Header{"Authorization": {"Bearer"}}, 400, "invalid_request"},
				{"two tokens", "GET", "/orders/17", http.Header{"Authorization": {"Bearer " + good, "Bearer " + good}}, 400, ""},
				{"expired", "GET", "/orders/17", bearer(iss.Bad(issuertest.Expired, read)), 401, "has expired"},
				{"tampered", "GET", "/orders/17", bearer(iss.Bad(issuertest.Tampered, read)), 401, "invalid_token"},
				{"alg none", "GET", "/orders/17", bearer(iss.Bad(issuertest.AlgNone, read)), 401, "invalid_token"},
				{"wrong audience", "GET", "/orders/17", bearer(iss.Bad(issuertest.WrongAudience, read)), 401, "another API"},
				{"unknown issuer", "GET", "/orders/17", bearer(iss.Bad(issuertest.WrongIssuer, read)), 401, "does not trust"},
				{"missing scope", "POST", "/orders", bearer(good), 403, `scope="orders:write"`},
				{"a path without a rule", "GET", "/nowhere", bearer(good), 403, "insufficient_scope"},
				{"a method without a rule", "DELETE", "/orders/17", bearer(good), 403, "insufficient_scope"},
				{"public", "GET", "/public/logo.png", nil, 200, ""},
				{"only reported", "GET", "/report", nil, 200, ""},
				{"bound, with its proof", "GET", "/orders/18?a=b", proof("GET", "/orders/18"), 200, ""},
				{"bound, first time", "GET", "/orders/twice", twice, 200, ""},
				{"bound, replayed", "GET", "/orders/twice", twice, 401, "invalid_dpop_proof"},
				{"bound, another method", "GET", "/orders/18", proof("POST", "/orders/18"), 401, "invalid_dpop_proof"},
				{"bound, another path", "GET", "/orders/18", proof("GET", "/auth"), 401, "invalid_dpop_proof"},
				{"bound, as a bearer token", "GET", "/orders/18", bearer(bound), 401, "DPoP"},
			} {
				s.take()
				response := s.ask(t, row.method, row.target, row.header)
				challenge := strings.Join(response.Header.Values("WWW-Authenticate"), "\n")
				if response.StatusCode != row.status || !strings.Contains(challenge, row.challenge) || row.challenge == "" && challenge != "" && row.status != 400 {
					t.Errorf("%s: %d %q, wanted %d with %q", row.name, response.StatusCode, challenge, row.status, row.challenge)
				}
				passes := row.status == 200 || row.name == "the API's own 403"
				if got := s.take(); passes != (len(got) == 1) {
					t.Errorf("%s: the API was reached %d times", row.name, len(got))
				} else if passes && got[0].Target != row.target {
					t.Errorf("%s: the API was asked for %s, wanted %s", row.name, got[0].Target, row.target)
				}
			}

			iss.SetFault(issuertest.JWKS, issuertest.Down())
			iss.Rotate()
			response := s.ask(t, "GET", "/orders/17", bearer(iss.Token(read)))
			if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || response.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("keys away: %d %v, wanted 503 with Retry-After", response.StatusCode, response.Header)
			}
		})
	}
}

// said is what the API is told of the tokens here, by the kind of identity.
var said = map[string]func(*issuertest.Issuer) map[string]string{
	"headers": func(iss *issuertest.Issuer) map[string]string {
		return map[string]string{
			"x-auth-client": issuertest.ClientID, "x-auth-subject": issuertest.ClientID,
			"x-auth-issuer": iss.URL(), "x-auth-scopes": "orders:read",
		}
	},
	"JWT": func(*issuertest.Issuer) map[string]string { return map[string]string{"x-auth-identity": "a JWT"} },
}

// identityOf are the fields that tell the API who calls, in whatever spelling, but for
// empty ones, which some proxies leave out.
func identityOf(h http.Header) map[string]string {
	found := make(map[string]string)
	for name, values := range h {
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		text := strings.Join(values, "|")
		if strings.Count(text, ".") == 2 && strings.HasPrefix(text, "eyJ") {
			text = "a JWT"
		}
		if strings.HasPrefix(name, "x-auth-") && text != "" {
			found[name] += text
		}
	}
	return found
}

// TestIdentityIsOurs: whatever a client claims of itself never reaches the API.
func TestIdentityIsOurs(t *testing.T) {
	fields := []string{"X-Auth-Client", "X-Auth-Subject", "X-Auth-Issuer", "X-Auth-Scopes", "X-Auth-Roles", "X-Auth-Tenant", "X-Auth-Identity"}
	for _, p := range gates {
		for kind, identity := range map[string]string{"headers": "{headers: true}", "JWT": "{jwt: {}}"} {
			t.Run(p.name+", "+kind, func(t *testing.T) {
				s := p.erect(t, identity)
				header := http.Header{"Authorization": {"Bearer " + s.iss.Token(issuertest.Claims{Scope: "orders:read"})}}
				for _, field := range fields {
					for _, claimed := range []string{
						field, strings.ReplaceAll(field, "-", "_"), strings.ToLower(field), strings.ToUpper(field),
						strings.Replace(field, "-", "_", 1), "X-" + strings.ReplaceAll(field[2:], "-", "_"), strings.ReplaceAll(field, "-", "."),
					} {
						for _, values := range [][]string{{"admin"}, {"admin", "admin"}, {"", "admin"}} {
							for _, target := range []string{"/orders/17", "/public/x", "/report"} {
								h := header.Clone()
								if target == "/public/x" {
									h = http.Header{}
								}
								h[claimed] = values
								s.take()
								// What a proxy does not know of, the gate refuses.
								response := s.ask(t, "GET", target, h)
								if response.StatusCode != 200 && (response.StatusCode != 400 || strings.EqualFold(claimed, field)) {
									t.Fatalf("%s: %s: %d", claimed, target, response.StatusCode)
								}
								got := s.take()
								if response.StatusCode == 400 && len(got) == 0 {
									continue
								}
								if len(got) != 1 {
									t.Fatalf("%s: the API was reached %d times", target, len(got))
								}
								for name, values := range got[0].Header {
									if strings.Contains(strings.Join(values, ","), "admin") {
										t.Errorf("%s %q at %s reaches the API as %s: %q", claimed, values, target, name, values)
									}
								}
								want := map[string]string{}
								if target != "/public/x" {
									want = said[kind](s.iss)
								}
								if diff := cmp.Diff(want, identityOf(got[0].Header)); diff != "" {
									t.Fatalf("%s %q at %s: %s", claimed, values, target, diff)
								}
							}
						}
					}
				}
			})
		}
	}
}

// TestFieldsOfTheConnection: a client does not have a proxy leave out on the way what the
// gate says of it.
func TestFieldsOfTheConnection(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			header := http.Header{
				"Authorization": {"Bearer " + s.iss.Token(issuertest.Claims{Scope: "orders:read"})},
				"Connection":    {"close, X-Auth-Client, X-Auth-Scopes, X-Auth-Subject, X-Auth-Issuer, X-Auth-Tenant, X-Auth-Identity"},
			}
			s.take()
			response := s.ask(t, "GET", "/orders/17", header)
			for _, got := range s.take() {
				if got.Header.Get("X-Auth-Client") != issuertest.ClientID || got.Header.Get("X-Auth-Scopes") != "orders:read" || strings.Contains(got.Header.Get("Connection"), "X-Auth") {
					t.Errorf("the API gets %v", got.Header)
				}
			}
			if response.StatusCode != 200 {
				t.Errorf("%d", response.StatusCode)
			}
		})
	}
}

// TestNoTunnel: no proxy opens a tunnel for a request that it lets through, in which others
// would pass the gate by.
func TestNoTunnel(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			for _, upgrade := range []string{"h2c", "H2C", "h2c, websocket", "websocket, h2c", "TLS/1.0", "h2c\t"} {
				s.take()
				s.ask(t, "GET", "/public/1", http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {upgrade}, "Http2-Settings": {"AAMAAABkAAQAAP__"}})
				for _, got := range s.take() {
					if u := got.Header.Get("Upgrade"); u != "" {
						t.Errorf("%q reaches the API as %q", upgrade, u)
					}
				}
			}
		})
	}
}

// TestManyFields: a proxy lives on, whatever a client sends many of.
func TestManyFields(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			for _, name := range []string{"Dpop", "Authorization", "Host"} {
				for _, n := range []int{2, 90, 97, 98, 99, 100} {
					header := http.Header{}
					for range n {
						header[name] = append(header[name], "x")
					}
					s.tolerant(header)
				}
			}
			if response := s.ask(t, "GET", "/public/1", nil); response.StatusCode != 200 {
				t.Errorf("then everybody gets %d", response.StatusCode)
			}
		})
	}
}

// tolerant sends a request whose answer may be that the proxy hangs up.
func (s *stand) tolerant(header http.Header) {
	r, err := http.NewRequest("GET", "http://"+s.address+"/orders/1", nil)
	if err != nil {
		return
	}
	r.Header = header
	if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
		_ = response.Body.Close()
	}
}

// TestOverriding: fields by which frameworks take another method or path reach nobody.
func TestOverriding(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			for _, name := range []string{"X-Http-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url", "X_HTTP_METHOD_OVERRIDE"} {
				s.take()
				s.ask(t, "GET", "/public/1", http.Header{name: {"/admin/1"}})
				for _, got := range s.take() {
					for field, values := range got.Header {
						if strings.Contains(strings.Join(values, ","), "/admin/1") {
							t.Errorf("%s reaches the API as %s", name, field)
						}
					}
				}
			}
		})
	}
}
