package jwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// key is a JSON Web Key as its members.
type key map[string]any

// with returns k with members set, or removed where the value is nil.
func (k key) with(pairs ...any) key {
	out := key{}
	for name, v := range k {
		out[name] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		if name := pairs[i].(string); pairs[i+1] == nil {
			delete(out, name)
		} else {
			out[name] = pairs[i+1]
		}
	}
	return out
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// ed makes an Ed25519 key.
func ed(kid string) key {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(public)}
}

// ec makes an ECDSA key.
func ec(kid string, curve elliptic.Curve) key {
	private := must(ecdsa.GenerateKey(curve, rand.Reader))
	point := must(private.PublicKey.Bytes())[1:]
	return key{"kty": "EC", "crv": curve.Params().Name, "kid": kid, "x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
}

var generated = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

// rsaKey makes an RSA key; every one of a process has the same modulus.
func rsaKey(kid string) key {
	return key{"kty": "RSA", "kid": kid, "n": b64(generated().N.Bytes()), "e": "AQAB"}
}

// rsaBits makes what looks like an RSA key of any size.
func rsaBits(kid string, bits uint) key {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return key{"kty": "RSA", "kid": kid, "n": b64(n.SetBit(n, 0, 1).Bytes()), "e": "AQAB"}
}

// set is the JSON of a key set.
func set(keys ...key) []byte {
	if keys == nil {
		keys = []key{}
	}
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// issuer answers in memory, so that it fits into a synctest bubble.
type issuer struct {
	mu      sync.Mutex
	handler http.Handler // nil: no connection
	asked   []asked
}

type asked struct {
	at   time.Time
	path string
	tag  string // If-None-Match
}

var errNoConnection = errors.New("no connection")

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	handler := i.handler
	i.asked = append(i.asked, asked{time.Now(), r.URL.Path, r.Header.Get("If-None-Match")})
	i.mu.Unlock()
	if handler == nil {
		return nil, errNoConnection
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (i *issuer) serve(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handler = h
}

// down ends the issuer until the next serve.
func (i *issuer) down() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handler = nil
}

func (i *issuer) keys(keys ...key) { i.serve(answer(set(keys...))) }

func (i *issuer) requests() []asked {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]asked(nil), i.asked...)
}

func (i *issuer) count() int { return len(i.requests()) }

// answer is a handler that sends body with headers, given in pairs.
func answer(body []byte, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n < len(headers); n += 2 {
			w.Header().Set(headers[n], headers[n+1])
		}
		_, _ = w.Write(body)
	}
}

// slowly answers after d, unless the request ends first.
func slowly(d time.Duration, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			h(w, r)
		case <-r.Context().Done():
		}
	}
}

// events collects what the Observer is told.
type events struct {
	mu  sync.Mutex
	all []observe.Event
}

func (e *events) add(_ context.Context, event *observe.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *event)
}

func (e *events) of(kind observe.Kind) []observe.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []observe.Event
	for _, event := range e.all {
		if event.Kind == kind {
			out = append(out, event)
		}
	}
	return out
}

// open makes a key set that asks iss and ends with the test.
func open(t *testing.T, iss *issuer, c jwks.Config) *jwks.KeySet {
	t.Helper()
	c.HTTPClient = &http.Client{Transport: iss}
	if c.Issuer == "" && c.URL == "" {
		c.URL = "https://id.example.com/keys"
	}
	s, err := jwks.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// algOf is an algorithm that a test key serves.
func algOf(k key) string {
	switch k["crv"] {
	case "P-256":
		return "ES256"
	case "P-384":
		return "ES384"
	case "P-521":
		return "ES512"
	case nil:
		return "RS256"
	}
	return "EdDSA"
}

// find looks k up by its kid.
func find(s *jwks.KeySet, k key) (*jwks.Key, error) {
	return s.Lookup(context.Background(), k["kid"].(string), true, algOf(k))
}

func wantKey(t *testing.T, s *jwks.KeySet, k key) *jwks.Key {
	t.Helper()
	got, err := find(s, k)
	if err != nil {
		t.Fatalf("Lookup of %v: %v", k["kid"], err)
	}
	if got.ID() != k["kid"] || !s.Usable(got) {
		t.Fatalf("Lookup of %v: got key %q, usable %v", k["kid"], got.ID(), s.Usable(got))
	}
	return got
}

func wantNotFound(t *testing.T, s *jwks.KeySet, k key) {
	t.Helper()
	got, err := find(s, k)
	if got != nil || !errors.Is(err, jwks.ErrKeyNotFound) || errors.Is(err, jwks.ErrUnavailable) {
		t.Fatalf("Lookup of %v: got %v, %v, wanted ErrKeyNotFound", k["kid"], got, err)
	}
}

func wantUnavailable(t *testing.T, s *jwks.KeySet, k key) *jwks.UnavailableError {
	t.Helper()
	got, err := find(s, k)
	unavailable, ok := errors.AsType[*jwks.UnavailableError](err)
	if got != nil || !ok || !errors.Is(err, jwks.ErrUnavailable) || errors.Is(err, jwks.ErrKeyNotFound) {
		t.Fatalf("Lookup of %v: got %v, %v, wanted ErrUnavailable", k["kid"], got, err)
	}
	if unavailable.RetryAfter <= 0 {
		t.Fatalf("RetryAfter is %v, wanted more than nothing", unavailable.RetryAfter)
	}
	return unavailable
}

func wantCount(t *testing.T, iss *issuer, want int) {
	t.Helper()
	if got := iss.count(); got != want {
		t.Fatalf("the issuer was asked %d times, wanted %d", got, want)
	}
}

// elapse lets fake time pass in a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }
