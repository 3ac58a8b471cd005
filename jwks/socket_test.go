package jwks_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// until calls f again and again until it returns true, for at most ten seconds.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// bomb is 16 KiB that become 16 MiB.
func bomb() []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(make([]byte, 16<<20))
	_ = z.Close()
	return out.Bytes()
}

// TestFaultsOnASocket puts each fault between good answers of a real server:
// the good keys go on serving, a first fetch that meets the fault says so, and
// both recover by themselves.
func TestFaultsOnASocket(t *testing.T) {
	old, fresh := ed("old"), ed("fresh")
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	elsewhere := httptest.NewServer(answer(set(old, fresh)))
	defer elsewhere.Close()

	faults := map[string]struct {
		handler http.HandlerFunc
		want    string // part of the error
	}{
		"500":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "status 500, wanted 200"},
		"404":     {http.NotFound, "status 404, wanted 200"},
		"204":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "status 204, wanted 200"},
		"304":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "status 304"},
		"timeout": {hang, "deadline exceeded"},
		"reset": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(set(fresh)[:20])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "broke off"},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"slow drip": {func(w http.ResponseWriter, r *http.Request) {
			for _, c := range set(fresh) {
				_, _ = w.Write([]byte{c})
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}, "deadline exceeded"},
		"HTML":      {answer([]byte("<html>Sign in</html>"), "Content-Type", "text/html"), `status 200, content type "text/html": not a strict JSON object`},
		"truncated": {answer(set(fresh)[:40]), "not a strict JSON object"},
		"empty set": {answer(set()), "the set is empty"},
		"{}":        {answer([]byte("{}")), "not a strict JSON object"},
		"64 MiB": {func(w http.ResponseWriter, _ *http.Request) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 64 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, "over the limit of 1048576 bytes"},
		"gzip bomb":          {answer(bomb(), "Content-Encoding", "gzip"), "over the limit of 1048576 bytes"},
		"not gzip":           {answer(set(fresh), "Content-Encoding", "gzip"), "gzip"},
		"redirect to a host": {http.RedirectHandler(elsewhere.URL, http.StatusFound).ServeHTTP, "status 302, wanted 200: redirects are not followed"},
		"permanent redirect": {http.RedirectHandler(elsewhere.URL, http.StatusPermanentRedirect).ServeHTTP, "status 308"},
		"private keys":       {answer(set(fresh.with("d", "AAAA"))), "the only key of the set cannot be used"},
		"10,000 keys":        {answer([]byte(`{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"oct"},`, 10000), ",") + `]}`)), "more than 1000 keys"},
		"oversized header":   {answer(set(fresh), "X", strings.Repeat("x", 100<<10)), "header"},
		"keys under 201": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write(set(fresh))
		}, "status 201"},
		"keys under 500": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(set(fresh))
		}, "status 500"},
		"too deep":             {answer([]byte(`{"keys":[` + strings.Repeat("[", 11000) + strings.Repeat("]", 11000) + `]}`)), "nests deeper than 16 levels"},
		"JSON, but of another": {answer([]byte(`{"error":"temporarily_unavailable"}`), "Content-Type", "application/json"), "not a strict JSON object"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var handler atomic.Pointer[http.HandlerFunc]
			serve := func(h http.HandlerFunc) { handler.Store(&h) }
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load())(w, r) }))
			defer server.Close()
			seen := &events{}
			config := jwks.Config{
				URL:              server.URL + "/keys",
				RefreshInterval:  20 * time.Millisecond,
				MinFetchInterval: 5 * time.Millisecond,
				MaxStale:         time.Minute,
				RequestTimeout:   500 * time.Millisecond,
				Observer:         observe.Observer{Event: seen.add},
			}

			if !strings.Contains(fault.want, "deadline") {
				config.RequestTimeout = time.Minute // so that it is the fault itself which is seen
			}
			serve(answer(set(old)))
			s, err := jwks.New(config)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			before := wantKey(t, s, old)
			serve(fault.handler)
			until(t, "a failed refresh", func() bool {
				if _, err := find(s, old); err != nil {
					t.Fatalf("the good key is gone: %v", err)
				}
				return len(seen.of(observe.RefreshFailed)) > 0
			})
			if got := seen.of(observe.RefreshFailed)[0].Err.Error(); !strings.Contains(got, fault.want) || !strings.Contains(got, server.URL+"/keys") {
				t.Errorf("the event says %q, wanted %q and the URL", got, fault.want)
			}
			if k, err := find(s, fresh); k != nil || !errors.Is(err, jwks.ErrUnavailable) && !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("a key of a bad answer: %v, %v", k, err)
			}
			if got := wantKey(t, s, old); got != before {
				t.Error("the good key got another pointer")
			}

			// The same fault at the first fetch.
			config.Observer = observe.Observer{}
			first, err := jwks.New(config)
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			if err := wantUnavailable(t, first, old); !strings.Contains(err.Error(), fault.want) {
				t.Errorf("the first fetch says %q, wanted %q", err, fault.want)
			}

			serve(answer(set(fresh)))
			for which, set := range map[string]*jwks.KeySet{"the old set": s, "the new set": first} {
				until(t, which+" to recover", func() bool {
					_, err := find(set, fresh)
					return err == nil
				})
			}
			if s.Usable(before) {
				t.Error("a key that left the set is usable")
			}
		})
	}
}

