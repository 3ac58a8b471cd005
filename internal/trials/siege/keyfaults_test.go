package siege_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// canary is the address of a server where nobody must come.
func canary(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed: %s with %d bytes", r.Method, r.ContentLength)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// hang never answers.
func hang() issuertest.Fault { return issuertest.Slow(time.Hour) }

// headerLoris sends a header that never ends, a byte at a time.
func headerLoris() issuertest.Fault {
	return raw(func(write func(string) bool) {
		write("HTTP/1.1 200 OK\r\nX-Loris: ")
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if !write("x") {
				return
			}
		}
	})
}

// raw answers with bytes of the test's own. write reports whether anybody still
// listens.
func raw(answer func(write func(string) bool)) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		answer(func(text string) bool {
			_, err := conn.Write([]byte(text))
			return err == nil && r.Context().Err() == nil
		})
	}
}

// spoilt answers with what is made of a good answer.
func spoilt(change func(body []byte) []byte) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		_, _ = w.Write(change(whole.Body.Bytes()))
	}
}

// under answers with a good body under another status.
func under(status int) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		w.WriteHeader(status)
		_, _ = w.Write(whole.Body.Bytes())
	}
}

func status(code int) issuertest.Fault { return issuertest.Respond(code, nil, "") }

func body(text string) issuertest.Fault { return issuertest.Respond(http.StatusOK, nil, text) }

// TestKeySetFaults puts each fault between the good answers of a real issuer,
// in front of an API that has keys and of one that just started. While the
// fault lasts, tokens under keys that were good stay good, no key of a bad
// answer is accepted, and what cannot be told is answered with 503. After it,
// both recover by themselves.
func TestKeySetFaults(t *testing.T) {
	elsewhere := canary(t)
	faults := map[string]struct {
		fault issuertest.Fault
		says  string // part of the event's error
	}{
		"500":                      {issuertest.ServerError(), "status 500, wanted 200"},
		"502 with a page":          {issuertest.Respond(502, http.Header{"Content-Type": {"text/html"}}, "<h1>Bad gateway</h1>"), "status 502"},
		"503 with Retry-After":     {issuertest.Respond(503, http.Header{"Retry-After": {"120"}}, ""), "status 503"},
		"429":                      {status(429), "status 429"},
		"404":                      {status(404), "status 404"},
		"401":                      {issuertest.Unauthorized(), "status 401"},
		"204":                      {status(204), "status 204"},
		"good keys under 201":      {under(201), "status 201"},
		"good keys under 500":      {under(500), "status 500"},
		"connection closed":        {issuertest.Down(), "EOF"},
		"reset half-way":           {issuertest.Reset(), "broke off"},
		"no answer in time":        {hang(), "deadline exceeded"},
		"slow drip":                {issuertest.Drip(2 * time.Millisecond), "deadline exceeded"},
		"header without end":       {headerLoris(), "deadline exceeded"},
		"no HTTP":                  {raw(func(write func(string) bool) { write("SSH-2.0-OpenSSH_9.9\r\n") }), "no HTTP answer could be read"},
		"HTML with 200":            {issuertest.Garbage(), "not a strict JSON object"},
		"truncated JSON":           {issuertest.Truncated(), "not a strict JSON object"},
		"nothing with 200":         {body(""), "not a strict JSON object"},
		"empty set":                {issuertest.EmptySet(), "the set is empty"},
		"empty object":             {body("{}"), "not a strict JSON object"},
		"null":                     {body("null"), "not a strict JSON object"},
		"keys null":                {body(`{"keys":null}`), "not a strict JSON object"},
		"KEYS":                     {spoilt(func(b []byte) []byte { return bytes.Replace(b, []byte(`"keys"`), []byte(`"KEYS"`), 1) }), "not a strict JSON object"},
		"text after the set":       {spoilt(func(b []byte) []byte { return append(b, "{}"...) }), "not a strict JSON object"},
		"keys twice":               {spoilt(func(b []byte) []byte { return append([]byte(`{"keys":[],`), b[1:]...) }), "not a strict JSON object"},
		"invalid UTF-8":            {spoilt(func(b []byte) []byte { return append([]byte("{\"\xff\":1,"), b[1:]...) }), "not a strict JSON object"},
		"invalid UTF-8 in each":    {spoilt(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"kid":"`), []byte("\"kid\":\"\xff")) }), "what is not UTF-8"},
		"kid twice in each":        {spoilt(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"kid":`), []byte(`"kid":"a","kid":`)) }), "has a member twice"},
		"nested too deep":          {body(`{"keys":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]}`), "nests deeper"},
		"64 MiB":                   {issuertest.TooLarge(64 << 20), "over the limit"},
		"gzip bomb":                {issuertest.GzipBomb(2 << 20), "over the limit"},
		"gzip in name only":        {issuertest.Respond(200, http.Header{"Content-Encoding": {"gzip"}}, `{"keys":[]}`), "gzip"},
		"header of 128 KiB":        {issuertest.Respond(200, http.Header{"X": {strings.Repeat("x", 128<<10)}}, ""), "header"},
		"redirect to another host": {issuertest.Redirect(elsewhere), "redirects are not followed"},
		"moved permanently":        {issuertest.Respond(301, http.Header{"Location": {elsewhere}}, ""), "redirects are not followed"},
		"10,000 keys":              {body(`{"keys":[` + strings.Repeat(`{"kty":"oct"},`, 9_999) + `{"kty":"oct"}]}`), "more than 1000 keys"},
		"oct keys alone":           {body(`{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}`), "is symmetric"},
		"unknown kty alone":        {body(`{"keys":[{"kty":"AKP","kid":"a","alg":"ML-DSA-44","pub":"AAAA"}]}`), "kty"},
		"private keys alone": {spoilt(func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"kid"`), []byte(`"d":"AAAA","kid"`))
		}), "holds private key material"},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			besiegeKeys(t, f.fault, f.says)
		})
	}
}

