package grpcauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/grpcauth/example/ordersv1"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const publicURL = "https://api.example.com"

// TestProofs of possession are for one method of the public URL, whatever the call says of
// an authority, and are spent.
func TestProofs(t *testing.T) {
	iss := issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	v := newValidator(t, iss, func(c *validator.Config) { c.DPoP = &dpop.Config{} })
	cc := newAPI(t, grpcauth.New(v, rules, &grpcauth.Config{PublicURL: publicURL}), nil)
	proof := func(method, url string) string {
		return issuertest.Proof(key, issuertest.ProofClaims{Method: method, URL: url, Token: token})
	}
	with := func(scheme string, proofs ...string) metadata.MD {
		return metadata.MD{"authorization": {scheme + " " + token}, "dpop": proofs}
	}
	for _, method := range []string{list, watch} {
		good := proof(http.MethodPost, publicURL+method)
		once := proof(http.MethodPost, publicURL+method)
		for _, tc := range []struct {
			name   string
			md     metadata.MD
			code   codes.Code
			reason string
		}{
			{"good", with("DPoP", good), codes.OK, ""},
			{"good, again", with("DPoP", good), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"another case of the scheme", with("dpop", once), codes.OK, ""},
			{"none", with("DPoP"), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"as a bearer token", with("Bearer", proof(http.MethodPost, publicURL+method)), codes.Unauthenticated, "INVALID_TOKEN"},
			{"two values", with("DPoP", proof(http.MethodPost, publicURL+method), proof(http.MethodPost, publicURL+method)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"joined by a comma", with("DPoP", proof(http.MethodPost, publicURL+method)+", "+proof(http.MethodPost, publicURL+method)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"for GET", with("DPoP", proof(http.MethodGet, publicURL+method)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"for another method", with("DPoP", proof(http.MethodPost, publicURL+create)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"for the authority of the call", with("DPoP", proof(http.MethodPost, "https://api"+method)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"for no method", with("DPoP", proof(http.MethodPost, publicURL)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
			{"in binary", metadata.Pairs("authorization", "DPoP "+token, "dpop-bin", proof(http.MethodPost, publicURL+method)), codes.Unauthenticated, "INVALID_DPOP_PROOF"},
		} {
			got := ask(t, cc, method, tc.md)
			if got.Code != tc.code || got.Reason != tc.reason {
				t.Errorf("%s%s: %+v, wanted %v %s", tc.name, method, got, tc.code, tc.reason)
			}
		}
	}
	want := []string{
		`Bearer realm="api", scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", ` +
			`DPoP realm="api", scope="orders:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", algs="` + strings.Join(v.Accepts().ProofAlgorithms, " ") + `"`,
	}
	if got := ask(t, cc, list, nil); gocmp.Diff(want, got.Challenge) != "" {
		t.Errorf("%q", got.Challenge)
	}
}

// nonces are those of a server that is about to change one.
type nonces struct{}

func (nonces) Nonce(context.Context) (string, error) { return "next", nil }

func (nonces) Judge(_ context.Context, nonce string) (dpop.Judgement, error) {
	switch nonce {
	case "next":
		return dpop.NonceGood, nil
	case "ending":
		return dpop.NonceEnding, nil
	}
	return dpop.NonceBad, nil
}

// TestNonces are handed out in metadata, with a refusal and with success, by unary and by
// streaming methods.
func TestNonces(t *testing.T) {
	iss := issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	v := newValidator(t, iss, func(c *validator.Config) { c.DPoP = &dpop.Config{Nonces: nonces{}} })
	cc := newAPI(t, grpcauth.New(v, rules, &grpcauth.Config{PublicURL: publicURL}), nil)
	for _, method := range []string{list, watch} {
		for nonce, want := range map[string]struct {
			reason string
			nonce  []string
		}{"": {"USE_DPOP_NONCE", []string{"next"}}, "old": {"USE_DPOP_NONCE", []string{"next"}}, "ending": {"", []string{"next"}}, "next": {"", nil}} {
			proof := issuertest.Proof(key, issuertest.ProofClaims{Method: http.MethodPost, URL: publicURL + method, Token: token, Nonce: nonce})
			got := ask(t, cc, method, metadata.Pairs("authorization", "DPoP "+token, "dpop", proof))
			if got.Reason != want.reason || gocmp.Diff(want.nonce, got.Nonce) != "" {
				t.Errorf("%s, nonce %q: %+v, wanted %+v", method, nonce, got, want)
			}
		}
	}
}

// overTLS serves orders behind auth to a client that shows a certificate, or none.
func overTLS(t *testing.T, auth *grpcauth.Auth, own *tls.Certificate) *grpc.ClientConn {
	t.Helper()
	server := issuertest.ClientCertificate("api")
	s := grpc.NewServer(append(auth.ServerOptions(), grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13,
	})))...)
	ordersv1.RegisterOrdersServer(s, new(orders))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	client := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13} // of a loopback connection
	if own != nil {
		client.Certificates = []tls.Certificate{*own}
	}
	cc, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(client)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

// TestCertificateOfTheConnection is what a token that is bound to one is held against.
func TestCertificateOfTheConnection(t *testing.T) {
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), rules, nil)
	own, other := issuertest.ClientCertificate("m2m-client"), issuertest.ClientCertificate("m2m-client")
	md := bearer(iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(own.Leaf)}))
	for name, tc := range map[string]struct {
		shown *tls.Certificate
		want  codes.Code
	}{"its own": {&own, codes.OK}, "another": {&other, codes.Unauthenticated}, "none": {nil, codes.Unauthenticated}} {
		cc := overTLS(t, auth, tc.shown)
		for _, method := range []string{list, watch} {
			if got := ask(t, cc, method, md); got.Code != tc.want {
				t.Errorf("%s%s: %+v, wanted %v", name, method, got, tc.want)
			}
		}
	}
	behind := grpcauth.New(newValidator(t, iss), rules, &grpcauth.Config{ClientCertificate: forwarded.ClientCert(forwarded.UnixSocket())})
	if got := ask(t, overTLS(t, behind, &own), list, md); got.Code != codes.Unauthenticated {
		t.Errorf("behind a proxy, the connection's own: %+v", got)
	}
}

