package issuertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// start names the ways to run an issuer: each test of a fault runs on both.
var start = map[string]func(issuertest.TB) *issuertest.Issuer{
	"socket": issuertest.New, "in memory": issuertest.NewInMemory,
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  issuertest.Fault
		status int
		check  func(body string, header http.Header) bool
	}{
		{"server error", issuertest.ServerError(), 500, nil},
		{"unauthorized", issuertest.Unauthorized(), 401, nil},
		{"garbage", issuertest.Garbage(), 200, func(body string, h http.Header) bool {
			return h.Get("Content-Type") == "text/html" && !json.Valid([]byte(body))
		}},
		{"truncated", issuertest.Truncated(), 200, func(body string, h http.Header) bool {
			return h.Get("Content-Type") == "application/jwk-set+json" && body != "" && !json.Valid([]byte(body))
		}},
		{"empty set", issuertest.EmptySet(), 200, func(body string, _ http.Header) bool { return body == `{"keys":[]}` }},
		{"too large", issuertest.TooLarge(100_000), 200, func(body string, _ http.Header) bool {
			return len(body) > 100_000 && json.Valid([]byte(body))
		}},
		{"slow", issuertest.Slow(time.Millisecond), 200, func(body string, _ http.Header) bool { return json.Valid([]byte(body)) }},
		{"respond", issuertest.Respond(429, http.Header{"retry-after": {"7"}}, "later"), 429, func(body string, h http.Header) bool {
			return body == "later" && h.Get("Retry-After") == "7"
		}},
		{"own", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("X-Fault", r.URL.Path)
			next.ServeHTTP(w, r)
		}, 200, func(_ string, h http.Header) bool { return h.Get("X-Fault") == "/jwks" }},
	}
	for kind, start := range start {
		for _, tt := range tests {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				iss := start(t)
				iss.SetFault(issuertest.JWKS, tt.fault)
				got := get(t, iss, iss.JWKSURL())
				if got.status != tt.status || tt.check != nil && !tt.check(got.body, got.header) {
					t.Errorf("status %d with %v and %d bytes", got.status, got.header, len(got.body))
				}
				iss.ClearFaults()
				if got := get(t, iss, iss.JWKSURL()); got.status != http.StatusOK || !json.Valid([]byte(got.body)) {
					t.Errorf("healthy again: status %d", got.status)
				}
				if n := iss.Requests(issuertest.JWKS); n != 2 {
					t.Errorf("%d requests counted", n)
				}
			})
		}
	}
}

func TestFlapping(t *testing.T) {
	iss := issuertest.New(t)
	iss.SetFault(issuertest.JWKS, issuertest.Flapping())
	for i, want := range []int{500, 200, 500, 200} {
		if got := get(t, iss, iss.JWKSURL()); got.status != want {
			t.Errorf("request %d: status %d, want %d", i, got.status, want)
		}
	}
}

func TestRedirect(t *testing.T) {
	for kind, start := range start {
		t.Run(kind, func(t *testing.T) {
			iss := start(t)
			iss.SetFault(issuertest.JWKS, issuertest.Redirect("https://elsewhere.example.test/"))
			client := *iss.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := client.Get(iss.JWKSURL())
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusTemporaryRedirect || resp.Header.Get("Location") != "https://elsewhere.example.test/" {
				t.Errorf("status %d with %v", resp.StatusCode, resp.Header)
			}
		})
	}
}

// fails sends a request that must fail without an answer.
func fails(t *testing.T, ctx context.Context, iss *issuertest.Issuer) error {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, iss.JWKSURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := iss.Client().Do(r)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %d", resp.StatusCode)
	}
	return err
}

func TestDown(t *testing.T) {
	for kind, start := range start {
		t.Run(kind, func(t *testing.T) {
			iss := start(t)
			iss.SetFault(issuertest.JWKS, issuertest.Down())
			if err := fails(t, t.Context(), iss); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v", err)
			}
			iss.ClearFaults()
			if !verifies(t, iss, iss.Token(issuertest.Claims{})) {
				t.Error("not up again")
			}
		})
	}
}

// A slow answer ends when its client gives up, and when the issuer is closed.
func TestSlowIsCutShort(t *testing.T) {
	for kind, start := range start {
		t.Run(kind, func(t *testing.T) {
			iss := start(t)
			arrived := make(chan struct{}, 8) // net/http may send a request again when a kept connection is reset
			slow := issuertest.Slow(time.Hour)
			iss.SetFault(issuertest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				arrived <- struct{}{}
				slow(w, r, next)
			})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			if err := fails(t, ctx, iss); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
			closed := make(chan struct{})
			go func() { <-arrived; iss.Close(); close(closed) }()
			_ = fails(t, t.Context(), iss)
			<-closed                            // answers are cut short first, and then nobody listens
			iss.Client().CloseIdleConnections() // one that is kept would be reset
			if err := fails(t, t.Context(), iss); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

// In memory, an issuer keeps the time of a synctest bubble.
func TestInMemoryInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		token := iss.Opaque(issuertest.Claims{})
		if introspect(t, iss, token)["active"] != true {
			t.Error("not active")
		}
		<-time.After(time.Hour) // in the bubble's time
		if introspect(t, iss, token)["active"] != false {
			t.Error("still active after an hour")
		}

		iss.SetFault(issuertest.JWKS, issuertest.Slow(10*time.Second))
		begin := time.Now()
		if get(t, iss, iss.JWKSURL()); time.Since(begin) != 10*time.Second {
			t.Errorf("answered after %v", time.Since(begin))
		}
		begin = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := fails(t, ctx, iss); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		client := &http.Client{Transport: iss.Client().Transport, Timeout: time.Second}
		begin = time.Now()
		_, err := client.Get(iss.JWKSURL())
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(begin) != time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// An answer reaches its reader as it is written, and ends with the request.
func TestInMemoryStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		drip := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		}
		iss.SetFault(issuertest.JWKS, drip)
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, iss.JWKSURL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := iss.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); len(body) != 6 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read %d bytes: %v", len(body), err)
		}

		// A reader that stops early, or never begins, holds nobody up.
		for range 2 {
			resp, err := iss.Client().Get(iss.JWKSURL())
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
		}
		iss.SetFault(issuertest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		})
		resp, err = iss.Client().Get(iss.JWKSURL())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); string(body) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("read %q: %v", body, err)
		}
		iss.Close()
		iss.Close()
	})
}

func TestInMemoryReachesNobodyElse(t *testing.T) {
	one, two := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	for _, target := range []string{two.JWKSURL(), strings.Replace(one.JWKSURL(), "http:", "https:", 1)} {
		_, err := one.Client().Get(target)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestEndpointString(t *testing.T) {
	want := []string{"discovery", "jwks", "token", "introspection", "revocation"}
	for e := issuertest.Discovery; e <= issuertest.Revocation; e++ {
		if e.String() != want[e] {
			t.Errorf("endpoint %d is called %q", int(e), e)
		}
	}
}
