package token_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/token"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var (
	basic = introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))
	post  = introspection.ClientSecretPost(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))
	wrong = introspection.ClientSecretPost(issuertest.ClientID, introspection.Secret("another"))
)

// orders is an API with one route, which takes bound tokens alone if bound says so.
func orders(t *testing.T, iss *issuertest.Issuer, bound bool, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	nonces, err := dpop.NewSealed(dpop.SealedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	issuer := validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: iss.Client()}}
	if bound {
		issuer.Binding = validator.BindingRequired
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}, DPoP: &dpop.Config{Nonces: nonces}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	mux := http.NewServeMux()
	server := start(mux)
	t.Cleanup(server.Close)
	auth := httpauth.New(v, &httpauth.Config{PublicURL: []string{server.URL}})
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "orders") }))
	return server
}

func called(t *testing.T, got *token.Token, url string) int {
	t.Helper()
	resp, err := got.Call(t.Context(), http.MethodGet, url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestGetAndCall(t *testing.T) {
	for name, test := range map[string]struct {
		auth  introspection.ClientAuth
		dpop  bool
		nonce string
		bound bool // the API takes no other tokens
		want  int
	}{
		"basic":                   {basic, false, "", false, 200},
		"post":                    {post, false, "", false, 200},
		"DPoP":                    {basic, true, "", true, 200},
		"DPoP with a nonce":       {basic, true, "nonce-of-the-issuer", true, 200},
		"bearer where bound only": {basic, false, "", true, 401},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			iss.SetNonce(test.nonce)
			got, err := token.Get(t.Context(), token.Request{Issuer: iss.URL(), Auth: test.auth, Scope: "orders:read", DPoP: test.dpop})
			if err != nil {
				t.Fatal(err)
			}
			if got.Bound() != test.dpop || got.Scope != "orders:read" || got.ExpiresIn.Hours() != 1 {
				t.Errorf("bound %t, scope %q, good for %v", got.Bound(), got.Scope, got.ExpiresIn)
			}
			server := orders(t, iss, test.bound, httptest.NewServer)
			for range 2 { // a proof is good once
				if status := called(t, got, server.URL+"/orders?page=2"); status != test.want {
					t.Errorf("status %d, wanted %d", status, test.want)
				}
			}
		})
	}
}

// trusting is an HTTP client that shows a certificate and takes these servers'.
func trusting(t *testing.T, cert tls.Certificate, addresses ...string) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	for _, address := range addresses {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range conn.ConnectionState().PeerCertificates {
			roots.AddCert(c)
		}
		conn.Close()
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestCertificate(t *testing.T) {
	iss := issuertest.NewTLS(t)
	iss.Register(issuertest.ClientRegistration{ID: "bound", Secret: "s", CertificateBound: true})
	server := orders(t, iss, true, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
		return s
	})
	client := trusting(t, issuertest.ClientCertificate("reports"), iss.URL(), server.URL)
	got, err := token.Get(t.Context(), token.Request{Issuer: iss.URL(), Auth: introspection.ClientSecretBasic("bound", introspection.Secret("s")), Scope: "orders:read", MTLS: true, HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if status := called(t, got, server.URL+"/orders"); status != 200 {
		t.Errorf("status %d, wanted 200", status)
	}
}

// TestAlias: a client with a certificate goes where the issuer asks for one.
func TestAlias(t *testing.T) {
	var asked string
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q,"mtls_endpoint_aliases":{"token_endpoint":%q}}`, server.URL, server.URL+"/plain", server.URL+"/mtls")
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path + " " + r.PostFormValue("client_id")
		_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer"}`)
	})
	for mtls, want := range map[bool]string{true: "/mtls reports", false: "/plain reports"} {
		if _, err := token.Get(t.Context(), token.Request{Issuer: server.URL, Auth: introspection.TLSClientAuth("reports"), MTLS: mtls}); err != nil || asked != want {
			t.Errorf("asked %q, wanted %q: %v", asked, want, err)
		}
	}
}

