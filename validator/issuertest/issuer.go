package issuertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"
)

// Issuer is a running fake authorization server. Its methods may be called
// concurrently, while requests are under way too. The methods that make tokens
// panic if they are asked for something that does not exist, an unknown
// algorithm for example: that is a mistake in the test.
type Issuer struct {
	url    string
	client *http.Client
	tls    bool
	stop   func()        // ends what serves the requests
	grace  time.Duration // for which Close lets clients send and read on

	ctx    context.Context // of the issuer's life: its end cuts slow answers short
	cancel context.CancelFunc

	requests [endpoints]atomic.Int64

	mu      sync.RWMutex
	now     func() time.Time
	keys    keyRing
	keySet  *publication // instead of the keys, if not nil
	clients map[string]ClientRegistration
	opaque  map[string][]byte // token to claims, a JSON object
	revoked map[string]bool
	nonce   string          // that DPoP proofs need, if not ""
	proofs  map[string]bool // that were used, by key and jti
	faults  [endpoints]Fault
}

// TB is what this package needs of a *[testing.T], *[testing.B] or *[testing.F]. It is not
// [testing.TB], so that programs that serve an issuer do not link package testing.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// New starts an issuer on a free loopback port. It is closed when the test ends.
func New(t TB) *Issuer {
	t.Helper()
	iss, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(iss.Close)
	return iss
}

// NewInMemory starts an issuer that has no socket: only [Issuer.Client] reaches
// it. It lives within a [testing/synctest] bubble and keeps the bubble's time.
// It is closed when the test ends.
func NewInMemory(t TB) *Issuer {
	t.Helper()
	host := fmt.Sprintf("127.0.0.1:%d", 1+(inMemory.Add(1)-1)%1023)
	iss := newIssuer("http://" + host)
	transport := &memoryTransport{host: host, handler: iss.routes(), ended: iss.ctx}
	iss.client = &http.Client{Transport: transport}
	iss.stop = transport.close
	t.Cleanup(iss.Close)
	return iss
}

// inMemory counts the issuers without a socket. Each gets an identifier with a
// reserved port, so that two of them in one test differ and a client that is
// not theirs finds nobody there.
var inMemory atomic.Int64

// Start starts an issuer on a free loopback port, for programs. The caller
// closes it.
func Start() (*Issuer, error) { return StartAt("127.0.0.1:0") }

// StartAt starts an issuer on a given address, such as "127.0.0.1:9000", for a
// demonstration whose URLs are known beforehand. The caller closes it. It fails
// if it cannot listen there, or if the address is not a loopback one: with
// these keys, an issuer is nobody else's business.
func StartAt(addr string) (*Issuer, error) { return start(addr, false) }

// NewTLS starts an issuer on a free loopback port with TLS, as certificate-bound
// tokens need it (RFC 8705). Its certificate is that of [httptest.NewTLSServer],
// which [Issuer.Client] trusts. It asks for a client certificate and takes any, as
// for self-signed ones (§2.2). It is closed when the test ends.
func NewTLS(t TB) *Issuer {
	t.Helper()
	iss, err := StartTLS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(iss.Close)
	return iss
}

// StartTLS starts an issuer as [NewTLS] does, for programs. The caller closes it.
func StartTLS() (*Issuer, error) { return start("127.0.0.1:0", true) }

// start listens on an address and serves there, with TLS or without.
func start(addr string, secure bool) (*Issuer, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("issuertest: %w", err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		_ = listener.Close()
		return nil, fmt.Errorf("issuertest: %q is not a loopback address", addr)
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	iss := newIssuer(scheme + listener.Addr().String())
	iss.tls = secure
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: iss.routes()}}
	if secure {
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.StartTLS()
	} else {
		server.Start()
	}
	iss.client = server.Client()
	iss.stop = func() {
		// httptest waits for each connection with a request on it, and net/http for the rest
		// of what that sends, or for its client to read.
		cut := time.AfterFunc(iss.grace, func() { _ = server.Config.Close() })
		defer cut.Stop()
		server.Close()
	}
	return iss, nil
}

// closeGrace is how long Close lets clients send and read on: long enough on a busy
// machine for one that does either, and too short to be noticed for one that does not.
const closeGrace = time.Second

func newIssuer(url string) *Issuer {
	iss := &Issuer{
		url:     url,
		grace:   closeGrace,
		now:     time.Now,
		keys:    newKeyRing(),
		clients: make(map[string]ClientRegistration),
		opaque:  make(map[string][]byte),
		revoked: make(map[string]bool),
		proofs:  make(map[string]bool),
	}
	iss.ctx, iss.cancel = context.WithCancel(context.Background())
	iss.Register(ClientRegistration{ID: ClientID, Secret: ClientSecret})
	return iss
}

// Close ends the issuer: slow answers are cut short, later requests find nobody,
// and nothing of it is left running when Close returns. A client that has sent half a
// request, or has not read all of its answer, is waited for a second at most. In memory,
// a request's body is closed instead, and Close waits where that does not end its Read. A
// second call does nothing. Tokens can still be made afterwards.
func (iss *Issuer) Close() {
	iss.cancel()
	iss.stop()
}

// URL returns the issuer identifier: the iss of its tokens, without a trailing
// slash.
func (iss *Issuer) URL() string { return iss.url }

// JWKSURL returns the address of the key set (RFC 7517 §5).
func (iss *Issuer) JWKSURL() string { return iss.url + jwksPath }

// TokenURL returns the address of the token endpoint (RFC 6749 §3.2).
func (iss *Issuer) TokenURL() string { return iss.url + tokenPath }

// IntrospectionURL returns the address of the introspection endpoint (RFC 7662).
func (iss *Issuer) IntrospectionURL() string { return iss.url + introspectionPath }

// RevocationURL returns the address of the revocation endpoint (RFC 7009).
func (iss *Issuer) RevocationURL() string { return iss.url + revocationPath }

// Client returns an HTTP client that reaches the issuer, on a socket or in
// memory. It belongs to the issuer and ends with it.
func (iss *Issuer) Client() *http.Client { return iss.client }

// ClientWith returns an HTTP client that shows a certificate where a server asks
// for one, such as this issuer. Like [Issuer.Client] it trusts the issuer and every
// server of [httptest.NewTLSServer], so it also brings the token to an API under
// test. It keeps no connection open. It panics if the issuer does not serve TLS.
func (iss *Issuer) ClientWith(cert tls.Certificate) *http.Client {
	if !iss.tls {
		panic("issuertest: an issuer without TLS sees no client certificate")
	}
	transport := iss.client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = []tls.Certificate{cert}
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport}
}

// SetClock sets the time by which tokens are issued and judged; nil means
// [time.Now], the default.
func (iss *Issuer) SetClock(now func() time.Time) {
	if now == nil {
		now = time.Now
	}
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.now = now
}

func (iss *Issuer) clock() time.Time {
	iss.mu.RLock()
	now := iss.now
	iss.mu.RUnlock()
	return now()
}