// TestForwardedCertificate is a proxy's word, if that is who sent it: by the connection's
// address, or a secret that no handler sees.
func TestForwardedCertificate(t *testing.T) {
	const secret = "0123456789abcdef"
	iss := issuertest.New(t)
	own := issuertest.ClientCertificate("m2m-client")
	token := iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(own.Leaf)})
	field := ":" + base64.StdEncoding.EncodeToString(own.Leaf.Raw) + ":"
	loopback := forwarded.Peers(netip.MustParsePrefix("127.0.0.0/8"))
	elsewhere := forwarded.Peers(netip.MustParsePrefix("10.0.0.0/8"))
	for name, tc := range map[string]struct {
		trust forwarded.Trust
		extra []string
		want  codes.Code
	}{
		"from the proxy":              {loopback, []string{"client-cert", field}, codes.OK},
		"from elsewhere":              {elsewhere, []string{"client-cert", field}, codes.Unauthenticated},
		"from elsewhere, by metadata": {elsewhere, []string{"client-cert", field, "x-forwarded-for", "10.0.0.1", "x-real-ip", "10.0.0.1"}, codes.Unauthenticated},
		"twice":                       {loopback, []string{"client-cert", field, "client-cert", field}, codes.Unauthenticated},
		"in binary":                   {loopback, []string{"client-cert-bin", field}, codes.Unauthenticated},
		"none":                        {loopback, nil, codes.Unauthenticated},
		"with the secret":             {forwarded.Secret("X-Proxy-Secret", secret), []string{"client-cert", field, "x-proxy-secret", secret}, codes.OK},
		"with another secret":         {forwarded.Secret("X-Proxy-Secret", secret), []string{"client-cert", field, "x-proxy-secret", secret + "0"}, codes.Unauthenticated},
		"the secret in binary":        {forwarded.Secret("X-Proxy-Secret-Bin", secret), []string{"client-cert", field, "x-proxy-secret-bin", secret}, codes.Unauthenticated},
	} {
		auth := grpcauth.New(newValidator(t, iss), rules, &grpcauth.Config{ClientCertificate: forwarded.ClientCert(tc.trust)})
		s := grpc.NewServer(auth.ServerOptions()...)
		ordersv1.RegisterOrdersServer(s, &orders{called: func(ctx context.Context) error {
			md, _ := metadata.FromIncomingContext(ctx)
			if len(md.Get("x-proxy-secret")) > 0 {
				t.Errorf("%s: the handler sees the secret", name)
			}
			if name == "from the proxy" && len(md.Get("client-cert")) != 1 {
				t.Errorf("the handler lost metadata: %v", md)
			}
			return nil
		}})
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Serve(listener) }()
		t.Cleanup(s.Stop)
		cc, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cc.Close() })
		for _, method := range []string{list, watch} {
			if got := ask(t, cc, method, metadata.Join(bearer(token), metadata.Pairs(tc.extra...))); got.Code != tc.want {
				t.Errorf("%s%s: %+v, wanted %v", name, method, got, tc.want)
			}
		}
	}
}

