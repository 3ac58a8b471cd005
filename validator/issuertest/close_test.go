package issuertest_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// closeLimit is how long a test waits for Close before it says that it hangs.
const closeLimit = 30 * time.Second

// TestCloseWaitsForNoRest: a client that has sent half a request, or does not read its
// answer, holds no issuer up.
func TestCloseWaitsForNoRest(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	request := func(line, header, body string) string {
		return line + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n" + body
	}
	for name, sent := range map[string]string{
		"nothing":               "",
		"half a header":         "POST /token HTTP/1.1\r\nHost: x\r\n",
		"half a second header":  request("GET /jwks", "", "GET /jwks HT"),
		"half a form":           request("POST /token", form+"Content-Length: 100\r\n", "grant"),
		"half a form, chunked":  request("POST /token", form+"Transfer-Encoding: chunked\r\n", "5\r\ngrant\r\n"),
		"half a text":           request("POST /token", "Content-Type: text/plain\r\nContent-Length: 100\r\n", "grant"),
		"half of what has none": request("POST /token", "Content-Length: 100\r\n", "grant"),
		"half of many parts":    request("POST /token", "Content-Type: multipart/form-data; boundary=a\r\nContent-Length: 100\r\n", "--a\r\n"),
		"half a body, GET":      request("GET /jwks", "Content-Length: 100\r\n", "grant"),
		"half a body, 404":      request("POST /nowhere", "Content-Length: 100\r\n", "grant"),
		"half a body, 405":      request("PUT /token", form+"Content-Length: 100\r\n", "grant"),
		"no reader":             request("GET /jwks", "", ""),
	} {
		for kind, start := range map[string]func() (*issuertest.Issuer, error){"plain": issuertest.Start, "TLS": issuertest.StartTLS} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				iss, err := start()
				if err != nil {
					t.Fatal(err)
				}
				if name == "no reader" {
					iss.SetJWKS(bytes.Repeat([]byte("x"), 64<<20), nil) // more than two sockets hold
				}
				conn := dial(t, iss)
				if _, err := fmt.Fprint(conn, sent); err != nil {
					t.Fatal(err)
				}
				get(t, iss, iss.URL()+"/.well-known/openid-configuration") // meanwhile the issuer begins with the other
				closes(t, iss, func() { _ = conn.Close() })
			})
		}
	}
}

// dial connects to an issuer, and says nothing yet but what TLS needs.
func dial(t *testing.T, iss *issuertest.Issuer) net.Conn {
	t.Helper()
	scheme, host, _ := strings.Cut(iss.URL(), "://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	if scheme == "https" {
		config := iss.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = "127.0.0.1"
		return tls.Client(conn, config)
	}
	return conn
}

// closes fails the test where Close waits. What it may wait for is ended then.
func closes(t *testing.T, iss *issuertest.Issuer, end func()) {
	t.Helper()
	closed := make(chan struct{})
	go func() { defer close(closed); iss.Close() }()
	select {
	case <-closed:
	case <-time.After(closeLimit):
		t.Error("Close waits")
	}
	end()
	<-closed
}

// TestCloseWaitsForNoRestInMemory: nor does one that sends half a body in memory.
func TestCloseWaitsForNoRestInMemory(t *testing.T) {
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain"} {
		synctest.Test(t, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			body, rest := io.Pipe()
			go func() {
				resp, err := iss.Client().Post(iss.TokenURL(), kind, body)
				if err == nil {
					_ = resp.Body.Close()
				}
			}()
			go func() { _, _ = rest.Write([]byte("grant")) }()
			synctest.Wait()
			closes(t, iss, func() { _ = rest.Close() })
		})
	}
}
