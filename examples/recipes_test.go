package examples_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The recipes of docs/recipes.md, in its order.

func Example_corsOrder() {
	auth, mux := gate(nil), http.NewServeMux()
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(listOrders))

	cors := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://app.example.com")
			if r.Method == http.MethodOptions {
				w.Header().Set("Access-Control-Allow-Headers", "Authorization")
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	api := cors(mux) // outside the gate, so that refusals can be read, too

	w := call(api, "OPTIONS", "")
	fmt.Println(w.Code, w.Header())
	w = call(api, "GET", "")
	fmt.Println(w.Code, w.Header().Get("Access-Control-Allow-Origin"))
	// Output:
	// 204 map[Access-Control-Allow-Headers:[Authorization] Access-Control-Allow-Origin:[https://app.example.com]]
	// 401 https://app.example.com
}

func Example_optionalToken() {
	auth, mux := gate(nil), http.NewServeMux()

	prices := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "a stranger"
		if token := validator.FromContext(r.Context()); token != nil {
			who = token.ClientID()
		}
		fmt.Fprint(w, "prices for ", who)
	})
	mux.Handle("GET /orders", auth.Optional(scopes.All("orders:read"))(prices))

	fmt.Println(call(mux, "GET", "").Body)
	fmt.Println(call(mux, "GET", "expired or wrong").Code)
	// Output:
	// prices for a stranger
	// 400
}

func Example_tokenElsewhere() {
	cfg := &httpauth.Config{
		Credentials: func(r *http.Request) (scheme, token string, err error) {
			fields := r.Header.Values("X-Forwarded-Authorization")
			if len(fields) > 1 {
				return "", "", errors.New("two X-Forwarded-Authorization fields")
			}
			scheme, token, _ = strings.Cut(strings.Join(fields, ""), " ")
			return scheme, token, nil
		},
		DangerouslyIgnoreAuthorization: true, // which is the gateway's; else a field beside is 400
	}

	r, w := httptest.NewRequest("GET", "/orders", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Basic Z2F0ZXdheQ==")
	r.Header.Set("X-Forwarded-Authorization", "Bearer "+gateIssuer.Token(issuertest.Claims{Scope: "orders:read"}))
	gate(cfg).Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)).ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 200
}

func Example_webSocketSubprotocol() {
	cfg := &httpauth.Config{
		Credentials: func(r *http.Request) (scheme, token string, err error) {
			for name := range strings.SplitSeq(strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ","), ",") {
				if found, ok := strings.CutPrefix(strings.TrimSpace(name), "bearer."); ok {
					return "Bearer", found, nil
				}
			}
			return "", "", nil
		},
	}

	r, w := httptest.NewRequest("GET", "/orders", nil), httptest.NewRecorder()
	r.Header.Set("Sec-WebSocket-Protocol", "orders.v1, bearer."+gateIssuer.Token(issuertest.Claims{Scope: "orders:read"}))
	gate(cfg).Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)).ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 200
}

func Example_streams() {
	auth := gate(nil)

	news := make(chan string, 2)
	news <- "order-1"
	news <- "order-2"
	close(news)

	events := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case order, more := <-news:
				if !more {
					return
				}
				fmt.Fprintf(w, "data: %s\n\n", order)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return // the client comes back with a new token, or is told why by the gate
			}
		}
	})
	stream := auth.RequireLive(scopes.All("orders:read"))(events)

	fmt.Println(strings.Fields(call(stream, "GET", gateIssuer.Token(issuertest.Claims{Scope: "orders:read"})).Body.String()))
	// Output: [data: order-1 data: order-2]
}

func Example_keysInAFile() {
	folder, err := os.MkdirTemp("", "recipe")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "keys.json")
	if err := os.WriteFile(file, []byte(publicKeys), 0o600); err != nil {
		log.Fatal(err)
	}

	issuer := validator.Issuer{
		URL:      "https://id.example.com",
		Audience: []string{"https://orders.example.com"},
		Keys:     &jwks.Config{File: file}, // a key set, or PEM
	}

	fmt.Println(ready(issuer))
	// Output: <nil>
}

