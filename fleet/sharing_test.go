package fleet_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// Secrets of deployments.
var (
	oneSecret = bytes.Repeat([]byte{1}, 32)
	twoSecret = bytes.Repeat([]byte{2}, 32)
	oldSecret = bytes.Repeat([]byte{3}, 32)
)

// member is an instance of the deployment "orders" on a Redis.
func member(t testing.TB, address string, change func(*fleet.Config)) *fleet.Fleet {
	t.Helper()
	cfg := fleet.Config{URL: "redis://" + address, Name: "orders", Secrets: func() [][]byte { return [][]byte{oneSecret} }}
	if change != nil {
		change(&cfg)
	}
	if cfg.Conn != nil {
		cfg.URL = ""
	}
	f, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// patient is for a machine that is busy.
func patient(c *fleet.Config) { c.ReplayTimeout = time.Second }

func withSecrets(all ...[]byte) func(*fleet.Config) {
	return func(c *fleet.Config) { c.Secrets = func() [][]byte { return all } }
}

// servers are miniredis and, where M2MGUARD_REDIS_SERVER names it, the real one.
func servers(t *testing.T, run func(t *testing.T, address string)) {
	t.Run("miniredis", func(t *testing.T) { run(t, miniredis.RunT(t).Addr()) })
	if os.Getenv("M2MGUARD_REDIS_SERVER") != "" {
		t.Run("redis-server", func(t *testing.T) { run(t, startRedis(t).Address) })
	}
}

// endpoint is an introspection endpoint in memory that counts.
type endpoint struct {
	mu    sync.Mutex
	asked map[string]int
	after time.Duration
}

func (s *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.asked[form.Get("token")]++
	s.mu.Unlock()
	<-time.After(s.after)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"active":true,"client_id":"orders-batch","scope":"orders:read"}`)),
	}, nil
}

// asking is a Client of one instance.
func asking(t *testing.T, s *endpoint, store introspection.Shared) *introspection.Client {
	t.Helper()
	c, err := introspection.New(introspection.Config{
		Endpoint: "https://id.example.com/introspect", Auth: introspection.ClientSecretBasic("orders", introspection.Secret("s3cret")),
		HTTPClient: &http.Client{Transport: s}, Shared: store,
		// What is counted must not depend on how busy the machine is.
		SharedTimeout: 5 * time.Second, MaxWait: 20 * time.Second, MaxWaiting: 1 << 16, RequestTimeout: time.Minute, PositiveLifetime: 10 * time.Minute,
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) { t.Logf("%s: %v", e.Kind, e.Err) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// key makes DPoP proofs.
type key struct {
	private         *ecdsa.PrivateKey
	jwk, thumbprint string
}

func newKey(t testing.TB) *key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, encode(point[1:33]), encode(point[33:]))
	sum := sha256.Sum256([]byte(jwk))
	return &key{private, jwk, encode(sum[:])}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

const (
	proofToken = "opaque-token-0123456789"
	proofURL   = "https://api.example.com/orders"
)

// proof makes one for GET of proofURL.
func (k *key) proof(t testing.TB, jti string, at time.Time) *dpop.Request {
	t.Helper()
	hash := sha256.Sum256([]byte(proofToken))
	input := encode([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+k.jwk+`}`)) + "." +
		encode(fmt.Appendf(nil, `{"jti":"%s","htm":"GET","htu":"%s","iat":%d,"ath":"%s"}`, jti, proofURL, at.Unix(), encode(hash[:])))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return &dpop.Request{Proofs: []string{input + "." + encode(signature)}, Method: "GET", URL: proofURL, TokenHash: encode(hash[:]), Thumbprint: k.thumbprint}
}

func verifier(t testing.TB, f *fleet.Fleet, now func() time.Time) *dpop.Verifier {
	t.Helper()
	v, err := dpop.New(dpop.Config{Replays: f.Replays(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wire is a Conn that counts, and does what it is told.
type wire struct {
	mu    sync.Mutex
	calls int
	does  func(ctx context.Context, command []string) (any, error)
}

func (w *wire) Do(ctx context.Context, _ string, command ...string) (any, error) {
	w.mu.Lock()
	w.calls++
	does := w.does
	w.mu.Unlock()
	return does(ctx, command)
}

func (w *wire) Session(context.Context, string, func(fleet.Do) error) error {
	return fleet.Refusal("no session here")
}

func (w *wire) become(does func(ctx context.Context, command []string) (any, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.does = does
}

// TestConnectsAhead: the first request does not wait for a connection to be made.
func TestConnectsAhead(t *testing.T) {
	for name, use := range map[string]func(*fleet.Fleet){
		"answers": func(f *fleet.Fleet) { f.Answers() },
		"replays": func(f *fleet.Fleet) { f.Replays() },
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			f := member(t, server.Addr(), nil)
			if n := server.TotalConnectionCount(); n != 0 {
				t.Errorf("New made %d connections", n)
			}
			use(f)
			eventually(t, "connected", func() bool { return server.TotalConnectionCount() > 0 })
		})
	}
}
