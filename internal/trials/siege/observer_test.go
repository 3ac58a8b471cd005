package siege_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// diary is an observer that writes down the name of each event, and apart from
// that all that a handler of log/slog and a careless print would show of it.
type diary struct {
	log observe.Observer

	mu      sync.Mutex
	names   []string
	printed bytes.Buffer
}

// Write is for log, which writes outside of events, too.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.printed.Write(p)
}

func newDiary() *diary {
	d := new(diary)
	d.log = validator.LogEvents(slog.New(slog.NewJSONHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return d
}

func (d *diary) observe(ctx context.Context, e *observe.Event) {
	d.log.Event(ctx, e)
	d.mu.Lock()
	defer d.mu.Unlock()
	name := string(e.Kind)
	if e.Kind == observe.Refused {
		name += ": " + e.Check
	}
	d.names = append(d.names, name)
	fmt.Fprintf(&d.printed, "%+v\n", e)
}

// take returns the names of the events since the last time, without repeats.
func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[string]bool{}
	var names []string
	for _, name := range d.names {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	d.names = nil
	return strings.Join(names, ", ")
}

// TestObserver leads an API through a day of troubles, in fake time: the
// operator is told of each when it happens, and never in words that hold a
// token, a secret or key material.
func TestObserver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		private := testdata.Key("rsa-2048-a")
		ask := asked(iss, introspection.Config{HTTPClient: iss.Client()})
		config := trusting(validator.Issuer{URL: iss.URL(), Keys: &jwks.Config{HTTPClient: iss.Client()}, Introspection: ask})
		config.Issuers[0].Algorithms = []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} // all that issuertest publishes
		d := newDiary()
		config.Observer = observe.Observer{Event: d.observe}
		a := build(t, config)
		var tokens []string
		note := func(token string) string {
			tokens = append(tokens, token)
			return token
		}
		call := func(token string) { a.call(note(token)) }
		keySetFault := func(f issuertest.Fault) {
			iss.SetFault(issuertest.JWKS, f)
			iss.SetFault(issuertest.Discovery, f)
		}

		for _, step := range []struct {
			name string
			do   func()
			want string
		}{
			{"first fetch", func() { call(fresh(iss)) }, "key set changed"},
			{"a good token", func() { call(fresh(iss)) }, ""},
			{"a bad one", func() { call(iss.Bad(issuertest.Expired, issuertest.Claims{})) }, "token refused: exp"},
			{"malformed credentials", func() { a.call("two tokens") }, "token refused: request"},
			{"no credentials", func() { a.callWith() }, "token refused: missing"},
			{"repeated credentials", func() { a.callWith("Bearer a", "Bearer b") }, "token refused: request"},
			{"a scope is missing", func() { call(iss.Token(issuertest.Claims{Scope: "other"})) }, "token refused: scope"},
			{"rotation", func() { elapse(10 * time.Second); iss.Rotate(); call(fresh(iss)) }, "key set changed"},
			{"a private key is published", func() {
				elapse(10 * time.Second)
				iss.SetJWKS([]byte(`{"keys":[`+string(private)+`,`+string(testdata.PublicKey("ed25519-a"))+`]}`), nil)
				call(by(iss, "ed25519-a", "ed25519-a", "EdDSA"))
			}, "key skipped, key set changed"},
			{"back again", func() { elapse(10 * time.Second); iss.SetJWKS(nil, nil); call(fresh(iss)) }, "key set changed"},
			{"a refresh fails", func() {
				keySetFault(issuertest.Down())
				elapse(10 * time.Second)
				iss.Rotate()
				call(fresh(iss))
			}, "refresh failed, token refused: unavailable"},
			{"keys are back, discovery is not", func() {
				iss.SetFault(issuertest.JWKS, nil)
				elapse(10 * time.Second)
				call(fresh(iss))
			}, "discovery failed, key set changed"},
			{"stale keys", func() {
				keySetFault(issuertest.ServerError())
				token := note(fresh(iss))
				for range 10 {
					a.call(token)
					elapse(time.Minute)
				}
			}, "refresh failed, stale keys in use"},
			{"expired keys", func() {
				token := note(fresh(iss))
				for began := time.Now(); time.Since(began) < 25*time.Hour; elapse(2 * time.Minute) {
					a.call(token)
				}
			}, "refresh failed, keys expired, token refused: unavailable"},
			{"recovery", func() { iss.ClearFaults(); elapse(10 * time.Second); call(fresh(iss)) }, ""},
			{"an opaque token", func() { call(opaque(iss)) }, ""},
			{"an inactive one", func() { call(iss.BadOpaque(issuertest.Revoked, issuertest.Claims{})) }, "token refused: active"},
			{"introspection fails", func() {
				iss.SetFault(issuertest.Introspection, issuertest.Unauthorized())
				call(opaque(iss))
			}, "token not judged, introspection failed, token refused: unavailable"},
			{"introspection works again", func() { iss.ClearFaults(); call(opaque(iss)) }, "introspection recovered"},
			{"closed", func() { a.v.Close(); call(fresh(iss)) }, "token refused: unavailable"},
		} {
			step.do()
			synctest.Wait() // events of the background
			if got := d.take(); got != step.want {
				t.Errorf("%s: told %q, wanted %q", step.name, got, step.want)
			}
		}

		var parts map[string]string
		if err := json.Unmarshal(private, &parts); err != nil {
			t.Fatal(err)
		}
		secrets := append(tokens, issuertest.ClientSecret, parts["d"], parts["p"], parts["q"])
		for _, token := range tokens {
			if at := strings.LastIndexByte(token, '.'); at > 0 {
				secrets = append(secrets, token[at+1:])
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, secret := range secrets {
			if strings.Contains(d.printed.String(), secret) {
				t.Errorf("%.12s… was printed", secret)
			}
		}
		if d.printed.Len() < 1000 || len(tokens) < 10 {
			t.Errorf("%d bytes printed, %d tokens: the test does not test", d.printed.Len(), len(tokens))
		}
	})
}