func Example_behindASocket() {
	folder, err := os.MkdirTemp("", "recipe")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "id")
	stop := serveOn(socket)
	defer stop()

	dialer := new(net.Dialer)
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}
	issuer := validator.Issuer{
		URL:      "http://id.internal",
		Audience: []string{"https://orders.example.com"},
		Keys:     &jwks.Config{URL: "http://id.internal/keys", HTTPClient: client, DangerouslyAllowHTTP: true},
		// The socket is what http is allowed for: nobody else is on the way.
		DangerouslyAllowHTTP: true,
	}

	fmt.Println(ready(issuer))
	client.CloseIdleConnections()
	// Output: <nil>
}

func Example_privateCA() {
	server := httptest.NewTLSServer(http.HandlerFunc(keySet))
	defer server.Close()
	keysURL, file := server.URL+"/keys", writeCA(server.Certificate())
	defer os.Remove(file)

	bundle, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		log.Fatal(err)
	}
	if !roots.AppendCertsFromPEM(bundle) {
		log.Fatal(file + " holds no certificate")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	keys := &jwks.Config{URL: keysURL, HTTPClient: &http.Client{Transport: transport}}

	fmt.Println(ready(validator.Issuer{URL: "https://id.example.com", Audience: []string{"https://orders.example.com"}, Keys: keys}))
	transport.CloseIdleConnections()
	// Output: <nil>
}

func Example_proxy() {
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.RequestURI
		keySet(w, r)
	}))
	defer server.Close()
	proxyURL, keysURL := server.URL, "http://id.example.com/keys" // which only the proxy knows, so that it is asked

	proxy, err := url.Parse(proxyURL)
	if err != nil {
		log.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxy)
	keys := &jwks.Config{URL: keysURL, HTTPClient: &http.Client{Transport: transport}}

	keys.DangerouslyAllowHTTP = true // this proxy opens no tunnels, which https needs
	fmt.Println(ready(validator.Issuer{URL: "https://id.example.com", Audience: []string{"https://orders.example.com"}, Keys: keys}))
	fmt.Println(<-asked)
	transport.CloseIdleConnections()
	// Output:
	// <nil>
	// http://id.example.com/keys
}

func Example_mutualTLS() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"active": %t, "aud": "https://orders.example.com", "scope": "orders:read"}`, len(r.TLS.PeerCertificates) == 1)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	certificate := server.TLS.Certificates[0] // tls.LoadX509KeyPair reads one from files
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	endpoint := server.URL + "/introspect"

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}
	asking := &introspection.Config{
		Endpoint:   endpoint,
		Auth:       introspection.TLSClientAuth("orders-api"), // RFC 8705 §2
		HTTPClient: &http.Client{Transport: transport},
	}

	fmt.Println(try(validator.Issuer{URL: "https://id.example.com", Audience: []string{"https://orders.example.com"}, Introspection: asking}, "opaque"))
	transport.CloseIdleConnections()
	// Output: <nil>
}

func Example_innerAndOuterName() {
	inner := httptest.NewServer(http.HandlerFunc(keySet))
	defer inner.Close()
	innerKeys := inner.URL + "/keys"

	issuer := validator.Issuer{
		URL:      "https://id.example.com", // as it stands in iss
		Audience: []string{"https://orders.example.com"},
		Keys: &jwks.Config{
			URL:                  innerKeys, // where the API reaches it
			DangerouslyAllowHTTP: true,      // within one machine
		},
	}

	fmt.Println(ready(issuer))
	http.DefaultClient.CloseIdleConnections()
	// Output: <nil>
}

// withParameters adds to what ClientSecretBasic and its kin send.
type withParameters struct {
	introspection.ClientAuth
	more url.Values
}

func (p withParameters) Authenticate(ctx context.Context, req *introspection.Request) error {
	for name, values := range p.more {
		req.Form[name] = values
	}
	return p.ClientAuth.Authenticate(ctx, req)
}

func Example_extraParameters() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.FormValue("resource"), r.FormValue("token_type_hint"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"active": true, "aud": "https://orders.example.com", "scope": "orders:read"}`)
	}))
	defer server.Close()
	endpoint := server.URL + "/introspect"

	asking := &introspection.Config{
		Endpoint: endpoint,
		Auth: withParameters{
			introspection.ClientSecretBasic("orders-api", introspection.Secret("from where the API keeps its secrets")),
			url.Values{"resource": {"https://orders.example.com"}},
		},
	}

	asking.HTTPClient = server.Client() // which knows the server's certificate
	fmt.Println(try(validator.Issuer{URL: "https://id.example.com", Audience: []string{"https://orders.example.com"}, Introspection: asking}, "opaque"))
	server.Client().CloseIdleConnections()
	// Output:
	// https://orders.example.com access_token
	// <nil>
}