// TestPrivateKeyJWT holds the assertion against RFC 7523 §3, as an issuer does.
func TestPrivateKeyJWT(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.PostFormValue("client_assertion"), ".")
		signature, _ := base64.RawURLEncoding.DecodeString(parts[len(parts)-1])
		hash := sha256.Sum256([]byte(strings.Join(parts[:len(parts)-1], ".")))
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		var claims struct{ Iss, Sub, Aud string }
		_ = json.Unmarshal(payload, &claims)
		if rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, hash[:], signature) != nil || claims.Iss != "reports" || claims.Sub != "reports" || claims.Aud != "https://id.example.com" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"t","token_type":"bearer","expires_in":60}`)
	}))
	t.Cleanup(server.Close)
	signer, err := validator.NewAssertionSigner("reports", key, "1", "RS256")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Get(t.Context(), token.Request{Issuer: "https://id.example.com", Endpoint: server.URL, Auth: introspection.PrivateKeyJWT("reports", signer)}); err != nil {
		t.Error(err)
	}
}

// TestNonceOnce: an issuer that is never content with a nonce is asked twice.
func TestNonceOnce(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", asked))
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"use_dpop_nonce"}`)
	}))
	t.Cleanup(server.Close)
	_, err := token.Get(t.Context(), token.Request{Endpoint: server.URL, Auth: basic, DPoP: true})
	if refused, ok := errors.AsType[*token.RefusedError](err); !ok || refused.Code != "use_dpop_nonce" || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestRefused(t *testing.T) {
	const leaked = "text-of-a-token-that-nobody-may-see"
	answer := func(status int, body string) func(*issuertest.Issuer) {
		return func(iss *issuertest.Issuer) {
			iss.SetFault(issuertest.TokenEndpoint, issuertest.Respond(status, nil, body))
		}
	}
	discovery := func(body string) func(*issuertest.Issuer) {
		return func(iss *issuertest.Issuer) {
			iss.SetFault(issuertest.Discovery, issuertest.Respond(200, nil, strings.ReplaceAll(body, "ISSUER", iss.URL())))
		}
	}
	for name, test := range map[string]struct {
		prepare func(*issuertest.Issuer)
		change  func(*token.Request)
		want    string
	}{
		"credentials":        {nil, func(r *token.Request) { r.Auth = wrong }, `answers 401, "invalid_client"`},
		"server":             {answer(500, "<html>"), nil, "answers 500"},
		"both yes and no":    {answer(400, `{"access_token":"`+leaked+`","error":"x","error_description":"`+leaked+`"}`), nil, "answers 400"},
		"no JSON":            {answer(200, leaked), nil, "no JSON"},
		"no token":           {answer(200, `{"token_type":"Bearer"}`), nil, "without an access_token"},
		"a token of lines":   {answer(200, `{"access_token":"a\r\nX: y"}`), nil, "characters that no token has"},
		"a token of escapes": {answer(200, `{"access_token":"a\u001b[2J"}`), nil, "characters that no token has"},
		"bound unasked":      {answer(200, `{"access_token":"`+leaked+`","token_type":"DPoP"}`), nil, "bound to a key, though none was shown"},
		"redirect":           {func(iss *issuertest.Issuer) { iss.SetFault(issuertest.TokenEndpoint, issuertest.Redirect("/token")) }, nil, "answers 30"},
		"no metadata":        {discovery("<html>"), nil, "answers what is no metadata"},
		"another's metadata": {discovery(`{"issuer":"https://id.example.com","token_endpoint":"ISSUER/token"}`), nil, "is the metadata of"},
		"no endpoint":        {discovery(`{"issuer":"ISSUER"}`), nil, "names no token_endpoint"},
		"endpoint by http":   {discovery(`{"issuer":"ISSUER","token_endpoint":"http://id.example.com/token"}`), nil, "wanted https"},
		"issuer by http":     {nil, func(r *token.Request) { r.Issuer = "http://id.example.com" }, "wanted https"},
		"no URL":             {nil, func(r *token.Request) { r.Issuer = "id.example.com" }, "no absolute URL"},
		"a user in it":       {nil, func(r *token.Request) { r.Endpoint = "https://me:" + leaked + "@id.example.com" }, "without a user"},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			if test.prepare != nil {
				test.prepare(iss)
			}
			r := token.Request{Issuer: iss.URL(), Auth: basic}
			if test.change != nil {
				test.change(&r)
			}
			got, err := token.Get(t.Context(), r)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, wanted %q", got, err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), leaked) || strings.Contains(err.Error(), issuertest.ClientSecret)) {
				t.Errorf("a token or a secret is shown: %v", err)
			}
		})
	}
}

func TestCallIsCareful(t *testing.T) {
	iss := issuertest.New(t)
	got, err := token.Get(t.Context(), token.Request{Issuer: iss.URL(), Auth: basic})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"http://api.example.com/orders", "api.example.com", "ftp://127.0.0.1/"} {
		if _, err := got.Call(t.Context(), http.MethodGet, address); err == nil {
			t.Errorf("the token was sent to %s", address)
		}
	}
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	redirecting := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirecting.Close)
	if status := called(t, got, redirecting.URL); status != http.StatusTemporaryRedirect || elsewhere != 0 {
		t.Errorf("status %d, %d requests where it was sent on to", status, elsewhere)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if strings.Contains(fmt.Sprintf(format, got), got.Text()) {
			t.Errorf("%s shows the token", format)
		}
	}
	if hidden := got.Hide("a " + got.Text() + " b"); hidden != "a [the token] b" {
		t.Error(hidden)
	}
}

// TestEnds: whoever gives up is not kept waiting.
func TestEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := token.Get(ctx, token.Request{Issuer: issuertest.New(t).URL(), Auth: basic}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