// TestForwardedBehindNetHTTP: where grpc.Server.ServeHTTP serves, only
// http.Server.ConnContext knows the connection's peer.
func TestForwardedBehindNetHTTP(t *testing.T) {
	iss := issuertest.New(t)
	own := issuertest.ClientCertificate("m2m-client")
	md := metadata.Join(bearer(iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(own.Leaf)})),
		metadata.Pairs("client-cert", ":"+base64.StdEncoding.EncodeToString(own.Leaf.Raw)+":"))
	for known, want := range map[bool]codes.Code{true: codes.OK, false: codes.Unavailable} {
		auth := grpcauth.New(newValidator(t, iss), rules, &grpcauth.Config{
			ClientCertificate: forwarded.ClientCert(forwarded.Peers(netip.MustParsePrefix("127.0.0.0/8"))),
		})
		s := grpc.NewServer(auth.ServerOptions()...)
		ordersv1.RegisterOrdersServer(s, new(orders))
		t.Cleanup(s.Stop)
		server := httptest.NewUnstartedServer(s)
		server.EnableHTTP2 = true
		if known {
			server.Config.ConnContext = forwarded.ConnContext
		}
		server.StartTLS()
		t.Cleanup(server.Close)
		cc, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cc.Close() })
		if got := ask(t, cc, list, md); got.Code != want {
			t.Errorf("ConnContext %v: %+v, wanted %v", known, got, want)
		}
	}
}

// TestBoundGate refuses bearer tokens.
func TestBoundGate(t *testing.T) {
	iss := issuertest.New(t)
	auth := grpcauth.New(newValidator(t, iss), nil, &grpcauth.Config{Gates: map[string]httpauth.Gate{list: {Rule: scopes.All("orders:read"), Bound: true}}})
	own := issuertest.ClientCertificate("m2m-client")
	cc := overTLS(t, auth, &own)
	if got := ask(t, cc, list, bearer(iss.Token(issuertest.Claims{Scope: "orders:read"}))); got.Code != codes.Unauthenticated || got.Reason != "INVALID_TOKEN" {
		t.Errorf("a bearer token: %+v", got)
	}
	if got := ask(t, cc, list, bearer(iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(own.Leaf)}))); got.Code != codes.OK {
		t.Errorf("a bound one: %+v", got)
	}
}

// TestDefaultSource is the host of the connection's other end.
func TestDefaultSource(t *testing.T) {
	iss := issuertest.New(t)
	for _, tc := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1234}, "2001:db8::1"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1234}, "fe80::1%eth0"},
		{text("192.0.2.1:1234"), "192.0.2.1"}, // as behind net/http
		{text("[2001:db8::1]:1234"), "2001:db8::1"},
		{&net.UnixAddr{Name: "@", Net: "unix"}, "@"},
		{nil, ""},
	} {
		var got string
		v := newValidator(t, iss, func(c *validator.Config) {
			c.Observer = observe.Observer{Event: func(_ context.Context, e *observe.Event) { got = e.Source }}
		})
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: tc.addr})
		_, _ = grpcauth.New(v, rules, nil).UnaryServerInterceptor(ctx, nil, &grpc.UnaryServerInfo{FullMethod: list}, nil)
		if got != tc.want {
			t.Errorf("the source of %v is %q, wanted %q", tc.addr, got, tc.want)
		}
	}
}

// text is an address that is known by its text.
type text string

func (text) Network() string  { return "tcp" }
func (a text) String() string { return string(a) }