func besiegeKeys(t *testing.T, fault issuertest.Fault, says string) {
	iss := issuertest.New(t)
	warm, cold := listen(t, byKeys(iss, quick())), listen(t, byKeys(iss, quick()))
	known, firstSights := fresh(iss), several(iss, 3)
	warm.become(known, ok, unavailable)

	iss.SetFault(issuertest.JWKS, fault)
	// A fetch that began before the fault may yet bring good keys: the second
	// one from here began after it was over.
	before := iss.Requests(issuertest.JWKS)
	until(t, "a fetch that meets the fault", func() bool {
		warm.want(known, ok)
		return iss.Requests(issuertest.JWKS) >= before+2
	})
	iss.Rotate() // so that only a fetch can bring the keys of later tokens
	rotated := fresh(iss)
	until(t, "an event that names the fault and the URL", func() bool {
		warm.want(known, ok)
		return slices.ContainsFunc(warm.events.of(observe.RefreshFailed), func(e observe.Event) bool {
			return strings.Contains(e.Err.Error(), says) && strings.Contains(e.Err.Error(), iss.JWKSURL())
		})
	})
	for _, token := range firstSights {
		warm.want(token, ok)
	}
	warm.want(rotated, unavailable)
	cold.want(known, unavailable)
	if err := cold.v.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("Ready says %v", err)
	}
	if changed := warm.events.of(observe.KeySetChanged); len(changed) != 1 {
		t.Errorf("the good set changed %d times, wanted the first fetch alone", len(changed))
	}

	iss.ClearFaults()
	for _, a := range []*api{warm, cold} {
		a.become(rotated, ok, unavailable, invalidToken)
		a.want(known, ok)
		if err := a.v.Ready(t.Context()); err != nil {
			t.Errorf("after recovery Ready says %v", err)
		}
	}
}

// TestRedirectFromHTTPSToHTTP: the client that a user passes in would follow
// redirects, and must not here.
func TestRedirectFromHTTPSToHTTP(t *testing.T) {
	elsewhere := canary(t)
	iss := issuertest.New(t)
	token := fresh(iss)
	var redirects atomic.Bool
	redirects.Store(true)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if redirects.Load() {
			http.Redirect(w, r, elsewhere, http.StatusFound)
			return
		}
		resp, err := iss.Client().Get(iss.JWKSURL())
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	}))
	defer server.Close()
	keys := quick()
	keys.URL, keys.HTTPClient = server.URL, server.Client()
	a := listen(t, byKeys(iss, keys))
	for range 3 {
		a.want(token, unavailable)
	}
	redirects.Store(false)
	a.become(token, ok, unavailable)
}
