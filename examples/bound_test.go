package examples_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Every snippet of docs/bound.md stands in this file.
func TestGuideToBoundTokens(t *testing.T) {
	source, page := fields(read(t, "bound_test.go")), read(t, "../docs/bound.md")
	if n := strings.Count(page, "\n"); n > 120 {
		t.Errorf("docs/bound.md has %d lines, wanted at most 120", n)
	}
	snippets := blocks(page, "go")
	if len(snippets) < 5 {
		t.Errorf("docs/bound.md has %d snippets", len(snippets))
	}
	for _, snippet := range snippets {
		for piece := range strings.SplitSeq(snippet, "\n…\n") {
			if !strings.Contains(source, fields(piece)) {
				t.Errorf("this snippet of docs/bound.md stands nowhere here:\n%s", piece)
			}
		}
	}
}

// TestTokensBoundToAKey sets an API up as the guide says, with nonces and without, and
// has a real client call it.
func TestTokensBoundToAKey(t *testing.T) {
	iss, key := issuertest.New(t), newKey(t)
	issuer := validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}

	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{issuer},
		DPoP:    &dpop.Config{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	mux := http.NewServeMux()
	auth := httpauth.New(v, &httpauth.Config{PublicURL: []string{"https://api.example.com"}})
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(listOrders))
	auth.MountMetadata(mux)

	token := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", issuertest.Proof(key, issuertest.ProofClaims{URL: "https://api.example.com/orders", Token: token}))
	for _, status := range []int{200, 401} { // the second is a replay
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("status %d, wanted %d: %s", w.Code, status, w.Body)
		}
	}
}

// TestNoncesOfAFleet: two instances take each other's, also after the secrets changed.
func TestNoncesOfAFleet(t *testing.T) {
	iss, key := issuertest.New(t), newKey(t)
	issuer := validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
	instance := func(current, previous []byte) http.Handler {
		cfg := validator.Config{Issuers: []validator.Issuer{issuer}}
		nonces, err := dpop.NewSealed(dpop.SealedConfig{
			Secrets: func() [][]byte { return [][]byte{current, previous} }, // 32 random bytes each
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.DPoP = &dpop.Config{Nonces: nonces}
		v, err := validator.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		auth := httpauth.New(v, &httpauth.Config{PublicURL: []string{"https://api.example.com"}})
		return auth.RequireBound(scopes.All("orders:read"))(http.HandlerFunc(listOrders))
	}
	old, next := []byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))
	token := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	ask := func(api http.Handler, nonce string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", "/orders", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", issuertest.Proof(key, issuertest.ProofClaims{URL: "https://api.example.com/orders", Token: token, Nonce: nonce}))
		api.ServeHTTP(w, r)
		return w
	}
	first, second := instance(old, next), instance(next, old)
	refused := ask(first, "")
	if refused.Code != 401 || !strings.Contains(refused.Header().Get("WWW-Authenticate"), "use_dpop_nonce") || refused.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", refused.Code, refused.Header())
	}
	if w := ask(second, refused.Header().Get("DPoP-Nonce")); w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// TestTokensBoundToACertificate sets a server up as the guide says.
func TestTokensBoundToACertificate(t *testing.T) {
	iss := issuertest.New(t)
	issuer := validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
	issuer.Binding = validator.BindingRequired // bound tokens alone, of this issuer
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	mux, auth := http.NewServeMux(), httpauth.New(v, nil)
	bound := auth.RequireBound(scopes.All("orders:pay")) // bound tokens alone, on this route
	mux.Handle("GET /orders", bound(http.HandlerFunc(listOrders)))

	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{ClientAuth: tls.RequestClientCert}}

	api := httptest.NewUnstartedServer(nil)
	api.Config, api.TLS = server, server.TLSConfig
	api.StartTLS()
	defer api.Close()
	mine, other := issuertest.ClientCertificate("reports"), issuertest.ClientCertificate("thief")
	token := iss.Token(issuertest.Claims{Scope: "orders:pay", CertificateThumbprint: issuertest.CertificateThumbprint(mine.Leaf)})
	for name, tc := range map[string]struct {
		certificates []tls.Certificate
		token        string
		status       int
	}{
		"its own":        {[]tls.Certificate{mine}, token, 200},
		"another":        {[]tls.Certificate{other}, token, 401},
		"none":           {nil, token, 401},
		"a bearer token": {[]tls.Certificate{mine}, iss.Token(issuertest.Claims{Scope: "orders:pay"}), 401},
	} {
		transport := &http.Transport{TLSClientConfig: api.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
		transport.TLSClientConfig.Certificates = tc.certificates
		r, err := http.NewRequestWithContext(t.Context(), "GET", api.URL+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tc.token)
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		transport.CloseIdleConnections()
		if res.StatusCode != tc.status {
			t.Errorf("%s: status %d, wanted %d", name, res.StatusCode, tc.status)
		}
	}
}

