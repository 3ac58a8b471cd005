// Package examples_test runs what README.md, docs/use.md and docs/testing.md show, and
// the recipes.
package examples_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(withRecipes{m})
}

func Example_sixLines() {
	mux, listOrders := http.NewServeMux(), func(http.ResponseWriter, *http.Request) {}

	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL: "https://id.example.com", Audience: []string{"https://orders.example.com"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	auth := httpauth.New(v, nil)
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)))

	fmt.Println(call(mux, "GET", "").Code)
	// Output: 401
}

func Example_netHTTP() {
	listOrders := func(http.ResponseWriter, *http.Request) {}
	createOrder := listOrders

	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      "https://id.example.com",
			Audience: []string{"https://orders.example.com"},
		}},
	}) // discovers, caches and rotates the issuer's keys
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := httpauth.New(v, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)))
	mux.Handle("POST /orders", auth.Require(scopes.All("orders:write"))(http.HandlerFunc(createOrder)))

	w := call(mux, "GET", "")
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="api"
}

func Example_echo() {
	iss, v := start()
	defer iss.Close()
	defer v.Close()
	e := echo.New()
	listOrders := func(c echo.Context) error {
		return c.String(http.StatusOK, "orders of "+echoauth.Token(c).ClientID())
	}

	auth := echoauth.New(v, nil)
	e.GET("/orders", listOrders, auth.Require(scopes.All("orders:read")))

	fmt.Println(call(e, "GET", iss.Token(issuertest.Claims{Scope: "orders:read"})).Body)
	fmt.Println(call(e, "GET", iss.Token(issuertest.Claims{Scope: "orders:write"})).Code)
	// Output:
	// orders of m2m-client
	// 403
}

func Example_gin() {
	iss, v := start()
	defer iss.Close()
	defer v.Close()
	r := gin.New()
	listOrders := func(c *gin.Context) {
		c.String(http.StatusOK, "orders of "+ginauth.Token(c).ClientID())
	}

	auth := ginauth.New(v, nil)
	r.GET("/orders", auth.Require(scopes.All("orders:read")), listOrders)

	fmt.Println(call(r, "GET", iss.Token(issuertest.Claims{Scope: "orders:read"})).Body)
	fmt.Println(call(r, "GET", iss.Bad(issuertest.Expired, issuertest.Claims{Scope: "orders:read"})).Code)
	// Output:
	// orders of m2m-client
	// 401
}

