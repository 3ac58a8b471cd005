package adaptertest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// open are the paths of frameworks that let a good token in.
var open = []string{"/require", "/fresh", "/that", "/live", "/optional", "/report", "/deny"}

// wait ends when something comes, or the client has gone.
func wait(r *http.Request, c <-chan struct{}) {
	select {
	case <-c:
	case <-r.Context().Done():
	}
}

// TestEventStream: server-sent events reach the client one by one, through
// http.Flusher and http.ResponseController.
func TestEventStream(t *testing.T) {
	iss := issuertest.New(t)
	good := bearer(iss.Token(issuertest.Claims{Scope: "orders:read"}))
	opaque := bearer(iss.Opaque(issuertest.Claims{Scope: "orders:read"}))
	read := make(chan struct{})
	events := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Time{}); err != nil {
			t.Errorf("SetWriteDeadline: %v", err)
		}
		_, _ = fmt.Fprintf(w, "data: for %s\n\n", validator.FromContext(r.Context()).ClientID())
		if err := control.Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		wait(r, read) // the client has the first event before the second is written
		_, _ = io.WriteString(w, "data: more\n\n")
		flusher, ok := w.(http.Flusher)
		if !ok {
			t.Error("the writer is no http.Flusher")
			return
		}
		flusher.Flush()
		wait(r, read)
	}
	for _, f := range frameworks {
		server := httptest.NewServer(f.api(newValidator(t, both(iss)), nil, events))
		t.Cleanup(server.Close)
		for _, path := range open {
			t.Run(f.name+path, func(t *testing.T) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header["Authorization"] = good
				if path == "/fresh" {
					r.Header["Authorization"] = opaque
				}
				response, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = response.Body.Close() }()
				lines := bufio.NewReader(response.Body)
				for _, want := range []string{"data: for m2m-client\n", "data: more\n"} {
					if line, err := lines.ReadString('\n'); err != nil || line != want {
						t.Errorf("got %q, %v, wanted %q", line, err, want)
					}
					_, _ = lines.ReadString('\n')
					read <- struct{}{}
				}
			})
		}
	}
}

// subprotocol finds the token of a WebSocket's handshake, where a browser's
// client can put one.
func subprotocol(r *http.Request) (scheme, token string, err error) {
	offered := strings.Split(r.Header.Get("Sec-WebSocket-Protocol"), ", ")
	if i := slices.Index(offered, "bearer"); i >= 0 && i+1 < len(offered) {
		return "Bearer", offered[i+1], nil
	}
	return "", "", nil
}

// TestUpgrade: a handler takes the connection over, through http.Hijacker and
// http.ResponseController, and talks on it in both directions.
func TestUpgrade(t *testing.T) {
	iss := issuertest.New(t)
	for _, byController := range []bool{false, true} {
		upgrade := func(w http.ResponseWriter, r *http.Request) {
			hijack := http.NewResponseController(w).Hijack
			if hijacker, ok := w.(http.Hijacker); ok && !byController {
				hijack = hijacker.Hijack
			} else if !byController {
				t.Error("the writer is no http.Hijacker")
			}
			conn, both, err := hijack()
			if err != nil {
				t.Errorf("Hijack: %v", err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: bearer\r\n\r\n")
			line, _ := both.ReadString('\n')
			_, _ = fmt.Fprintf(conn, "%s: %s", validator.FromContext(r.Context()).ClientID(), line)
		}
		for _, f := range frameworks {
			server := httptest.NewServer(f.api(newValidator(t, both(iss)), &httpauth.Config{Credentials: subprotocol}, upgrade))
			t.Cleanup(server.Close)
			for _, path := range open {
				t.Run(fmt.Sprintf("%s%s/%v", f.name, path, byController), func(t *testing.T) {
					conn, err := net.Dial("tcp", server.Listener.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = conn.Close() }()
					_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: bearer, %s\r\n\r\n",
						path, iss.Opaque(issuertest.Claims{Scope: "orders:read"}))
					lines := bufio.NewReader(conn)
					response, err := http.ReadResponse(lines, nil)
					if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
						t.Fatalf("%+v, %v", response, err)
					}
					_, _ = io.WriteString(conn, "hello\n")
					if line, err := lines.ReadString('\n'); err != nil || line != "m2m-client: hello\n" {
						t.Errorf("got %q, %v", line, err)
					}
				})
			}
		}
	}
}