// TestBoundRoutesAreGuarded: guardtest asks routes for bound tokens, too.
func TestBoundRoutesAreGuarded(t *testing.T) {
	key := newKey(t)
	guardtest.AllGuarded(t, func(issuer, audience string) guardtest.App {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}, DPoP: &dpop.Config{}})
		if err != nil {
			t.Fatal(err)
		}
		mux, auth := http.NewServeMux(), httpauth.New(v, &httpauth.Config{PublicURL: []string{"https://api.example.com"}})
		auth.HandleGate(mux, "GET /orders", httpauth.Gate{Rule: scopes.All("orders:read"), Bound: true}, http.HandlerFunc(listOrders))
		auth.MountMetadata(mux)
		return guardtest.App{Handler: mux, Routes: auth.Routes(), Close: v.Close}
	}, guardtest.Want{"GET /orders": scopes.All("orders:read")},
		guardtest.Public("/.well-known/oauth-protected-resource"),
		guardtest.Claims(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())}),
		guardtest.Send(func(r *http.Request, token string) {
			proof := issuertest.ProofClaims{Method: r.Method, URL: "https://api.example.com" + r.URL.EscapedPath(), Token: token}
			r.Header.Set("Authorization", "DPoP "+token)
			r.Header.Set("DPoP", issuertest.Proof(key, proof))
		}))
}

// shown is how a request of TestWhatTheLogSays shows a token that is bound to key.
type shown struct {
	claims      issuertest.Claims
	scheme      string
	proof       issuertest.ProofClaims
	by          *ecdsa.PrivateKey // who makes the proof
	flaw        issuertest.ProofFlaw
	unproven    bool // there is no proof
	host        string
	certificate *x509.Certificate
}

// TestWhatTheLogSays: each row of the guide's table is what a refusal says, and each
// such refusal has its row.
func TestWhatTheLogSays(t *testing.T) {
	iss, key, other := issuertest.New(t), newKey(t), newKey(t)
	nonces, err := dpop.NewSealed(dpop.SealedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	mine, another := issuertest.ClientCertificate("reports").Leaf, issuertest.ClientCertificate("thief").Leaf
	byCertificate := issuertest.Claims{CertificateThumbprint: issuertest.CertificateThumbprint(mine)}
	rows := tableOf(t, "../docs/bound.md", "| the log says |")
	for says, tc := range map[string]struct {
		dpop   *dpop.Config // nil for none
		urls   []string     // beside the usual one
		issuer validator.Issuer
		bound  bool // the route is for bound tokens
		change func(*shown)
		status int
		times  int // beside the first
	}{
		"the scheme is DPoP, and the validator's Config.DPoP is not set": {change: func(*shown) {}, status: 401},
		"or its token_type, and Config.DPoP is not set":                  {change: func(s *shown) { s.scheme = "Bearer" }, status: 401},
		"bound to a key, and is shown as a bearer token":                 {dpop: &dpop.Config{}, change: func(s *shown) { s.scheme = "Bearer" }, status: 401},
		"bound to no key, and is shown as Authorization: DPoP":           {dpop: &dpop.Config{}, change: func(s *shown) { s.claims.JWKThumbprint = "" }, status: 401},
		"there are 0 DPoP field lines":                                   {dpop: &dpop.Config{}, change: func(s *shown) { s.unproven = true }, status: 401},
		"the DPoP field holds a comma":                                   {dpop: &dpop.Config{}, change: func(s *shown) { s.flaw = issuertest.ProofJoined }, status: 401},
		"htu: got [":                                                     {dpop: &dpop.Config{}, change: func(s *shown) { s.proof.URL = "https://api.example.com/shop/orders" }, status: 401},
		"htm: got [":                                                     {dpop: &dpop.Config{}, change: func(s *shown) { s.proof.Method = "POST" }, status: 401},
		"old":                                                            {dpop: &dpop.Config{}, change: func(s *shown) { s.proof.IssuedAt = time.Now().Add(-time.Hour) }, status: 401},
		"ahead of our clock":                                             {dpop: &dpop.Config{}, change: func(s *shown) { s.proof.IssuedAt = time.Now().Add(time.Hour) }, status: 401},
		"the proof has no ath":                                           {dpop: &dpop.Config{}, change: func(s *shown) { s.flaw = issuertest.ProofNoToken }, status: 401},
		"the thumbprint of the proof's key is not the token's":           {dpop: &dpop.Config{}, change: func(s *shown) { s.by = other }, status: 401},
		"alg: got [":                                                     {dpop: &dpop.Config{Algorithms: []string{"EdDSA"}}, change: func(*shown) {}, status: 401},
		"the proof has no nonce":                                         {dpop: &dpop.Config{Nonces: nonces}, change: func(*shown) {}, status: 401},
		"the nonce of the proof is unknown, or no longer good":           {dpop: &dpop.Config{Nonces: nonces}, change: func(s *shown) { s.proof.Nonce = "another instance's" }, status: 401},
		"the proof was seen before":                                      {dpop: &dpop.Config{}, change: func(s *shown) { s.proof.ID = "the same" }, status: 401, times: 1},
		"the store of seen proofs":                                       {dpop: &dpop.Config{Replays: noStore{}}, change: func(*shown) {}, status: 503},
		"is that of no Config.PublicURL":                                 {dpop: &dpop.Config{}, urls: []string{"https://api.example.org"}, change: func(s *shown) { s.host = "10.0.0.7:8080" }, status: 421},
		"this is a bearer token":                                         {dpop: &dpop.Config{}, bound: true, change: func(s *shown) { s.claims, s.scheme = issuertest.Claims{}, "Bearer" }, status: 401},
		"it is a bearer token":                                           {issuer: validator.Issuer{Binding: validator.BindingRequired}, change: func(s *shown) { s.claims, s.scheme = issuertest.Claims{}, "Bearer" }, status: 401},
		"a client certificate, and the request shows none":               {change: func(s *shown) { s.claims, s.scheme = byCertificate, "Bearer" }, status: 401},
		"another client certificate than the request shows":              {change: func(s *shown) { s.claims, s.scheme, s.certificate = byCertificate, "Bearer", another }, status: 401},
		"its cnf asks for a proof that is not checked here": {change: func(s *shown) {
			s.claims, s.scheme = issuertest.Claims{Extra: map[string]any{"cnf": map[string]any{"kid": "a"}}}, "Bearer"
		}, status: 401},
	} {
		t.Run(says, func(t *testing.T) {
			if !rows[says] {
				t.Error("docs/bound.md has no such row")
			}
			delete(rows, says)
			tc.issuer.URL, tc.issuer.Audience = iss.URL(), []string{issuertest.Audience}
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{tc.issuer}, DPoP: tc.dpop})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			var refusal error
			api := httpauth.New(v, &httpauth.Config{
				PublicURL: append(tc.urls, "https://api.example.com"),
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
					refusal = f.Err
					f.Respond(w)
				},
			}).Gate(httpauth.Gate{Rule: scopes.All("orders:read"), Bound: tc.bound})(http.HandlerFunc(listOrders))
			s := shown{
				claims: issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())},
				scheme: "DPoP", proof: issuertest.ProofClaims{URL: "https://api.example.com/orders"}, by: key, host: "api.example.com",
			}
			tc.change(&s)
			s.claims.Scope = "orders:read"
			s.proof.Token = iss.Token(s.claims)
			var w *httptest.ResponseRecorder
			for range tc.times + 1 {
				w = httptest.NewRecorder()
				api.ServeHTTP(w, s.request())
			}
			if w.Code != tc.status || refusal == nil || !strings.Contains(refusal.Error(), says) {
				t.Errorf("%d, wanted %d: %v", w.Code, tc.status, refusal)
			}
		})
	}
	for says := range rows {
		t.Errorf("docs/bound.md has a row that no refusal is known for: %s", says)
	}
}

func (s *shown) request() *http.Request {
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Host = s.host
	r.Header.Set("Authorization", s.scheme+" "+s.proof.Token)
	switch {
	case s.unproven || s.scheme != "DPoP":
	case s.flaw != 0:
		r.Header["Dpop"] = issuertest.BadProof(s.flaw, s.by, s.proof)
	default:
		r.Header.Set("DPoP", issuertest.Proof(s.by, s.proof))
	}
	if s.certificate != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{s.certificate}}
	}
	return r
}

// tableOf is what stands as code in the first column of a table, one row or several
// phrases of it each.
func tableOf(t *testing.T, page, header string) map[string]bool {
	t.Helper()
	_, table, found := strings.Cut(read(t, page), "\n"+header)
	if !found {
		t.Fatalf("%s has no table %s", page, header)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	phrases := make(map[string]bool)
	for _, row := range strings.Split(table, "\n")[2:] {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			phrases[code[1]] = true
		}
	}
	return phrases
}

// noStore is a store of seen proofs that is down.
type noStore struct{}

var _ dpop.Replays = noStore{}

func (noStore) Remember(context.Context, dpop.Seen, time.Duration) (bool, error) {
	return false, errors.New("cache.internal:6380: connection refused")
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
