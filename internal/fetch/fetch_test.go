package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get asks a server with the given handler, through a client with small limits.
func get(t *testing.T, base *http.Client, timeout time.Duration, h http.HandlerFunc) (fetch.Response, error) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	c := fetch.New(base, timeout, 1000)
	defer c.Close()
	req, err := http.NewRequest(http.MethodGet, server.URL+"/path?token=secret#f", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	return c.Do(t.Context(), req)
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func TestDo(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(make([]byte, 1001))
	_ = z.Close()
	cases := map[string]struct {
		handler http.HandlerFunc
		status  int    // zero: an error
		want    string // the body, or part of the error
	}{
		"answer":            {body("hello"), 200, "hello"},
		"any status counts": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); _, _ = w.Write([]byte("down")) }, 503, "down"},
		"redirect":          {http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect).ServeHTTP, 307, ""},
		"at the limit":      {body(strings.Repeat("x", 1000)), 200, strings.Repeat("x", 1000)},
		"over the limit":    {body(strings.Repeat("x", 1001)), 0, "status 200, but the body is over the limit of 1000 bytes"},
		"over it when unzipped": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
		}, 0, "over the limit of 1000 bytes"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			_, _ = w.Write([]byte("begin"))
		}, 0, "status 200, but the body broke off"},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			res, err := get(t, nil, 5*time.Second, c.handler)
			if c.status != 0 {
				if err != nil || res.Status != c.status || !strings.HasPrefix(string(res.Body), c.want) {
					t.Errorf("got %d %q, %v", res.Status, res.Body, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, wanted %q", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), "GET http://127.0.0.1:") || !strings.Contains(err.Error(), "/path: ") {
				t.Errorf("%q does not name the URL", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q holds a secret", err)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	own := &http.Client{
		Transport:     http.DefaultTransport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
	}
	defer own.CloseIdleConnections()
	for name, base := range map[string]*http.Client{"our client": nil, "an own client": own} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			res, err := get(t, base, 5*time.Second, func(w http.ResponseWriter, r *http.Request) {
				asked++
				http.Redirect(w, r, "/again", http.StatusFound)
			})
			if err != nil || res.Status != http.StatusFound || asked != 1 {
				t.Errorf("got %d, %v, asked %d times", res.Status, err, asked)
			}
		})
	}
	if own.CheckRedirect(nil, nil) != nil {
		t.Error("the caller's client was changed")
	}
}

