package siege_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// stuck hangs wherever it is called, until it is let go, whatever a context says.
type stuck struct {
	crypto.Signer
	release chan struct{}
}

func (s stuck) Authenticate(context.Context, *introspection.Request) error {
	<-s.release
	return nil
}

func (s stuck) Secret(context.Context) (string, error) {
	<-s.release
	return "s3cr3t", nil
}

func (s stuck) AccessToken(ctx context.Context) (string, error) { return s.Secret(ctx) }

func (s stuck) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	<-s.release
	return s.Signer.Sign(r, digest, o)
}

func (s stuck) ResolveIssuer(context.Context, string) (validator.Issuer, error) {
	<-s.release
	return validator.Issuer{}, validator.ErrUnknownIssuer
}

// TestOursThatHang: what the user gave us to sign, to authenticate or to fetch a
// secret with hangs and heeds no context. Nobody waits much longer than
// RequestTimeout for it, and Close does not wait at all.
func TestOursThatHang(t *testing.T) {
	const timeout = 150 * time.Millisecond
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, auth := range map[string]func(stuck) introspection.ClientAuth{
		"ClientAuth": func(s stuck) introspection.ClientAuth { return s },
		"SecretFunc": func(s stuck) introspection.ClientAuth {
			return introspection.ClientSecretBasic("api", introspection.SecretFunc(s.Secret))
		},
		"SecretFunc, post": func(s stuck) introspection.ClientAuth {
			return introspection.ClientSecretPost("api", introspection.SecretFunc(s.Secret))
		},
		"bearer": func(s stuck) introspection.ClientAuth {
			return introspection.BearerToken(s)
		},
		"crypto.Signer": func(s stuck) introspection.ClientAuth {
			signer, err := validator.NewAssertionSigner("api", s, "k", "ES256")
			if err != nil {
				t.Fatal(err)
			}
			return introspection.PrivateKeyJWT("api", signer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stuck{key, make(chan struct{})}
			defer close(s.release)
			h := openHouse(t, &desk{}, introspection.Config{Auth: auth(s), RequestTimeout: timeout, MaxConcurrent: 4}, nil)
			for round := range 3 {
				var all sync.WaitGroup
				began := time.Now()
				for i := range 12 {
					all.Go(func() {
						if got := h.get("callers", fmt.Sprint(i), "/orders", fmt.Sprintf("good-%d-%d", round, i)); got == http.StatusOK || got == http.StatusUnauthorized {
							t.Errorf("answered %d while our own authentication hangs", got)
						}
					})
				}
				all.Wait()
				// Three calls after one another in each turn, and as long again for a busy machine.
				if took := time.Since(began); took > 6*timeout+time.Second {
					t.Errorf("round %d took %v", round, took)
				}
			}
			var last sync.WaitGroup
			last.Go(func() { h.get("last", "last", "/orders", "good-last") })
			closesSoon(t, h.v)
			last.Wait()
		})
	}
}

// closesSoon fails unless Close returns within what a busy machine needs.
func closesSoon(t *testing.T, v *validator.Validator) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		v.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(3 * time.Second):
		t.Error("Close has not returned after 3 s")
	}
}

// TestResolverThatHangs: 5 s are the most that a request waits for a Resolver,
// many of whose calls hang, and Close waits for none.
func TestResolverThatHangs(t *testing.T) {
	t.Parallel()
	iss := issuertest.NewInMemory(t)
	s := stuck{release: make(chan struct{})}
	defer close(s.release)
	v, err := validator.New(validator.Config{Resolver: s, Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	for i := range 100 {
		token := iss.SignWith("ed25519-a", []byte(`{"alg":"EdDSA","kid":"ed"}`), claimsOf(fmt.Sprintf("https://tenant-%d.example.test", i)), "EdDSA")
		all.Go(func() {
			if _, err := v.VerifyRequest(ctx, &validator.Request{Token: token}, nil); err == nil {
				t.Error("a token of an unknown issuer was let in")
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("requests waited %v, wanted 2 s for a turn and 5 s for an answer at most", took)
	}
	closesSoon(t, v)
}

// TestWarningsBeforeTheFirstAnswer: before an endpoint has answered at all,
// every token's failure may be the endpoint's. It is one line, not one a token.
func TestWarningsBeforeTheFirstAnswer(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]http.HandlerFunc{
		"400": saysOf(400, "", ""), "401": saysOf(401, "", ""), "500": saysOf(500, "", ""), "200 with a page": saysOf(200, "text/html", "<p>"), "reset": resets,
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			d := &desk{others: others}
			d.before = func(w http.ResponseWriter, token string) bool {
				if strings.HasSuffix(token, "7") { // now and then it fails in another way
					saysOf(502, "", "")(w, nil)
					return true
				}
				return false
			}
			h := openHouse(t, d, introspection.Config{}, log.observer())
			for i := range 300 {
				h.knock("strangers", "", "/orders", fmt.Sprint("made-up-", i))
			}
			if n := len(log.lines); n < 1 || n > 2 {
				t.Errorf("%d lines at Warn for 300 tokens, wanted one: %v", n, log.lines)
			}
		})
	}
}

// TestRevocationOnceSeenStaysSeen: an active answer that was judged before a
// revocation, and comes after it was seen, revives nothing, however many made-up
// tokens were asked about meanwhile, and at any size of the cache.
func TestRevocationOnceSeenStaysSeen(t *testing.T) {
	t.Parallel()
	for _, entries := range []int{1, 10, 100} {
		for _, others := range []int{0, 5, 1000} {
			t.Run(fmt.Sprint(entries, " ", others), func(t *testing.T) {
				hold, came := make(chan struct{}), make(chan struct{})
				first := true
				d := &desk{}
				var mu sync.Mutex
				d.before = func(w http.ResponseWriter, token string) bool {
					if token != "good-stolen" {
						return false
					}
					mu.Lock()
					slow := first
					first = false
					mu.Unlock()
					if slow {
						close(came)
						<-hold
						return false
					}
					inactive(w, nil)
					return true
				}
				h := openHouse(t, d, introspection.Config{CacheEntries: entries, MaxPerSecond: -1}, nil)
				done := make(chan int)
				go func() { done <- h.knock("early", "", "/orders", "good-stolen") }()
				<-came
				if got := h.knock("fresh", "", "/fresh", "good-stolen"); got != http.StatusUnauthorized {
					t.Fatalf("a fresh question was answered %d", got)
				}
				for i := range others {
					h.knock("strangers", "", "/orders", fmt.Sprint("made-up-", i))
				}
				before := d.asked()
				close(hold)
				if got := <-done; got == http.StatusOK {
					t.Error("an answer from before the revocation let the token in after it was seen")
				}
				if got := h.knock("later", "", "/orders", "good-stolen"); got == http.StatusOK {
					t.Errorf("the revoked token was let in later (%d calls)", d.asked()-before)
				}
			})
		}
	}
}
