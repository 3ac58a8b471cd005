package migrate_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/examples/migrate"
	"github.com/m2mguard/m2mguard/examples/migrate/fromauth0"
	"github.com/m2mguard/m2mguard/examples/migrate/fromauth0v2"
	"github.com/m2mguard/m2mguard/examples/migrate/fromechojwt"
	"github.com/m2mguard/m2mguard/examples/migrate/fromginjwt"
	"github.com/m2mguard/m2mguard/examples/migrate/fromgolangjwt"
	"github.com/m2mguard/m2mguard/examples/migrate/fromoidc"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var update = flag.Bool("update", false, "write what was seen into testdata")

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	slog.SetDefault(slog.New(slog.DiscardHandler)) // hundreds of refusals
	os.Exit(m.Run())
}

// library is a column of the page's table.
type library struct {
	name  string
	start func(ctx context.Context, iss *issuertest.Issuer) (http.Handler, error)
}

var old = []library{
	{"auth0 v2", func(_ context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		return fromauth0v2.Before(iss.URL(), issuertest.Audience)
	}},
	{"auth0 v3", func(_ context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		return fromauth0.Before(iss.URL(), issuertest.Audience)
	}},
	{"golang-jwt", func(ctx context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		return fromgolangjwt.Before(ctx, iss.URL(), iss.JWKSURL(), issuertest.Audience)
	}},
	{"go-oidc", func(ctx context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		return fromoidc.Before(ctx, iss.URL(), issuertest.Audience)
	}},
	{"echo-jwt", func(ctx context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		return fromechojwt.Before(ctx, iss.JWKSURL())
	}},
	{"gin-jwt", func(ctx context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		return fromginjwt.Before(ctx, iss.JWKSURL())
	}},
}

// newer are what these APIs become: all answer alike.
var newer = []library{
	{"net/http", trusting(fromauth0.After)},
	{"net/http with a policy", trusting(fromgolangjwt.After)},
	{"net/http with claims", trusting(fromoidc.After)},
	{"Echo", trusting(fromechojwt.After)},
	{"Gin", trusting(fromginjwt.After)},
}

func trusting(after func(*validator.Validator) http.Handler) func(context.Context, *issuertest.Issuer) (http.Handler, error) {
	return func(ctx context.Context, iss *issuertest.Issuer) (http.Handler, error) {
		v, err := migrate.Trust(iss.URL(), issuertest.Audience)
		if err == nil {
			context.AfterFunc(ctx, v.Close)
		}
		return after(v), err
	}
}

// good are the claims of a token that every API here lets in.
func good(change func(*issuertest.Claims)) issuertest.Claims {
	c := issuertest.Claims{Scope: "orders:read", Extra: map[string]any{"tenant": "acme"}}
	if change != nil {
		change(&c)
	}
	return c
}

// questions are the rows of the page's table, in its order, each a change of a good request.
var questions = []struct {
	row string
	ask func(iss *issuertest.Issuer, r *http.Request)
}{
	{"a good token", bearer(nil)},
	{"no token", func(*issuertest.Issuer, *http.Request) {}},
	{"`bearer`, in lower case", func(iss *issuertest.Issuer, r *http.Request) {
		r.Header.Set("Authorization", "bearer "+iss.Token(good(nil)))
	}},
	{"another scheme (`Basic`)", func(_ *issuertest.Issuer, r *http.Request) { r.SetBasicAuth("a", "b") }},
	{"two `Authorization` fields", func(iss *issuertest.Issuer, r *http.Request) {
		r.Header["Authorization"] = []string{"Bearer " + iss.Token(good(nil)), "Bearer " + iss.Token(good(nil))}
	}},
	{"`Bearer` and nothing", func(_ *issuertest.Issuer, r *http.Request) { r.Header.Set("Authorization", "Bearer") }},
	{"the token in `?token=`", func(iss *issuertest.Issuer, r *http.Request) { r.URL.RawQuery = "token=" + iss.Token(good(nil)) }},
	{"a missing scope", bearer(func(c *issuertest.Claims) { c.Scope = "orders:write" })},
	{"its scopes in `scp`, none in `scope`", bearer(func(c *issuertest.Claims) { c.Scope, c.Extra["scp"] = "", []string{"orders:read"} })},
	{"expired an hour ago", bad(issuertest.Expired)},
	{"expired ten seconds ago", bearer(func(c *issuertest.Claims) { c.Expiry = time.Now().Add(-10 * time.Second) })},
	{"no `exp`", bad(issuertest.NoExpiry)},
	{"good in four minutes (`nbf`)", bearer(func(c *issuertest.Claims) { c.NotBefore = time.Now().Add(4 * time.Minute) })},
	{"issued in an hour (`iat`)", bearer(func(c *issuertest.Claims) { c.IssuedAt = time.Now().Add(time.Hour) })},
	{"for another API (`aud`)", bad(issuertest.WrongAudience)},
	{"no `aud`", bad(issuertest.NoAudience)},
	{"another `iss`, by the same keys", bad(issuertest.WrongIssuer)},
	{"`alg: none` or HMAC with the public key", nil},
	{"PS256, by a key of the issuer", bearer(func(c *issuertest.Claims) { c.Algorithm = "PS256" })},
	{"RS512, by a key of the issuer", bearer(func(c *issuertest.Claims) { c.Algorithm = "RS512" })},
	{"longer than 16 KiB", bearer(func(c *issuertest.Claims) { c.Extra["groups"] = strings.Repeat("orders ", 2_100) })},
	{"another kind of token (`typ: logout+jwt`)", bearer(func(c *issuertest.Claims) { c.Type = "logout+jwt" })},
	{"bound to a certificate, shown without it", bad(issuertest.SenderBound)},
	{"bound to a DPoP key, shown as `Bearer`", bearer(func(c *issuertest.Claims) { c.JWKThumbprint = strings.Repeat("A", 43) })},
}

func bearer(change func(*issuertest.Claims)) func(*issuertest.Issuer, *http.Request) {
	return func(iss *issuertest.Issuer, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+iss.Token(good(change)))
	}
}

func bad(what issuertest.Bad) func(*issuertest.Issuer, *http.Request) {
	return func(iss *issuertest.Issuer, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+iss.Bad(what, good(nil)))
	}
}

// TestTable asks every API here the same.
func TestTable(t *testing.T) {
	columns := make([][]string, len(old)+len(newer))
	t.Run("apis", func(t *testing.T) {
		for i, l := range append(append([]library(nil), old...), newer...) {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				columns[i] = column(t, l)
			})
		}
	})
	if t.Failed() {
		return
	}
	for i, l := range newer[1:] {
		if diff := cmp.Diff(columns[len(old)], columns[len(old)+1+i]); diff != "" {
			t.Errorf("%s answers otherwise than %s:\n%s", l.name, newer[0].name, diff)
		}
	}
	var want strings.Builder
	var alike []string
	for row, asked := range rows() {
		cells := make(map[string]bool)
		line := "| " + asked + " |"
		for i := range len(old) + 1 {
			cells[columns[i][row]] = true
			line += " " + columns[i][row] + " |"
		}
		if len(cells) == 1 {
			alike = append(alike, asked+" "+columns[0][row])
		} else {
			want.WriteString(line + "\n")
		}
	}
	seen(t, "asked.md", "| asked with | auth0 v2 | auth0 v3 | golang-jwt | go-oidc | echo-jwt | gin-jwt | m2mguard |\n|---|--:|--:|--:|--:|--:|--:|--:|\n"+want.String())
	seen(t, "alike.txt", "Alike in all seven: "+strings.Join(alike, ", ")+".\n")
}

// TestAnswers is about what a client reads, where the library writes it.
func TestAnswers(t *testing.T) {
	var want strings.Builder
	for _, l := range []library{old[0], old[1], old[4], old[5], {"m2mguard", newer[0].start}} {
		iss := issuertest.New(t)
		w := start(t, l, iss)(bad(issuertest.Expired))
		challenge := "none"
		if lines := w.Header().Values("WWW-Authenticate"); len(lines) > 0 {
			challenge = "`" + lines[0] + "`"
			if len(lines) > 1 {
				challenge += ", and one for DPoP"
			}
		}
		fmt.Fprintf(&want, "| %s | %s | `%s` |\n", l.name, challenge, strings.TrimSpace(w.Body.String()))
	}
	seen(t, "answers.md", "| an expired token | `WWW-Authenticate` | body |\n|---|---|---|\n"+want.String())
}