func TestTimeoutBoundsTheBodyToo(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slow body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("begin"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := get(t, nil, 50*time.Millisecond, h); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestContextEndsTheRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	c := fetch.New(nil, time.Minute, 1)
	defer c.Close()
	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	cases := map[string]struct {
		url       string
		allowHTTP bool
		want      string // part of the fault, empty: it is good
	}{
		"https":                     {url: "https://id.example.com"},
		"https, path, port, query":  {url: "https://id.example.com:8443/a/b?c=d"},
		"an @ in the path":          {url: "https://id.example.com/a@b"},
		"http on 127.0.0.1":         {url: "http://127.0.0.1:8080/"},
		"http on 127.9.9.9":         {url: "http://127.9.9.9/"},
		"http on ::1":               {url: "http://[::1]:8080/"},
		"http on localhost":         {url: "http://LocalHost/"},
		"http, allowed":             {url: "http://id.example.com", allowHTTP: true},
		"http":                      {url: "http://id.example.com", want: "loopback hosts alone"},
		"http on a look-alike":      {url: "http://localhost.example.com", want: "loopback hosts alone"},
		"http on 127.0.0.1.example": {url: "http://127.0.0.1.example.com", want: "loopback hosts alone"},
		"http on a private address": {url: "http://10.0.0.1", want: "loopback hosts alone"},
		"empty":                     {want: "absolute"},
		"relative":                  {url: "/keys", want: "absolute"},
		"no scheme":                 {url: "id.example.com", want: "absolute"},
		"no host":                   {url: "https:///keys", want: "absolute"},
		"opaque":                    {url: "https:id.example.com", want: "absolute"},
		"another scheme":            {url: "ftp://id.example.com", want: `scheme "ftp"`},
		"file":                      {url: "file://host/etc/keys", allowHTTP: true, want: `scheme "file"`},
		"fragment":                  {url: "https://id.example.com/#a", want: "fragment"},
		"empty fragment":            {url: "https://id.example.com/#", want: "fragment"},
		"user information":          {url: "https://user:secret@id.example.com", want: "user information"},
		"password, not a URL":       {url: "https://user:secret%zz@id.example.com", want: "not shown"},
		"password, no scheme":       {url: "user:secret@id.example.com", want: "not shown"},
		"password, one slash":       {url: "https:/user:secret@id.example.com/x", want: `"...@id.example.com`},
		"password, no colon":        {url: "https//user:secret@id.example.com", want: `"...@id.example.com`},
		"password, backslashes":     {url: `https:\\user:secret@id.example.com`, want: "not"},
		"password, a path":          {url: "/user:secret@id.example.com", want: `"...@id.example.com`},
		"password, in parts":        {url: "http://user:12?secret@id.example.com", want: "not shown"},
		"password as a path":        {url: "http://user/secret@id.example.com", want: `"...@id.example.com"`},
		"an @ in a query":           {url: "http://id.example.com/?mail=a@b&key=secret", want: "not shown"},
		"query, no scheme":          {url: "id.example.com/?key=secret", want: `"id.example.com/" is`},
		"query, another scheme":     {url: "htps://id.example.com/?key=secret", want: `scheme "htps"`},
		"fragment, secret":          {url: "https://id.example.com/#secret", want: "fragment"},
		"fragment, no scheme":       {url: "id.example.com/#secret", want: "absolute"},
		"fragment, not a URL":       {url: "https://%zz#secret", want: "not a URL"},
		"not a URL":                 {url: "https://%zz", want: "not a URL"},
		"words":                     {url: "Acme/orders", want: `"Acme/orders" is not an absolute`},
		"a host and a port":         {url: "keycloak:8080/realms/x1", want: `"keycloak:8080/realms/x1" is not`},
		"an address and a port":     {url: "10.0.0.1:8080", want: `"10.0.0.1:8080" is not`},
		"a key, PEM":                {url: "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n", want: "[a value of 61 bytes] is not"},
		"a key, PEM in a line":      {url: "-----BEGIN PRIVATE KEY----- secret -----END PRIVATE KEY-----", want: "[a value of 60 bytes] is not"},
		"a key, base64":             {url: "MIIEvQsecret0123/abc+def", want: "[a value of 24 bytes] is not"},
		"a key, base64, slashes":    {url: "/secret/0123+/abcDEF==", want: "[a value of 22 bytes] is not"},
		"a key, JWK":                {url: `{"kty":"EC","d":"secret"}`, want: "[a value of 25 bytes] is not"},
		"a key, hex":                {url: "0123456789abcdef0123456789abcdef", want: "[a value of 32 bytes] is not"},
		"a token":                   {url: "eyJ0eXAiOiJhdCtqd3QifQ.secret1.secret2", want: "[a value of 38 bytes] is not"},
		"a key, and what it is":     {url: "base64:secret2026", want: "[a value of 17 bytes] is not"},
		"a key with an @":           {url: "pass@secret2026", want: "not"},
		"a key with a query":        {url: "secret+2026?", want: "[a value of 12 bytes] is not"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := fetch.CheckURL(c.url, c.allowHTTP)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, wanted %q", err, c.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q holds a secret", err)
			}
		})
	}
}

