package mistakes_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// mistake is a row of the table.
type mistake struct {
	name string
	// make makes the mistake and returns what is read about it.
	make func(t *testing.T) string
	// says is what it must name: the field, its value, and the remedy.
	says []string
	// not is what would send its reader to somebody else, or say it twice.
	not []string
	// set says that the user did set Config.Issuer.
	set bool
	// lines is how many it takes; 0 for one.
	lines int
	// program names what will see a mistake that no library can, and make is what
	// the library can say until then.
	program string
}

func TestMistakes(t *testing.T) {
	seen := make(map[string]bool)
	for _, table := range [][]mistake{configurations, presets, issuers, tokens, programs} {
		for _, m := range table {
			if seen[m.name] {
				t.Errorf("%s is there twice", m.name)
			}
			seen[m.name] = true
			t.Run(m.name, func(t *testing.T) {
				text := m.make(t)
				t.Logf("%s", text)
				for _, part := range m.says {
					if !strings.Contains(text, part) {
						t.Errorf("%s\ndoes not say %s", text, part)
					}
				}
				if !m.set {
					m.not = append(m.not, "Config.Issuer:")
				}
				for _, part := range append(m.not, "nil pointer", "unavailable: unavailable: unavailable", "the wrapped error") {
					if strings.Contains(text, part) {
						t.Errorf("%s\nsays %s", text, part)
					}
				}
				if n := 1 + strings.Count(strings.TrimSpace(text), "\n"); n != max(1, m.lines) {
					t.Errorf("%s\ntakes %d lines, wanted %d", text, n, max(1, m.lines))
				}
				if len(m.says) == 0 {
					t.Error("nothing is asked for")
				}
			})
		}
	}
}

// fine is an Issuer without a mistake.
func fine() validator.Issuer {
	return validator.Issuer{URL: "https://id.example.com", Audience: []string{"https://orders.example.com"}}
}

var auth = introspection.ClientSecretBasic("orders-api", introspection.Secret("s3cret"))

// refused is what New says of a changed Config.
func refused(change func(*validator.Config)) func(*testing.T) string {
	return func(t *testing.T) string {
		c := validator.Config{Issuers: []validator.Issuer{fine()}}
		change(&c)
		v, err := validator.New(c)
		if err == nil {
			v.Close()
			t.Fatal("New found no fault")
		}
		return err.Error()
	}
}

// issuer changes the one issuer of a Config.
func issuer(change func(*validator.Issuer)) func(*testing.T) string {
	return refused(func(c *validator.Config) { change(&c.Issuers[0]) })
}

// given is what New says of an issuer as it is.
func given(iss func() validator.Issuer) func(*testing.T) string {
	return issuer(func(i *validator.Issuer) { *i = iss() })
}

// api is a validator with the default log, at Debug, so that it shows what the
// first line about a token says.
type api struct {
	*validator.Validator
	log *logged
}

type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// line is the first one that holds a part.
func (l *logged) line(t *testing.T, part string) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, part) {
			return strings.ReplaceAll(strings.TrimSpace(line), `\"`, `"`)
		}
	}
	t.Fatalf("no line holds %s:\n%s", part, &l.text)
	return ""
}

func open(t *testing.T, iss validator.Issuer) api {
	t.Helper()
	log := new(logged)
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{iss},
		Observer: validator.LogEvents(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return api{v, log}
}

// trusting is an Issuer that trusts a fake one.
func trusting(fake *issuertest.Issuer) validator.Issuer {
	return validator.Issuer{URL: fake.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{URL: fake.JWKSURL(), HTTPClient: fake.Client()}}
}

// asking is an Issuer that introspects at a fake one.
func asking(fake *issuertest.Issuer) validator.Issuer {
	return validator.Issuer{URL: fake.URL(), Audience: []string{issuertest.Audience}, Introspection: &introspection.Config{
		Endpoint: fake.IntrospectionURL(), HTTPClient: fake.Client(),
		Auth: introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
	}}
}

// request sends a token through a route that needs orders:read and returns the
// line of the log that says why it was refused.
func (a api) request(t *testing.T, rule scopes.Rule, authorization ...string) string {
	t.Helper()
	ran := false
	h := httpauth.New(a.Validator, nil).Require(rule)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }))
	r, w := httptest.NewRequest("GET", "/orders", nil), httptest.NewRecorder()
	r.Header["Authorization"] = authorization
	h.ServeHTTP(w, r)
	if ran {
		t.Fatal("the request was let in")
	}
	line := a.log.line(t, "token refused")
	a.explain(t, rule, line, authorization...)
	return line
}

// explained is what Explain says of the requests of each test: the step that failed.
var explained sync.Map

// explain makes sure that an explanation says what the log does, in one line that names
// where to mend it.
func (a api) explain(t *testing.T, rule scopes.Rule, line string, authorization ...string) {
	t.Helper()
	scheme, token, _ := strings.Cut(strings.Join(authorization, ""), " ")
	e := a.Explain(t.Context(), &validator.Request{Scheme: scheme, Token: token}, validator.ExplainOptions{Network: true, Rule: &rule})
	s, failed := e.Failed()
	switch {
	case !failed || s.Fix == "":
		t.Errorf("the log says\n%s\nand an explanation\n%s", line, e)
	case s.Check != validator.CheckUnavailable && !strings.Contains(line, strings.ReplaceAll(s.Err.Error(), `\"`, `"`)):
		t.Errorf("the log says\n%s\nand an explanation\n%s\n%s", line, s, s.Err)
	}
	explained.Store(t.Name(), s)
}

func bearer(token string) string { return "Bearer " + token }

var orders = scopes.All("orders:read")

// mistaken is a token's request to an API that trusts a fake issuer, either of
// which is changed.
func mistaken(change func(*validator.Issuer), token func(*issuertest.Issuer) string) func(*testing.T) string {
	return func(t *testing.T) string {
		fake := issuertest.New(t)
		iss := trusting(fake)
		if change != nil {
			change(&iss)
		}
		return open(t, iss).request(t, orders, bearer(token(fake)))
	}
}

func claims(c issuertest.Claims) func(*issuertest.Issuer) string {
	return func(fake *issuertest.Issuer) string { return fake.Token(c) }
}

// panicking is what a program reads that was written so.
func panicking(f func()) func(*testing.T) string {
	return func(t *testing.T) (text string) {
		defer func() {
			p := recover()
			if p == nil {
				t.Fatal("no panic")
			}
			text = fmt.Sprint(p)
		}()
		f()
		return ""
	}
}

// ago is a time of a token; a negative one is to come.
func ago(d time.Duration) time.Time { return time.Now().Add(-d) }
