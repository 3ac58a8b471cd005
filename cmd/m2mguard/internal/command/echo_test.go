package command_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTokenIsHiddenBeforeCuts: where an issuer or an API sends the token back, no piece of
// it is shown, also where the text is cut within it.
func TestTokenIsHiddenBeforeCuts(t *testing.T) {
	const issued = "eyJ0b2tlbg.of-somebody-who-calls/slashes.and-the-signature-of-it"
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, answer)
			return
		}
		w.Header().Set("Location", "/x?"+strings.ReplaceAll(issued, "/", "%2F"))
		_, _ = io.WriteString(w, strings.Repeat("x", 64<<10-40)+strings.ReplaceAll(issued, "/", `\/`)+strings.Repeat("y", 2000))
	}))
	t.Cleanup(server.Close)
	for name, member := range map[string]string{
		"scope": `"token_type":"Bearer","scope":"` + strings.Repeat("s", 260) + issued + `"`, "type": `"scope":"s","token_type":"` + strings.Repeat("s", 15) + issued + `"`,
	} {
		answer = `{"access_token":"` + issued + `",` + member + `}`
		r := run(t, right, "token", "--token-url", server.URL, "--client-id", "x", "--secret-env", "RIGHT", "--call", server.URL+"/orders")
		if r.code != 0 || !strings.Contains(r.out, "[the token]") || !strings.Contains(r.err, "[the token]") {
			t.Errorf("%s: %d, %s", name, r.code, r.err)
		}
		for n := range len(issued) - 16 {
			if piece := issued[n : n+16]; strings.Contains(r.out+r.err, piece) {
				t.Errorf("%s: %s is shown", name, piece)
			}
		}
	}
}

// TestNoForgedLines: what another wrote into an error begins no line.
func TestNoForgedLines(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"\x1b]0;owned\x07\ntoken of type Bearer, good for 1h"}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for flag, lines := range map[string]int{"--token-url": 1, "--issuer": 2} { // metadata may be in two places
		r := run(t, right, "token", flag, address, "--client-id", "x", "--secret-env", "RIGHT")
		told := strings.Split(strings.TrimSpace(r.err), "\n")
		if r.code != 1 || len(told) != lines || strings.Contains(r.err, "\x1b") || strings.Contains(r.err, "\ntoken") {
			t.Errorf("%d lines, wanted %d: %q", len(told), lines, r.err)
		}
		for _, line := range told {
			if !strings.HasPrefix(line, fmt.Sprintf("m2mguard: %s %s", map[int]string{1: "POST", 2: "GET"}[lines], address)) {
				t.Errorf("%q", line)
			}
		}
	}
}