// TestShown: what somebody mistyped is recognised, and what may be a key is not shown.
func TestShown(t *testing.T) {
	for _, text := range []string{
		"urn:acme:issuer:1", "URN:uuid:0a1b2c3d-0000-4000-8000-0123456789ab", "did:web:id.example.com",
		"${OIDC_ISSUER}", "{{issuer}}", "<issuer>", "tenant-7", "auth0", "idp01", "keycloak1", "Acme/orders", "refused by providers.Keycloak", "accounts.google.com",
		"ID1.Example.com", "id_1.example.com", "dev-1.OKTA.com", "dev-12345678.OKTA.com/oauth2/default",
		"login.microsoftonline.com/0a1b2c3d-0000-4000-8000-0123456789ab/v2.0", "id.example.com:8443/realms/orders-of-production",
		"[2001:db8::1]:8443", "[::1]:8080", "[2001:db8::1]:8443/realms/orders-of-production", "LOCALHOST:8080",
		"keycloak1:8080/realms/x", "keycloak1:8080/realms/orders-of-production", "10.0.0.1:8080", "10.0.0.1/realms/orders-of-production",
		"https;//id.example.com/realms/orders", "<https://id.example.com/realms/orders>", "https//id.example.com/realms/orders",
		"https:id.example.com/realms/orders", "htps:/id.example.com/realms/orders", "https://${TENANT}.example.com/realms/orders",
		"https://[2001:db8::1]:8443/realms/orders", " https://id.example.com/realms/orders\n", "https://", "https://id.example.com:",
	} {
		if shown := fetch.Shown(text); shown != strconv.Quote(text) || fetch.Hides(text) {
			t.Errorf("%q is shown as %s", text, shown)
		}
	}
	for _, text := range []string{
		"sk-live.abcdefghijklmnopqrstuvwxyz0123456789", "s.1a2b3c4d5e6f7g8h9i0j1k2l", "ya29.a0afB1cD2eF3gH4iJ5kL6mN7", "key:abc123.def456",
		"AKIAIOSFODNN7EXAMPLE", "0a1b2c3d-0000-4000-8000-0123456789ab", "Correct Horse Battery 4", "user:hunter2",
		"https://u:PASSWORD", "https://u:PASSWORD/x", "redis://:PASSWORD", "https:u:PASSWORD", "id.example.com:PASSWORD", "[::1]:PASSWORD",
		"x.abcdefghijklmnopqrstuvwxyz0123456789.com", "u@hunter2", "a@b?c",
	} {
		if shown := fetch.Shown(text); !fetch.Hides(text) {
			t.Errorf("%q is shown as %s", text, shown)
		}
	}
}

func TestTheLargestLimit(t *testing.T) {
	server := httptest.NewServer(body("hello"))
	defer server.Close()
	c := fetch.New(nil, 5*time.Second, math.MaxInt64)
	defer c.Close()
	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := c.Do(t.Context(), req); err != nil || string(res.Body) != "hello" {
		t.Errorf("got %q, %v", res.Body, err)
	}
}

func TestCheckDiscovered(t *testing.T) {
	const secure, local = "https://id.example.com", "http://127.0.0.1:8080"
	for _, c := range []struct {
		issuer, found string
		allowHTTP     bool
		good          bool
	}{
		{secure, "https://id.example.com/keys", false, true},
		{secure, "https://other.example.net/keys", false, true},
		{secure, "http://id.example.com/keys", false, false},
		{secure, "http://127.0.0.1/keys", false, false},
		{secure, "http://id.example.com/keys", true, true},
		{secure, "HTTPS://id.example.com/keys", false, true},
		{"HTTPS://id.example.com", "http://127.0.0.1/keys", false, false},
		{secure, "/keys", false, false},
		{local, "http://127.0.0.1:8080/keys", false, true},
		{local, "https://id.example.com/keys", false, true},
		{local, "http://id.example.com/keys", false, false},
	} {
		if err := fetch.CheckDiscovered(c.issuer, c.found, c.allowHTTP); (err == nil) != c.good {
			t.Errorf("%s names %s, http allowed %v: %v", c.issuer, c.found, c.allowHTTP, err)
		}
	}
}
