package conformance

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// OverHTTP asks APIs whose adapter makes an http.Handler.
type OverHTTP struct {
	HTTP2 bool // in the place of HTTP/1.1
	// Seen gets the header of each answer, if it is set.
	Seen func(t testing.TB, q *Request, h http.Header)
}

// Serve has handler behind a socket, at the path of each route.
func (o OverHTTP) Serve(t testing.TB, s *Setup, handler http.Handler) API {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if server.EnableHTTP2 = o.HTTP2; o.HTTP2 || s.Certificates {
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return &httpAPI{o, server, s.PublicURL}
}

type httpAPI struct {
	OverHTTP
	server    *httptest.Server
	publicURL string
}

func (a *httpAPI) Target(q *Request) (method, url string) {
	return cmp.Or(q.Method, http.MethodGet), a.publicURL + q.Route.Path()
}

func (a *httpAPI) Ask(t testing.TB, q *Request) Answer {
	t.Helper()
	var body io.Reader
	if q.Form != "" {
		body = strings.NewReader(q.Form)
	}
	target := a.server.URL + q.Route.Path()
	if q.Query != "" {
		target += "?" + q.Query
	}
	r, err := http.NewRequestWithContext(t.Context(), cmp.Or(q.Method, http.MethodGet), target, body)
	if err != nil {
		t.Fatal(err)
	}
	if q.Form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header["Authorization"], r.Header["Dpop"] = q.Authorization, q.Proofs
	response, err := a.client(q.Certificate).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if http2 := response.ProtoMajor == 2; http2 != a.HTTP2 {
		t.Errorf("answered over %s", response.Proto)
	}
	answer := ReadHTTP(t, response)
	if a.Seen != nil {
		a.Seen(t, q, response.Header)
	}
	return answer
}

// client shows a certificate, on a connection of its own.
func (a *httpAPI) client(certificate *tls.Certificate) *http.Client {
	if certificate == nil {
		return a.server.Client()
	}
	transport := a.server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = []tls.Certificate{*certificate}
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport}
}

// ReadHTTP reads an answer that is exactly as httpauth's default rendering has it, or
// that of a handler which says Said and nothing else. It closes the body.
func ReadHTTP(t testing.TB, response *http.Response) Answer {
	t.Helper()
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	h := response.Header
	answer := Answer{
		Status:    response.StatusCode,
		Challenge: strings.Join(h.Values("WWW-Authenticate"), "\n"),
		Nonce:     strings.Join(h.Values("DPoP-Nonce"), "\n"),
	}
	if retry := h.Values("Retry-After"); len(retry) > 0 {
		seconds, err := strconv.Atoi(strings.Join(retry, "\n"))
		if err != nil {
			t.Errorf("Retry-After: %v", err)
		}
		answer.Retry = time.Duration(seconds) * time.Second
	}
	wanted := http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}
	if answer.Status == http.StatusOK {
		answer.Said = string(body)
		if wanted = (http.Header{"Content-Type": {"text/plain; charset=utf-8"}}); answer.Nonce != "" {
			wanted.Set("Cache-Control", "no-store")
		}
	}
	head := response.Request.Method == http.MethodHead
	if head && h.Get("Content-Type") == "" {
		wanted.Del("Content-Type") // Echo leaves it out where it writes no body
	}
	for _, name := range []string{"Content-Type", "Cache-Control"} {
		if got, want := strings.Join(h.Values(name), "\n"), wanted.Get(name); got != want {
			t.Errorf("%s: %q, wanted %q", name, got, want)
		}
	}
	if answer.Status == http.StatusOK || head {
		return answer
	}
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		t.Errorf("body %q: %v", body, err)
	}
	if again, err := json.Marshal(said); err != nil || string(body) != string(again)+"\n" {
		t.Errorf("body %q, wanted %q and a line feed", body, again)
	}
	answer.Error, answer.Sentence = said.Error, said.Description
	return answer
}