// seen holds a file, of which the page shows all, to what was seen.
func seen(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(recorded), text); diff != "" {
		t.Errorf("%s (-) is not what was seen (+), go test -update writes it:\n%s", name, diff)
	}
}

// rows are the first column of the page's table.
func rows() (found []string) {
	for _, q := range questions {
		found = append(found, q.row)
	}
	return append(found, "a key published a moment ago", "the next one, right after it",
		"fetches for 20 made-up key ids", "the issuer down, its keys known", "the issuer down from the start",
		"challenge of a refusal", "a 403 names the scope")
}

// column is what one API answers.
func column(t *testing.T, l library) (cells []string) {
	t.Helper()
	iss := issuertest.New(t)
	api := start(t, l, iss)
	for _, q := range questions {
		if q.ask == nil {
			none, hmac := api(bad(issuertest.AlgNone)).Code, api(bad(issuertest.AlgHS256)).Code
			if none != hmac {
				t.Errorf("%s: %d and %d", q.row, none, hmac)
			}
			cells = append(cells, strconv.Itoa(none))
			continue
		}
		w := api(q.ask)
		cells = append(cells, strconv.Itoa(w.Code))
		if let := w.Code == http.StatusOK; let != strings.Contains(w.Body.String(), "orders of "+issuertest.ClientID) {
			t.Errorf("%s: %d, %q", q.row, w.Code, w.Body)
		}
	}
	for range 2 {
		iss.Rotate()
		cells = append(cells, strconv.Itoa(api(bearer(nil)).Code))
		for range 10 {
			api(bearer(nil)) // by when go-oidc is done with its fetch, which the next one may else join
		}
	}

	iss = issuertest.New(t)
	api = start(t, l, iss)
	if w := api(bearer(nil)); w.Code != http.StatusOK {
		t.Errorf("%d, %q", w.Code, w.Body)
	}
	asked := iss.Requests(issuertest.JWKS)
	for range 20 {
		api(bad(issuertest.UnknownKey))
	}
	switch asked = iss.Requests(issuertest.JWKS) - asked; {
	case asked == 0:
		cells = append(cells, "none")
	case asked < 4:
		cells = append(cells, "at most 3")
	default:
		cells = append(cells, "about "+strconv.Itoa((asked+5)/10*10)) // go-oidc's next one may still join a fetch that is just over
	}

	iss = issuertest.New(t)
	api = start(t, l, iss)
	if w := api(bearer(nil)); w.Code != http.StatusOK {
		t.Errorf("%d, %q", w.Code, w.Body)
	}
	down(iss)
	cells = append(cells, strconv.Itoa(api(bearer(nil)).Code))

	iss = issuertest.New(t)
	down(iss)
	if handler, err := l.start(t.Context(), iss); err != nil {
		cells = append(cells, "no start")
	} else {
		cells = append(cells, strconv.Itoa(ask(iss, handler, bearer(nil)).Code))
	}

	iss = issuertest.New(t)
	api = start(t, l, iss)
	scheme, _, _ := strings.Cut(api(bad(issuertest.Expired)).Header().Get("WWW-Authenticate"), " ")
	named := strings.Contains(api(questions[7].ask).Header().Get("WWW-Authenticate"), `scope="orders:read"`)
	return append(cells, map[bool]string{true: "none", false: "`" + scheme + "`"}[scheme == ""], map[bool]string{true: "yes", false: "no"}[named])
}

func down(iss *issuertest.Issuer) {
	iss.SetFault(issuertest.Discovery, issuertest.Down())
	iss.SetFault(issuertest.JWKS, issuertest.Down())
}

// start makes an API, and a function that asks it.
func start(t *testing.T, l library, iss *issuertest.Issuer) func(func(*issuertest.Issuer, *http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	handler, err := l.start(t.Context(), iss)
	if err != nil {
		t.Fatal(err)
	}
	return func(with func(*issuertest.Issuer, *http.Request)) *httptest.ResponseRecorder {
		return ask(iss, handler, with)
	}
}

func ask(iss *issuertest.Issuer, handler http.Handler, with func(*issuertest.Issuer, *http.Request)) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("GET", "/orders", http.NoBody), httptest.NewRecorder()
	with(iss, r)
	handler.ServeHTTP(w, r)
	return w
}