func Example_opaqueTokens() {
	secret := "read from where the API keeps its secrets"
	issuer := validator.Issuer{
		URL:      "https://id.example.com",
		Audience: []string{"https://orders.example.com"},
		Keys:     &jwks.Config{},
		Introspection: &introspection.Config{
			Auth: introspection.ClientSecretBasic("orders-api", introspection.Secret(secret)),
		},
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{issuer}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := httpauth.New(v, nil)
	w := call(auth.Require(scopes.AnyToken())(http.NotFoundHandler()), "GET", "")
	fmt.Println(w.Code)
	// Output: 401
}

func Example_knownIssuer() {
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{providers.Auth0("example.eu.auth0.com", "https://orders.example.com")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	fmt.Println(v.Stats().Issuers[0].URL)
	// Output: https://example.eu.auth0.com/
}

// TestUsersTokens: what README.md and docs/use.md say of them. A plain Issuer takes a
// user's as it takes a machine's, and a preset that can tell takes it when AppOnly is
// cleared.
func TestUsersTokens(t *testing.T) {
	iss := issuertest.New(t)
	plain := validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
	preset := providers.Auth0("example.eu.auth0.com", issuertest.Audience)
	preset.URL, preset.Keys = iss.URL(), nil // to be discovered here
	both := preset
	both.AppOnly = false
	user := iss.DialectToken(issuertest.Auth0, issuertest.Claims{Scope: "orders:read", Extra: map[string]any{"sub": "auth0|5f7c8ec7c33c6c004bbafe82"}})
	machine := iss.DialectToken(issuertest.Auth0, issuertest.Claims{Scope: "orders:read"})
	for name, tc := range map[string]struct {
		issuer validator.Issuer
		user   int
	}{
		"URL and Audience":                {plain, http.StatusOK},
		"providers.Auth0":                 {preset, http.StatusUnauthorized},
		"providers.Auth0 without AppOnly": {both, http.StatusOK},
	} {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{tc.issuer}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		api := httpauth.New(v, nil).Require(scopes.All("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if w := call(api, "GET", user); w.Code != tc.user {
			t.Errorf("%s: a user is answered %d, wanted %d: %s", name, w.Code, tc.user, w.Body)
		}
		if w := call(api, "GET", machine); w.Code != http.StatusOK {
			t.Errorf("%s: a machine is answered %d: %s", name, w.Code, w.Body)
		}
	}
	for _, page := range []string{"../README.md", "../docs/use.md"} {
		if !strings.Contains(read(t, page), "`AppOnly") {
			t.Errorf("%s does not say whether users' tokens pass", page)
		}
	}
}

func TestListOrders(t *testing.T) {
	iss := issuertest.New(t)
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	w := httptest.NewRecorder()
	newAPI(t, iss.URL(), issuertest.Audience).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// newAPI is an API that trusts an issuer.
func newAPI(t testing.TB, issuer, audience string) http.Handler {
	t.Helper()
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	orders := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	return httpauth.New(v, nil).Require(scopes.All("orders:read"))(orders)
}

// start starts an issuer, and a validator that trusts it.
func start() (*issuertest.Issuer, *validator.Validator) {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}})
	if err != nil {
		log.Fatal(err)
	}
	return iss, v
}

// call sends an API a request, without a token if that is empty.
func call(api http.Handler, method, token string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, "/orders", nil), httptest.NewRecorder()
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	api.ServeHTTP(w, r)
	return w
}

// Every snippet of README.md, docs/use.md and docs/testing.md stands in an Example or
// a Test of this file, so it runs with the tests.
func TestShownIsRun(t *testing.T) {
	running := runningFunctions(t)
	for page, least := range map[string]int{"README.md": 1, "docs/use.md": 4, "docs/testing.md": 1} {
		snippets := blocks(read(t, "../"+page), "go")
		if len(snippets) < least {
			t.Errorf("%s has %d snippets, wanted at least %d", page, len(snippets), least)
		}
		for _, snippet := range snippets {
			found := false
			for _, function := range running {
				found = found || strings.Contains(function, fields(snippet))
			}
			if !found {
				t.Errorf("this snippet of %s stands in no Example and no Test here:\n%s", page, snippet)
			}
		}
	}
}

// README.md is short, .ci/run runs every command of it, and it says what the six lines
// are: more would be another number.
func TestREADME(t *testing.T) {
	readme := read(t, "../README.md")
	if n := strings.Count(readme, "\n"); n > 150 {
		t.Errorf("README.md has %d lines, wanted at most 150", n)
	}
	_, section, _ := strings.Cut(readme, "## Six lines, and three for the error\n")
	if shown := blocks(section, "go"); len(shown) == 0 || strings.Count(shown[0], "\n") != 9 {
		t.Errorf("wanted nine lines of code, six and three for the error, of %q", shown)
	}
	before, _, _ := strings.Cut(readme, "```sh")
	if clone := "`git clone https://github.com/m2mguard/m2mguard`, `cd m2mguard`"; !strings.Contains(before, clone) {
		t.Errorf("README.md does not say %s before the commands that need it", clone)
	}
	shown := strings.Split(strings.TrimSpace(strings.Join(blocks(readme, "sh"), "")), "\n")
	groups := map[string]string{"go test ./...": "root", "go run ./examples/quickstart": "quickstart"}
	if len(shown) != len(groups) {
		t.Errorf("README.md shows %d commands, wanted the two", len(shown))
	}
	const others = "go run ./examples/quickstart/all"
	if !strings.Contains(readme, "`"+others+"`") {
		t.Errorf("README.md does not name %q", others)
	}
	groups[others] = "quickstart"
	for _, command := range append(shown, others) {
		if !slices.Contains(stepsOf(t, groups[command]), command) {
			t.Errorf("no step of group %q in .ci/run runs %q, which README.md shows", groups[command], command)
		}
	}
}