func Example_severalAudiences() {
	issuerURL := gateIssuer.URL()

	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL:      issuerURL,
		Audience: []string{"https://orders.example.com", "https://stock.example.com"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	orders := httpauth.New(v, &httpauth.Config{Audience: []string{"https://orders.example.com"}})
	stock := httpauth.New(v, &httpauth.Config{Audience: []string{"https://stock.example.com"}})

	token := gateIssuer.Token(issuertest.Claims{Audience: []string{"https://stock.example.com"}, Scope: "orders:read"})
	for _, auth := range []*httpauth.Middleware{orders, stock} {
		fmt.Println(call(auth.Require(scopes.AnyToken())(http.HandlerFunc(listOrders)), "GET", token).Code)
	}
	// Output:
	// 401
	// 200
}

func Example_commaScopes() {
	profile := validator.Profile{
		ScopeClaims: []string{}, // an empty list reads none by itself
		Grants: func(t *validator.Token) (scopes, roles []string) {
			var list string
			if err := t.Claim("scope", &list); err != nil {
				return nil, nil
			}
			return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }), nil
		},
	}

	token, err := validator.DangerouslyUnverified([]byte(`{"scope": "orders:read, orders:write"}`), profile) // as a unit test does
	fmt.Println(token.Scopes(), err)
	// Output: orders:read orders:write <nil>
}

func Example_rolesForScopes() {
	profile := validator.Profile{
		ScopeClaims: []string{"roles"},
		Implies:     map[string][]string{"orders-admin": {"orders:read", "orders:write"}},
	}

	token, err := validator.DangerouslyUnverified([]byte(`{"roles": ["orders-admin"]}`), profile)
	fmt.Println(token.Scopes().Contains("orders:write"), err)
	// Output: true <nil>
}

func Example_prefixes() {
	askingA := &introspection.Config{Endpoint: "https://a.example.com/introspect", Auth: introspection.ClientSecretBasic("orders", introspection.Secret("a secret"))}
	askingB := &introspection.Config{Endpoint: "https://b.example.com/introspect", Auth: introspection.ClientSecretBasic("orders", introspection.Secret("b secret"))}

	issuers := []validator.Issuer{
		{URL: "https://a.example.com", Audience: []string{"https://orders.example.com"}, Introspection: askingA, OpaquePrefix: []string{"ghs_"}},
		{URL: "https://b.example.com", Audience: []string{"https://orders.example.com"}, Introspection: askingB}, // the rest
	}

	v, err := validator.New(validator.Config{Issuers: issuers})
	if err != nil {
		log.Fatal(err)
	}
	v.Close()
	// Output:
}

func Example_shortLives() {
	issuer := validator.Issuer{
		URL:              "https://id.example.com",
		Audience:         []string{"https://orders.example.com"},
		MaxTokenLifetime: time.Hour,
	}

	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}})
	if err != nil {
		log.Fatal(err)
	}
	v.Close()
	// Output:
}

