package validator_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// ledger holds everything that was printed, and what must not be in it.
type ledger struct {
	mu      sync.Mutex
	printed strings.Builder
	secrets map[string]string // secret to its name
}

// secret notes what must not appear anywhere. Short strings would be found by
// chance.
func (l *ledger) secret(name, value string) string {
	if len(value) >= 10 {
		l.secrets[value] = name
	}
	return value
}

// token notes a token, and of one that has segments the signature.
func (l *ledger) token(name, raw string) string {
	l.secret(name, raw)
	if dot := strings.LastIndexByte(raw, '.'); dot >= 0 {
		l.secret("signature of "+name, raw[dot+1:])
	}
	return raw
}

// print writes values down as careless logging would, and for errors all that
// is behind them.
func (l *ledger) print(values ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, value := range values {
		fmt.Fprintf(&l.printed, "%v\n%+v\n%#v\n%s\n%q\n", value, value, value, value, value)
		for err, _ := value.(error); err != nil; err = errors.Unwrap(err) {
			fmt.Fprintf(&l.printed, "%v\n%+v\n%#v\n", err, err, err)
		}
	}
}

// observe prints an event with its details.
func (l *ledger) observe(_ context.Context, e *observe.Event) {
	l.print(*e, e, e.Err)
}

func (l *ledger) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for secret, name := range l.secrets {
		for form, text := range map[string]string{"as it is": secret, "URL-encoded": url.QueryEscape(secret)} {
			if at := strings.Index(l.printed.String(), text); at >= 0 {
				line := l.printed.String()[:at]
				t.Errorf("%s was printed, %s: …%q", name, form, line[max(0, strings.LastIndexByte(line, '\n')):])
			}
		}
	}
	if l.printed.Len() < 1000 || len(l.secrets) < 2 {
		t.Errorf("%d bytes printed, %d secrets: the test does not test", l.printed.Len(), len(l.secrets))
	}
}

// watched is a ledger, and a change to a Config that writes its events into it:
// as an observer of one's own would, and as both handlers of log/slog do.
func watched(t *testing.T) (*ledger, func(*validator.Config)) {
	l := &ledger{secrets: make(map[string]string)}
	var text, structured bytes.Buffer
	var mu sync.Mutex
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	all := observe.Join(
		observe.Observer{Event: l.observe, Accepted: true},
		validator.LogEvents(slog.New(slog.NewTextHandler(&text, debug))),
		validator.LogEvents(slog.New(slog.NewJSONHandler(&structured, debug))),
	)
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if text.Len() == 0 || structured.Len() == 0 {
			t.Error("nothing was logged: the test does not test")
		}
		l.print(text.String(), structured.String())
		l.check(t)
	})
	return l, func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: func(ctx context.Context, e *observe.Event) {
			mu.Lock()
			defer mu.Unlock()
			all.Event(ctx, e)
		}}
	}
}

const secretOfTheAPI = "s3cret/of+the=API"

// echo answers with everything that it was sent, in every place: what careless
// servers and proxies in between do.
func echo(status int) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		all := r.Header.Get("Authorization") + " " + r.PostForm.Encode() + " " + r.PostForm.Get("token")
		w.Header().Set("Content-Type", "application/json; echo=\""+r.PostForm.Get("token")+"\"")
		w.Header().Set("Location", "http://127.0.0.1:1/?"+r.PostForm.Encode())
		w.Header().Set("WWW-Authenticate", all)
		w.Header().Set("Retry-After", r.PostForm.Get("token"))
		w.WriteHeader(status)
		body, _ := json.Marshal(map[string]any{"error": all, "active": all})
		_, _ = w.Write(body)
	}
}

func TestNoSecretOfOpaqueTokens(t *testing.T) {
	l, watch := watched(t)
	for name, auth := range map[string]func(string, introspection.SecretFunc) introspection.ClientAuth{
		"basic": introspection.ClientSecretBasic, "post": introspection.ClientSecretPost,
	} {
		iss := issuertest.New(t)
		iss.Register(issuertest.ClientRegistration{ID: "api", Secret: secretOfTheAPI})
		l.secret("the client secret", secretOfTheAPI)
		l.secret("the Basic credentials", base64.StdEncoding.EncodeToString([]byte("api:"+url.QueryEscape(secretOfTheAPI))))
		cfg := introspectionAt(iss)
		cfg.Auth = auth("api", introspection.Secret(secretOfTheAPI))
		v := newOpaque(t, iss, watch, func(c *validator.Config) { c.Issuers[0].Introspection = cfg })
		l.print(cfg, *cfg, cfg.Auth, v)
		try := func(what, raw string) {
			token, err := v.Verify(t.Context(), l.token(what+", "+name, raw))
			l.print(err)
			if token != nil {
				l.print(token, *token, token.Check(scopes.All("no:such")))
			}
		}

		try("a good opaque token", iss.Opaque(issuertest.Claims{Scope: "orders:read"}))
		for _, bad := range issuertest.OpaqueBads() {
			try(bad.String(), iss.BadOpaque(bad, issuertest.Claims{}))
		}
		try("a JWT to introspect", iss.Token(issuertest.Claims{}))
		try("a token with spaces", "opaque token with spaces & more=?")
		try("a token with lines", "opaque token\r\nwith: lines in it")
		try("a long token", strings.Repeat("opaque-", 5000))
		for what, fault := range map[string]issuertest.Fault{
			"down": issuertest.Down(), "garbage": issuertest.Garbage(), "truncated": issuertest.Truncated(), "unauthorized": issuertest.Unauthorized(),
			"echo 200": echo(200), "echo 307": echo(307), "echo 400": echo(400), "echo 401": echo(401), "echo 429": echo(429), "echo 503": echo(503),
			"broken protocol": brokenProtocol,
		} {
			iss.SetFault(issuertest.Introspection, fault)
			// A fresh validator each: after failures the endpoint is left alone.
			v = newOpaque(t, iss, watch, func(c *validator.Config) { c.Issuers[0].Introspection = cfg })
			try(what, iss.Opaque(issuertest.Claims{}))
		}
		v.Close()
		try("after Close", iss.Opaque(issuertest.Claims{}))
	}
}

// brokenProtocol answers what is no HTTP, with the request's token in it.
func brokenProtocol(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nX %s\r\n\r\n", r.PostForm.Get("token"), r.PostForm.Encode())
}

func TestNoSecretOfJWTs(t *testing.T) {
	l, watch := watched(t)
	iss := issuertest.New(t)
	v := newJWT(t, iss, watch, func(c *validator.Config) { c.Issuers[0].Keys.MinFetchInterval = time.Millisecond })
	l.print(v)
	try := func(what, raw string) {
		token, err := v.Verify(t.Context(), l.token(what, raw))
		l.print(err)
		if token != nil {
			l.print(token, *token, token.Check(scopes.All("no:such")))
		}
	}
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA", "ES512"} {
		try("a good "+alg, iss.Token(issuertest.Claims{Algorithm: alg, Scope: "orders:read"}))
	}
	for _, bad := range issuertest.Bads() {
		try(bad.String(), iss.Bad(bad, issuertest.Claims{}))
	}
	good := iss.Token(issuertest.Claims{})
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for what, raw := range map[string]string{
		"padded":           good + "=",
		"with a line":      good[:len(good)-5] + "\n" + good[len(good)-5:],
		"without header":   "." + payload + "." + signature,
		"without payload":  header + ".." + signature,
		"shuffled":         header + "." + signature + "." + payload,
		"of five segments": good + ".x." + signature,
		"too long":         header + "." + payload + "." + strings.Repeat(signature, 100),
		"with crit":        iss.Sign(object(map[string]any{"alg": "RS256", "crit": []string{"x"}}), []byte(`{}`), "RS256"),
		"of wrong types":   iss.Sign(object(map[string]any{"alg": "RS256"}), []byte(`{"iss":[],"exp":"x"}`), "RS256"),
	} {
		try("a token "+what, raw)
	}
	// A token in the places that are quoted.
	try("with a token as kid", iss.Token(issuertest.Claims{KeyID: strings.Repeat("k", 300)}))

	// The issuer publishes private keys, by mistake.
	private := testdata.Key("rsa-2048-a")
	var parts map[string]string
	if err := json.Unmarshal(private, &parts); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		l.secret("private "+part, parts[part])
	}
	iss.SetJWKS([]byte(`{"keys":[`+string(private)+`,`+string(testdata.PublicKey("ed25519-a"))+`]}`), nil)
	v = newJWT(t, iss, watch)
	try("of a leaked key", iss.SignWith("rsa-2048-a", object(map[string]any{"alg": "RS256", "kid": "rsa-2048-a"}), object(goodClaims(iss, time.Now())), "RS256"))
	for what, fault := range map[string]issuertest.Fault{"down": issuertest.Down(), "garbage": issuertest.Garbage(), "echo": echo(500)} {
		iss.SetFault(issuertest.JWKS, fault)
		v = newJWT(t, iss, watch)
		try("while keys are "+what, iss.Token(issuertest.Claims{}))
		l.print(v.Ready(t.Context()))
	}
}

// TestNoSecretInFaults looks at what New says of configurations that hold
// secrets in the wrong places.
func TestNoSecretInFaults(t *testing.T) {
	l := &ledger{secrets: make(map[string]string)}
	const password = "hunter2-hunter2"
	l.secret("a password", password)
	private := testdata.Key("p256-a")
	var parts map[string]string
	if err := json.Unmarshal(private, &parts); err != nil {
		t.Fatal(err)
	}
	l.secret("a private key", parts["d"])
	for what, change := range map[string]func(*validator.Issuer){
		"URL":                   func(i *validator.Issuer) { i.URL = "https://api:" + password + "@id.example.com" },
		"URL, http":             func(i *validator.Issuer) { i.URL = "http://api:" + password + "@id.example.com" },
		"URL, unparseable":      func(i *validator.Issuer) { i.URL = "https://api:" + password + "@id.example.com:port" },
		"URL, one slash":        func(i *validator.Issuer) { i.URL = "https:/api:" + password + "@id.example.com" },
		"URL, a query":          func(i *validator.Issuer) { i.URL = "https://id.example.com/jwks?key=" + password },
		"URL, a query and an @": func(i *validator.Issuer) { i.URL = "ftp://id.example.com/.well-known/x?a=b@c&key=" + password },
		"URL, a document":       func(i *validator.Issuer) { i.URL = "ftp://api:" + password + "@id.example.com/.well-known/x" },
		"URL, a fragment":       func(i *validator.Issuer) { i.URL = "https://id.example.com/#" + password },
		"Audience of an issuer with a query": func(i *validator.Issuer) {
			i.URL, i.Keys, i.Audience = "https://id.example.com/?key="+password, &jwks.Config{Set: []byte("{}")}, nil
		},
		"Keys.URL, no colon": func(i *validator.Issuer) {
			i.Keys = &jwks.Config{URL: "https//api:" + password + "@id.example.com/keys"}
		},
		"Keys.Issuer": func(i *validator.Issuer) {
			i.Keys = &jwks.Config{Issuer: "https://api:" + password + "@id.example.com"}
		},
		"Keys.URL": func(i *validator.Issuer) {
			i.Keys = &jwks.Config{URL: "https://api:" + password + "@id.example.com/keys"}
		},
		"Keys.Set":         func(i *validator.Issuer) { i.Keys = &jwks.Config{Set: []byte(`{"keys":[` + string(private) + `]}`)} },
		"Keys.Set, broken": func(i *validator.Issuer) { i.Keys = &jwks.Config{Set: private[:len(private)-3]} },
		"Introspection.Endpoint": func(i *validator.Issuer) {
			i.Introspection = fineIntrospection()
			i.Introspection.Endpoint = "https://api:" + password + "@id.example.com/introspect"
		},
		"Auth without client": func(i *validator.Issuer) {
			i.Introspection = &introspection.Config{Auth: introspection.ClientSecretPost("", introspection.Secret(password))}
		},
	} {
		cfg := validator.Config{Issuers: []validator.Issuer{fine()}}
		change(&cfg.Issuers[0])
		v, err := validator.New(cfg)
		if err == nil {
			v.Close()
			t.Errorf("%s: New found no fault", what)
		}
		l.print(err)
	}
	l.check(t)
}