// stepsOf lists the whole commands of a group's steps in .ci/run that no condition
// and no loop holds.
func stepsOf(t *testing.T, group string) (commands []string) {
	t.Helper()
	_, body, _ := strings.Cut(read(t, "../.ci/run"), "\ngroup_"+group+"() {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	for _, m := range regexp.MustCompile(`(?m)^  step '[^']+' (.+)$`).FindAllStringSubmatch(body, -1) {
		commands = append(commands, m[1])
	}
	return commands
}

// Releases that README.md compares with are those that docs/comparison.md has read, on
// the same day, and that examples/migrate asks. Each row has a cell for each library, and
// each of another's cells has its line there, in which the figures of the cell stand. Of
// ours, those with figures have one.
func TestComparison(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "../README.md"), "## Beside others\n")
	section, _, _ = strings.Cut(section, "\n## ")
	evidence := read(t, "../docs/comparison.md")
	releases := regexp.MustCompile(`\bv?\d+\.\d+\.\d+\b|\b20\d\d-\d\d-\d\d\b`).FindAllString(section, -1)
	if len(releases) < 6 {
		t.Errorf("README.md names %q, wanted a day and five releases", releases)
	}
	for _, release := range releases {
		if strings.Count(evidence, release) == 0 {
			t.Errorf("docs/comparison.md knows nothing of %s", release)
		}
	}
	mod := read(t, "migrate/go.mod")
	for _, module := range []string{
		"github.com/auth0/go-jwt-middleware/v3", "github.com/labstack/echo-jwt/v4", "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset",
		"github.com/golang-jwt/jwt/v5", "github.com/coreos/go-oidc/v3",
	} {
		m := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(module) + ` (v\S+)`).FindStringSubmatch(mod)
		if m == nil || !strings.Contains(evidence, m[1]) {
			t.Errorf("docs/comparison.md does not name the version of %s that is in migrate/go.mod: %q", module, m)
		}
	}
	said := make([]map[string]string, len(compared))
	for n, library := range compared {
		said[n] = linesAbout(evidence, library)
	}
	rows := 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "|  |") {
			continue
		}
		rows++
		row := cells(line)
		if len(row) != 1+len(compared) || slices.Contains(row, "") {
			t.Errorf("wanted six cells, none of them empty: %s", line)
			continue
		}
		for n, cell := range row[1:] {
			line, found := said[n][row[0]]
			figures := regexp.MustCompile(`\b\d+(?:[.,]\d+)*(?: (?:min|h|s)\b)?`).FindAllString(cell, -1)
			if !found && (n > 0 || figures != nil) {
				t.Errorf("docs/comparison.md has no line %q of %s", row[0], compared[n])
			}
			for _, figure := range figures {
				if !regexp.MustCompile(`\b` + regexp.QuoteMeta(figure) + `\b`).MatchString(line) {
					t.Errorf("docs/comparison.md, %s, %s: %q of README's cell is not in its line: %s", compared[n], row[0], figure, line)
				}
			}
			delete(said[n], row[0])
		}
	}
	for n, left := range said {
		for name := range left {
			t.Errorf("docs/comparison.md, %s: README's table has no row %q", compared[n], name)
		}
	}
	if rows < 12 {
		t.Errorf("%d rows", rows)
	}
}

// compared are how the sections of docs/comparison.md begin that are about the columns
// of README's table, in their order.
var compared = []string{"m2mguard", "auth0/go-jwt-middleware v", "labstack/echo-jwt v", "coreos/go-oidc v", "Spring Security "}