// A transport of one's own gets the same treatment.
func TestRedirectsAreRefusedWithAnOwnClient(t *testing.T) {
	k := ed("a")
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed.Store(true)
		answer(set(k))(w, r)
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	s, err := jwks.New(jwks.Config{URL: server.URL, HTTPClient: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantUnavailable(t, s, k)
	if followed.Load() {
		t.Error("the redirect was followed")
	}
}

func TestMaxResponseBytesKnob(t *testing.T) {
	body := set(ed("a"))
	padded := append(bytes.Repeat([]byte(" "), 1<<20-len(body)), body...) // 1 MiB, the default
	for name, c := range map[string]struct {
		body  []byte
		limit int64
		want  bool
	}{
		"default, just fits":    {padded, 0, true},
		"default, a byte over":  {append([]byte(" "), padded...), 0, false},
		"configured, just fits": {body, int64(len(body)), true},
		"configured, over":      {body, int64(len(body)) - 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer(c.body))
			defer server.Close()
			s, err := jwks.New(jwks.Config{URL: server.URL, MaxResponseBytes: c.limit})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Ready(t.Context()); (err == nil) != c.want {
				t.Errorf("%d bytes: %v", len(c.body), err)
			}
		})
	}
}

func TestRequestTimeoutKnob(t *testing.T) {
	for configured, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Minute: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			k := ed("a")
			iss := &issuer{}
			iss.serve(slowly(time.Hour, answer(set(k))))
			s := open(t, iss, jwks.Config{RequestTimeout: configured})
			start := time.Now()
			wantUnavailable(t, s, k)
			if waited := time.Since(start); waited != want {
				t.Errorf("waited %v, wanted %v", waited, want)
			}
			iss.serve(slowly(want-time.Millisecond, answer(set(k))))
			elapse(time.Minute)
			wantKey(t, s, k)
		})
	}
}

func TestRequestTimeoutOnASocket(t *testing.T) {
	k := ed("a")
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	s, err := jwks.New(jwks.Config{URL: hanging.URL, RequestTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := time.Now()
	wantUnavailable(t, s, k)
	if waited := time.Since(start); waited < 20*time.Millisecond || waited > 4*time.Second {
		t.Errorf("waited %v with a time-out of 20 ms", waited)
	}
}

// One bad key among good ones, over real HTTP with discovery.
func TestOneBadKeyAmongGoodOnesOnASocket(t *testing.T) {
	good, rsa := ed("good"), rsaKey("rsa")
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == oidcPath {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys")
			return
		}
		answer(set(good.with("kid", "bad", "x", "!"), good, key{"kty": "oct", "kid": "oct", "k": "AAAA"}, rsa))(w, r)
	}))
	defer server.Close()
	seen := &events{}
	s, err := jwks.New(jwks.Config{Issuer: server.URL, Observer: observe.Observer{Event: seen.add}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantKey(t, s, good)
	wantKey(t, s, rsa)
	wantNotFound(t, s, key{"kid": "bad", "crv": "Ed25519"})
	s.Close()
	if got := seen.of(observe.KeySkipped); len(got) != 2 {
		t.Errorf("skipped %v, wanted two", got)
	}
}
