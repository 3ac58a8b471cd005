package fetch_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// raw is the address of a server that answers each request by what write makes of it.
func raw(t *testing.T, write func(r *http.Request) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = conn.Write([]byte(write(r)))
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// TestEcho: a server that sends the request back, where HTTP has no place for it, puts
// nothing of it into an error.
func TestEcho(t *testing.T) {
	const secret = "Bearer-pod-token-7f3a"
	for name, answer := range map[string]string{
		"status line": "%s 200 OK\r\n\r\n", "status": "HTTP/1.1 %s\r\n\r\n", "field": "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"length":   "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", "location": "HTTP/1.1 302 Found\r\nLocation: http://%%zz%s\r\n\r\n",
		"chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n\r\n",
		"trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n%s\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := fetch.New(nil, 5*time.Second, 1000)
			defer c.Close()
			address := raw(t, func(r *http.Request) string { return fmt.Sprintf(answer, r.Header.Get("Authorization")) })
			req, err := http.NewRequest(http.MethodGet, "http://"+address+"/keys", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", secret)
			if _, err = c.Do(t.Context(), req); err == nil {
				t.Fatal("there is no error")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("%T shows the request: %v", e, e)
				}
			}
		})
	}
}

// TestProxyThatEchoes: neither does a proxy that does not connect.
func TestProxyThatEchoes(t *testing.T) {
	const secret = "cHJveHk6cGFzc3dvcmQ"
	proxy := raw(t, func(*http.Request) string { return "HTTP/1.1 403 " + secret + "\x1b[2J\r\n\r\n" })
	c := fetch.New(nil, 5*time.Second, 1000)
	defer c.Close()
	fetch.SetProxy(c, &url.URL{Scheme: "http", Host: proxy})
	req, err := http.NewRequest(http.MethodGet, "https://id.example.com/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Do(t.Context(), req); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "CONNECT with status 403") {
		t.Errorf("got %v", err)
	}
}

// TestCertificateThatWrites: the names of a certificate are in the error, and neither
// lines nor escapes of theirs.
func TestCertificateThatWrites(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"\x1b]0;owned\x07\x1b[2J\nINFO all is well", "id.example.com"}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c := fetch.New(nil, 5*time.Second, 1000)
	defer c.Close()
	req, err := http.NewRequest(http.MethodGet, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), req)
	if err == nil || strings.ContainsFunc(err.Error(), unicode.IsControl) {
		t.Fatalf("got %q", err)
	}
	var host x509.HostnameError
	if !errors.Is(err, fetch.ErrNotSent) || !errors.As(err, &host) || !strings.Contains(err.Error(), "id.example.com") {
		t.Errorf("got %v, wanted the names, and its cause in the chain", err)
	}
}
