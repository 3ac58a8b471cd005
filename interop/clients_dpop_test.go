//go:build interop

package interop_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
)

// proofLibraries make DPoP proofs.
var proofLibraries = []string{"oauth4webapi", "openid-client", "dpop"}

// oddTargets are spelt in ways that a router, a proxy or a library may take for
// others. A client sends each as it stands here.
var oddTargets = []string{
	"/orders/a%2Fb", "/orders/~ada", "/orders/%7Eada", "/orders/%41da", "/orders/%c3%a9", "/orders/%C3%A9", "/orders/a;b=c", "/orders/a:b@c,d!",
	"/orders/x?page=2&of=%2F", "/orders/x?", "/orders/?q=a/../b", "/orders/a+b%20c", "/orders/100%25", "/orders/a%3Fb%23c", "/orders/",
}

// eachNonces runs test with nonces of the authorization server and of the API on and
// off. apis makes APIs for its tokens.
func eachNonces(t *testing.T, test func(t *testing.T, s *server, nonces bool, apis func() []*api)) {
	theirs := ownServer(t, options{Nonces: true})
	for _, s := range []*server{shared, theirs} {
		for _, ours := range []bool{false, true} {
			t.Run(fmt.Sprintf("nonces of the server %v, of the API %v", s == theirs, ours), func(t *testing.T) {
				test(t, s, ours, func() []*api { return boundAPIs(t, bothIssuer(s), ours, (*httptest.Server).Start) })
			})
		}
	}
}

// proving is the client "dpop-bound" with a library.
func proving(s *server, library, alg string) account {
	return account{Library: library, Issuer: s.issuer, ID: "dpop-bound", Secret: secret, Alg: alg}
}

var boundKinds = map[string]string{"JWT": jwt("ES256"), "opaque": opaque}

// TestDPoPClients has real clients get through, and take a nonce by themselves.
func TestDPoPClients(t *testing.T) {
	l := startLibraries(t)
	eachNonces(t, func(t *testing.T, s *server, nonces bool, newAPIs func() []*api) {
		apis := newAPIs()
		for _, library := range proofLibraries {
			for kind, resource := range boundKinds {
				client := l.connect(t, proving(s, library, "ES256"))
				token, took := client.tokenBy(t, "DPoP", grant{bothScope, resource})
				if (took == 2) != (s != shared) {
					t.Errorf("%s, %s: the token took %d requests, and one that is told a nonce takes 2", library, kind, took)
				}
				for _, a := range apis {
					what := func(n any) string { return fmt.Sprintf("%s, %s, %s: %v", library, kind, a.name, n) }
					requests := 1
					if nonces {
						requests = 2 // the first is told a nonce
					}
					h := handled{Client: "dpop-bound", Scope: bothScope}
					for n := range 3 {
						wantVerdict(t, what(n), through(requests, h), client.ask(t, a, token, read, "/orders", ""))
						requests = 1
					}
					if kind == "opaque" { // the server does not know its own JWTs
						wantVerdict(t, what("fresh"), through(1, h), client.ask(t, a, token, remove, "/orders", ""))
					}
					for _, target := range oddTargets {
						h.Target = target
						wantVerdict(t, what(target), through(1, h), client.ask(t, a, token, read, target, ""))
					}
					h.Target, h.Body = "", `{"item":"lamp"}`
					wantVerdict(t, what("a body"), through(1, h), client.ask(t, a, token, write, "/orders", h.Body))
				}
			}
		}
	})
}

