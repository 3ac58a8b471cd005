// Package exampletest is what the example APIs' tests share: each example has the
// same server around other routes, since its reader copies one alone.
package exampletest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// API is what an example's main function puts together.
type API struct {
	Routes    func(*validator.Validator) http.Handler
	NewServer func(http.Handler) *http.Server
	Serve     func(ctx context.Context, server *http.Server, listener net.Listener, patience time.Duration) error
}

// TestBounds checks that neither an issuer nor a client keeps the API waiting for
// as long as it likes.
func (a API) TestBounds(t *testing.T) {
	t.Run("issuer that hangs", a.testIssuerThatHangs)
	t.Run("server", a.testServer)
	t.Run("shutdown", a.testShutdown)
}

// testIssuerThatHangs: an issuer accepts connections and answers nothing, and the
// client is told in time.
func (a API) testIssuerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		iss.SetFault(issuertest.Discovery, issuertest.Slow(time.Hour))
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
			URL:      iss.URL(),
			Audience: []string{issuertest.Audience},
			Keys:     &jwks.Config{HTTPClient: iss.Client()},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		api := a.Routes(v)
		limit := a.NewServer(api).WriteTimeout
		for _, path := range []string{"/orders", "/ready"} {
			r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
			r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
			begin := time.Now()
			api.ServeHTTP(w, r)
			if took := time.Since(begin); w.Code != http.StatusServiceUnavailable || took > limit-time.Second {
				t.Errorf("%s: status %d after %v, wanted 503 well within %v", path, w.Code, took, limit)
			}
		}
	})
}

// testServer: no client keeps a connection for as long as it likes.
func (a API) testServer(t *testing.T) {
	s := a.NewServer(http.NotFoundHandler())
	for name, d := range map[string]time.Duration{"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout} {
		if d <= 0 || d > time.Minute {
			t.Errorf("%s is %v", name, d)
		}
	}
	if s.MaxHeaderBytes <= 0 {
		t.Errorf("MaxHeaderBytes is %d", s.MaxHeaderBytes)
	}
}

// testShutdown: a request that does not end does not keep the program from ending.
func (a API) testShutdown(t *testing.T) {
	begun, over := make(chan struct{}), make(chan struct{})
	server := a.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-over
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- a.Serve(ctx, server, listener, 10*time.Millisecond) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: api\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-begun
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	close(over)
}