// linesAbout are what a section says of a library, by the row of the table that each is
// about.
func linesAbout(page, library string) map[string]string {
	_, section, _ := strings.Cut(page, "\n## "+library)
	section, _, _ = strings.Cut(section, "\n## ")
	lines := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^- \*\*(.+?)\*\*(.*(?:\n  .*)*)`).FindAllStringSubmatch(section, -1) {
		lines[m[1]] = fields(m[2])
	}
	return lines
}

// Every snippet of docs/recipes.md stands, line by line, in recipes_test.go, whose
// Examples run, or in a package of recipes/ that has a test.
func TestRecipes(t *testing.T) {
	source := read(t, "recipes_test.go")
	tested := map[string]string{"recipes_test.go": source}
	packages, err := filepath.Glob("recipes/*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range packages {
		for _, pattern := range []string{"*.go", "*.yaml"} {
			files, err := filepath.Glob(filepath.Join(filepath.Dir(test), pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if !strings.HasSuffix(file, "_test.go") {
					tested[filepath.Dir(test)] += read(t, file)
				}
			}
		}
	}
	for dir, text := range tested {
		tested[dir] = trimmed(text)
	}
	markdown, shown := read(t, "../docs/recipes.md"), make(map[string]int)
	snippets := append(blocks(markdown, "go"), blocks(markdown, "yaml")...)
	for _, snippet := range snippets {
		for piece := range strings.SplitSeq(strings.TrimSpace(trimmed(snippet)), "\n…\n") { // what is left out between them is set-up, or more of the same
			found := false
			for dir, text := range tested {
				if strings.Contains("\n"+text, "\n"+piece+"\n") {
					found = true
					shown[dir]++
				}
			}
			if !found {
				t.Errorf("this snippet of docs/recipes.md stands in no recipe:\n%s", piece)
			}
		}
	}
	for dir := range tested {
		if shown[dir] == 0 {
			t.Errorf("docs/recipes.md shows nothing of %s", dir)
		}
	}
	if examples := strings.Count(source, "func Example_"); len(snippets) < examples || strings.Count(source, "// Output:") != examples {
		t.Errorf("%d snippets for %d examples, of which some have no output", len(snippets), examples)
	}
	if len(tested) < 6 {
		t.Errorf("%d packages with recipes, wanted those of five more", len(tested))
	}
}

// The figures of README.md are those of the run that is in bench/results: each stands in
// a table that TestFiguresOfPages holds to it.
func TestFiguresAreMeasured(t *testing.T) {
	readme := read(t, "../README.md")
	_, section, found := strings.Cut(readme, "## What it costs\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for _, m := range quotes.FindAllStringSubmatch(section, -1) {
		rows += strings.Count(m[4], "\n")
	}
	if !found || rows < 6 {
		t.Errorf("%d rows of figures in README.md", rows)
	}
	if rest := quotes.ReplaceAllString(section, ""); strings.Contains(rest, "\n|") {
		t.Errorf("a table of figures in README.md does not say where it comes from:\n%s", rest)
	}
	prose := fields(quotes.ReplaceAllString(readme, ""))
	for _, c := range claims { // which TestFiguresInProse holds to the results
		if c.page == "README.md" {
			prose = strings.ReplaceAll(prose, c.words, "…")
		}
	}
	for _, figure := range regexp.MustCompile(`[0-9][0-9.,]* ?(?:ns|µs|MB|requests)\b`).FindAllString(prose, -1) {
		t.Errorf("README.md: %s stands in no table that quotes what was measured", figure)
	}
}

// runningFunctions returns the source of each function of this file that go test
// runs, by fields.
func runningFunctions(t *testing.T) []string {
	t.Helper()
	const name = "readme_test.go"
	source := read(t, name)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var running []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		text := source[files.Position(f.Pos()).Offset:files.Position(f.End()).Offset]
		example := strings.HasPrefix(f.Name.Name, "Example") && strings.Contains(text, "// Output:")
		if example || strings.HasPrefix(f.Name.Name, "Test") {
			running = append(running, fields(text))
		}
	}
	return running
}

// blocks returns the code blocks of a language in a Markdown text.
func blocks(markdown, language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(markdown, -1) {
		found = append(found, m[1])
	}
	return found
}

// fields makes texts equal that differ in white space alone.
func fields(text string) string { return strings.Join(strings.Fields(text), " ") }

// trimmed makes texts equal that differ in how far their lines are indented.
func trimmed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSpace(strings.Join(lines, "\n")) + "\n"
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