// TestDPoPClientsRefused has the requests of real clients in the hands of others.
func TestDPoPClientsRefused(t *testing.T) {
	l := startLibraries(t)
	eachNonces(t, func(t *testing.T, s *server, nonces bool, newAPIs func() []*api) {
		apis := newAPIs()
		for _, library := range proofLibraries {
			for kind, resource := range boundKinds {
				client, thief := l.connect(t, proving(s, library, "ES256")), l.connect(t, proving(s, library, "ES256"))
				bound := client.token(t, "DPoP", grant{bothScope, resource})
				elsewhere := client.token(t, "DPoP", grant{bothScope, withAudience(resource)})
				bearer := s.token(t, grant{bothScope, resource})
				for _, a := range apis {
					check := func(what string, want, got verdict) {
						t.Helper()
						wantVerdict(t, fmt.Sprintf("%s, %s, %s: %s", library, kind, a.name, what), want, got)
					}
					if nonces {
						first := client.take(t, a, bound, read, "/orders")
						check("no nonce", refusal("DPoP", "use_dpop_nonce"), first.sent(t, browser, a, read, "/orders"))
						client.ask(t, a, bound, read, "/orders", "")
						thief.ask(t, a, thief.token(t, "DPoP", grant{bothScope, resource}), read, "/orders", "")
					}
					h := handled{Client: "dpop-bound", Scope: bothScope}
					taken := client.take(t, a, bound, read, "/orders")
					check("as the client sends it", through(1, h), taken.sent(t, browser, a, read, "/orders"))
					check("again", refusal("DPoP", "invalid_dpop_proof"), taken.sent(t, browser, a, read, "/orders"))

					taken = client.take(t, a, bound, read, "/orders")
					check("without its proof", refusal("DPoP", "invalid_dpop_proof"), stolen{Authorization: taken.Authorization}.sent(t, browser, a, read, "/orders"))
					check("as a bearer token", refusal("DPoP", "invalid_token"), stolen{Authorization: "Bearer " + bound}.sent(t, browser, a, read, "/orders"))
					check("as a bearer token, with its proof", refusal("DPoP", "invalid_token"), stolen{"Bearer " + bound, taken.Proof}.sent(t, browser, a, read, "/orders"))
					check("another method", refusal("DPoP", "invalid_dpop_proof"), taken.sent(t, browser, a, write, "/orders"))
					for _, target := range []string{"/orders/", "/orders/x", "/orders/a%2Fb"} {
						check("another URL", refusal("DPoP", "invalid_dpop_proof"), taken.sent(t, browser, a, read, target))
					}
					check("a path for an escaped one", refusal("DPoP", "invalid_dpop_proof"),
						client.take(t, a, bound, read, "/orders/a/b").sent(t, browser, a, read, "/orders/a%2Fb"))
					check("a proof for another token", refusal("DPoP", "invalid_dpop_proof"),
						stolen{"DPoP " + bound, client.take(t, a, elsewhere, read, "/orders").Proof}.sent(t, browser, a, read, "/orders"))
					for _, other := range apis {
						if other != a {
							check("a proof for another host", refusal("DPoP", "invalid_dpop_proof"), taken.sent(t, browser, other, read, "/orders"))
						}
					}
					check("none of that spent it", through(1, h), taken.sent(t, browser, a, read, "/orders"))

					check("another key", refusal("DPoP", "invalid_token"), thief.ask(t, a, bound, read, "/orders", ""))
					check("a token for another API", refusal("DPoP", "invalid_token"), client.ask(t, a, elsewhere, read, "/orders", ""))
					check("a bearer token with a proof", refusal("DPoP", "invalid_token"), client.ask(t, a, bearer, read, "/orders", ""))
					h = handled{Client: "basic", Scope: bothScope}
					check("a bearer token", through(1, h), stolen{Authorization: "Bearer " + bearer}.sent(t, browser, a, read, "/orders"))
				}
			}
		}
	})
}

// withAudience is a resource indicator for another API.
func withAudience(indicator string) string {
	if indicator == opaque {
		return resource("aud", "https://stock.example.com")
	}
	return resource("alg", "ES256", "aud", "https://stock.example.com")
}

// TestDPoPAlgorithms has proofs by each kind of key that the libraries make.
func TestDPoPAlgorithms(t *testing.T) {
	l := startLibraries(t)
	apis := boundAPIs(t, bothIssuer(shared), true, (*httptest.Server).Start)
	for library, algs := range map[string][]string{
		"oauth4webapi":  algorithms,
		"openid-client": algorithms,
		"dpop":          {"RS256", "PS256", "ES256", "Ed25519"},
	} {
		for _, alg := range algs {
			client := l.connect(t, proving(shared, library, alg))
			token := client.token(t, "DPoP", grant{readScope, jwt("EdDSA")})
			for _, a := range apis {
				wantVerdict(t, library+", "+alg+", "+a.name, through(2, handled{Client: "dpop-bound", Scope: readScope}),
					client.ask(t, a, token, read, "/orders", ""))
			}
		}
	}
}