func Example_movingIssuers() {
	oldURL, newURL := gateIssuer.URL(), gateIssuer2.URL()

	issuers := []validator.Issuer{
		{URL: oldURL, Audience: []string{"https://orders.example.com"}},
		{URL: newURL, Audience: []string{"https://orders.example.com"}},
	}
	v, err := validator.New(validator.Config{Issuers: issuers})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	for _, iss := range []*issuertest.Issuer{gateIssuer, gateIssuer2} {
		_, err := v.Verify(context.Background(), iss.Token(issuertest.Claims{Audience: []string{"https://orders.example.com"}}))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}

// withRecipes runs the tests between the start and the end of what recipes share.
type withRecipes struct{ m *testing.M }

func (r withRecipes) Run() int {
	stop := startRecipes()
	defer stop()
	return r.m.Run()
}

func Example_withoutIss() {
	issuerURL, audience := gateIssuer.URL(), issuertest.Audience

	issuer := validator.Issuer{
		URL:                            issuerURL, // where keys are; tokens name nobody
		Audience:                       []string{audience},
		DangerouslyAcceptMissingIssuer: true,
	}

	now := time.Now()
	payload := fmt.Sprintf(`{"aud": %q, "exp": %d, "scope": "orders:read"}`, issuertest.Audience, now.Add(time.Minute).Unix())
	header := fmt.Sprintf(`{"alg": "RS256", "kid": %q}`, gateIssuer.CurrentKeyID("RS256"))
	fmt.Println(try(issuer, gateIssuer.Sign([]byte(header), []byte(payload), "RS256")))
	// Output: <nil>
}

func Example_wildcardScopes() {
	issuerURL, audience := gateIssuer.URL(), issuertest.Audience

	issuer := validator.Issuer{
		URL:      issuerURL,
		Audience: []string{audience},
		Profile:  validator.Profile{WildcardSuffix: ":*"},
	}

	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	for _, scope := range []string{"orders:*", "*", "ord*"} {
		token, err := v.Verify(context.Background(), gateIssuer.Token(issuertest.Claims{Scope: scope}))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(scope, token.Scopes().Contains("orders:read"))
	}
	// Output:
	// orders:* true
	// * false
	// ord* false
}

// gateIssuer and gateIssuer2 are what the recipes trust. They stay up until the
// tests end.
var gateIssuer, gateIssuer2 *issuertest.Issuer

// gateValidator trusts gateIssuer.
var gateValidator *validator.Validator

// startRecipes starts what the recipes share, and returns what ends it.
func startRecipes() (stop func()) {
	var err error
	if gateIssuer, err = issuertest.Start(); err != nil {
		log.Fatal(err)
	}
	if gateIssuer2, err = issuertest.Start(); err != nil {
		log.Fatal(err)
	}
	gateValidator, err = validator.New(validator.Config{Issuers: []validator.Issuer{{URL: gateIssuer.URL(), Audience: []string{issuertest.Audience}}}})
	if err != nil {
		log.Fatal(err)
	}
	return func() {
		gateValidator.Close()
		gateIssuer.Close()
		gateIssuer2.Close()
	}
}

func gate(cfg *httpauth.Config) *httpauth.Middleware { return httpauth.New(gateValidator, cfg) }

func listOrders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "orders of ", validator.FromContext(r.Context()).ClientID())
}

// ready is what the readiness probe of an API says that trusts issuer.
func ready(issuer validator.Issuer) error {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}})
	if err != nil {
		return err
	}
	defer v.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return v.Ready(ctx)
}

// try is what an API says to a token that trusts issuer.
func try(issuer validator.Issuer, token string) error {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}})
	if err != nil {
		return err
	}
	defer v.Close()
	_, err = v.Verify(context.Background(), token)
	return err
}

// keySet answers with one public key (RFC 8037, appendix A.2).
func keySet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, publicKeys)
}

const publicKeys = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// serveOn serves the key set on a Unix socket.
func serveOn(socket string) (stop func()) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(keySet), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}

func writeCA(certificate *x509.Certificate) (file string) {
	f, err := os.CreateTemp("", "ca")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if err := pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}); err != nil {
		log.Fatal(err)
	}
	return f.Name()
}
