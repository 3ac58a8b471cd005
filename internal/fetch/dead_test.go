package fetch_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// swallowing passes bytes on between the clients of its listener and a server,
// until what it has connected so far is told to die: then it takes them and passes
// on nothing.
type swallowing struct {
	net.Listener
	generation atomic.Int64
	conns      sync.WaitGroup
}

func newSwallowing(t *testing.T, server string) *swallowing {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &swallowing{Listener: l}
	s.conns.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			mine := s.generation.Load()
			context.AfterFunc(t.Context(), func() { in.Close(); out.Close() }) // whatever state the test leaves them in
			pass := func(to, from net.Conn) {
				defer to.Close()
				buf := make([]byte, 4096)
				for {
					n, err := from.Read(buf)
					if err != nil {
						return
					}
					if s.generation.Load() == mine {
						to.Write(buf[:n])
					}
				}
			}
			s.conns.Go(func() { pass(out, in) })
			s.conns.Go(func() { pass(in, out) })
		}
	})
	return s
}

// TestConnectionThatDiedInSilence: an HTTP/2 connection over which nothing comes
// any more is given up after two pings' time, not when TCP does, minutes later.
func TestConnectionThatDiedInSilence(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	proxy := newSwallowing(t, srv.Listener.Addr().String())
	t.Cleanup(proxy.conns.Wait) // t.Context has ended by then
	defer proxy.Close()
	c := fetch.New(nil, 200*time.Millisecond, 1<<10)
	defer c.Close()
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	fetch.Trust(c, &tls.Config{RootCAs: roots, ServerName: "example.com"})
	try := func() error {
		req, err := http.NewRequest(http.MethodGet, "https://"+proxy.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(t.Context(), req)
		if err == nil && string(res.Body) != "HTTP/2.0" {
			t.Fatalf("answered over %s, so this test shows nothing", res.Body)
		}
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	proxy.generation.Add(1)
	const most = 60 // tries of 200 ms
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			if n == 1 {
				t.Error("the connection did not die")
			}
			return
		}
		if n == most {
			t.Fatalf("no answer after %d tries: %v", n, err)
		}
	}
}
