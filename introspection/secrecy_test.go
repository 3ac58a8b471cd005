package introspection_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// Endpoints that throw the request back at us, in every place that an error
// message could quote: no error and no event may hold the token or the secret.
func TestNoTokenOrSecretInErrorsAndEvents(t *testing.T) {
	const token = "2YotnFZFEjr1zCsicMWpAA"
	echo := func(write func(w http.ResponseWriter, sent string)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			write(w, string(body)+" "+r.Header.Get("Authorization"))
		}
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"body of a 200", echo(func(w http.ResponseWriter, sent string) { io.WriteString(w, sent) })},
		{"JSON string", echo(func(w http.ResponseWriter, sent string) { fmt.Fprintf(w, "%q", sent) })},
		{"member name, twice", echo(func(w http.ResponseWriter, sent string) { fmt.Fprintf(w, "{%q:1,%q:2}", sent, sent) })},
		{"active", echo(func(w http.ResponseWriter, sent string) { fmt.Fprintf(w, `{"active":%q}`, sent) })},
		{"exp", echo(func(w http.ResponseWriter, sent string) { fmt.Fprintf(w, `{"active":true,"exp":%q}`, sent) })},
		{"error code", echo(func(w http.ResponseWriter, sent string) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":%q}`, sent)
		})},
		{"body of a 401", echo(func(w http.ResponseWriter, sent string) {
			w.Header().Set("WWW-Authenticate", sent)
			w.WriteHeader(401)
			io.WriteString(w, sent)
		})},
		{"body of a 500", echo(func(w http.ResponseWriter, sent string) {
			w.WriteHeader(500)
			io.WriteString(w, sent)
		})},
		{"content type", echo(func(w http.ResponseWriter, sent string) { w.Header().Set("Content-Type", sent) })},
		{"redirect", echo(func(w http.ResponseWriter, sent string) {
			w.Header().Set("Location", "/?"+sent)
			w.WriteHeader(302)
		})},
		{"Retry-After", echo(func(w http.ResponseWriter, sent string) {
			w.Header().Set("Retry-After", sent)
			w.WriteHeader(429)
		})},
		{"instead of HTTP", echoRaw("%s")},
		{"in the status line", echoRaw("HTTP/1.1 %s\r\n\r\n")},
		{"in the status", echoRaw("HTTP/1.1 200%s OK\r\n\r\n")},
		{"in a header without a colon", echoRaw("HTTP/1.1 200 OK\r\n%s\r\n\r\n")},
		{"in the content length", echoRaw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n")},
		{"in the transfer encoding", echoRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n")},
		{"in a chunk", echoRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n")},
		{"in a trailer", echoRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n")},
	} {
		for method, auth := range map[string]introspection.ClientAuth{
			"basic": introspection.ClientSecretBasic("api", introspection.Secret(secretText)),
			"post":  introspection.ClientSecretPost("api", introspection.Secret(secretText)),
		} {
			t.Run(test.name+"/"+method, func(t *testing.T) {
				var seen events
				c := overSocket(t, test.handler, func(cfg *introspection.Config) {
					cfg.Auth = auth
					cfg.Observer = observe.Observer{Event: seen.add}
					cfg.RequestTimeout = time.Second
				})
				_, err := c.Introspect(t.Context(), token)
				failure(t, err)
				texts := []string{fmt.Sprintf("%v %+v %#v", err, err, err)}
				for inner := err; inner != nil; inner = errors.Unwrap(inner) {
					texts = append(texts, inner.Error())
				}
				if len(seen.all()) != 1 {
					t.Errorf("%d events, want 1", len(seen.all()))
				}
				for _, e := range seen.all() {
					texts = append(texts, fmt.Sprintf("%v %+v", e, e))
				}
				basic := base64.StdEncoding.EncodeToString([]byte("api:" + secretText))
				for _, text := range texts {
					for _, hidden := range []string{token, secretText, basic} {
						if strings.Contains(text, hidden) {
							t.Errorf("%q holds %q", text, hidden)
						}
					}
				}
			})
		}
	}
}

// echoRaw answers with the request's form and credentials put into format,
// whatever that makes of HTTP.
func echoRaw(format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, format, string(body)+" "+r.Header.Get("Authorization"))
	}
}

// A certificate that nobody vouches for is named as what it is.
func TestBadCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(reply(200, jsonType, activeBody))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c := overSocket(t, nil, func(cfg *introspection.Config) { cfg.Endpoint = srv.URL })
	_, err := c.Introspect(t.Context(), "token")
	if failure(t, err); !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error is %q, want it to say what is wrong with the certificate", err)
	}
}
