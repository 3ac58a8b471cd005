package providers_test

import (
	"cmp"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/testdata"
)

// functions lists what the package exports, from its source.
func functions(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Name.IsExported() && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

const guide = "../../docs/issuers/"

// read is a file of the guide.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(guide + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The guide has a row in its table and a page for each function. The page shows
// its line, fits on a screen, and names what it goes by.
func TestGuideHasEveryFunction(t *testing.T) {
	const screen = 42 // lines
	documents := make(map[string][]string)
	for _, p := range testdata.Providers() {
		documents[p.Name] = p.Documents
	}
	pages := make(map[string]bool)
	for _, name := range functions(t) {
		_, row, ok := strings.Cut(read(t, "README.md"), "\n| [`"+name+"`](")
		if !ok {
			t.Errorf("%s has no row in the table of docs/issuers/README.md, and no page there", name)
			continue
		}
		file, _, _ := strings.Cut(row, ")")
		pages[file] = true
		page := read(t, file)
		if !strings.Contains(page, "\nproviders."+name+"(") {
			t.Errorf("%s does not show the line of %s", file, name)
		}
		if !strings.Contains(page, "\n\nAn entry of `validator.Config.Issuers` ([all of them](README.md))") {
			t.Errorf("%s does not begin with what it is for", file)
		}
		if lines := strings.Count(page, "\n"); lines > screen {
			t.Errorf("%s has %d lines, wanted at most %d", file, lines, screen)
		}
		for _, document := range documents[name] {
			if !strings.Contains(page, "\n- <"+document+">\n") {
				t.Errorf("%s does not name %s, which the fixtures of %s go by", file, document, name)
			}
		}
	}
	files, err := filepath.Glob(guide + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" && !pages[name] {
			t.Errorf("%s is nobody's page", name)
		}
	}
}

// TestEachIsShownAndTriedWrong: each function has its example, and wrong arguments among
// the faults. FAPI2, which is around the others, has tests of its own.
func TestEachIsShownAndTriedWrong(t *testing.T) {
	files, err := filepath.Glob("example*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, file := range append(files, "faults_test.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	faults := texts["faults_test.go"]
	examples := strings.Join(slices.Collect(maps.Values(texts)), "\n")
	for _, name := range functions(t) {
		switch {
		case name == "FAPI2":
		case !strings.Contains(examples, "\nfunc Example"+name+"() {"):
			t.Errorf("example_test.go wants an Example%s", name)
		case !strings.Contains(faults, "providers."+name+"("):
			t.Errorf("faults_test.go wants a line for each wrong argument of %s", name)
		}
	}
}

// productOf is what a function's issuer is called where it has another name in prose.
var productOf = map[string]string{
	"ADFS": "AD FS", "Authentik": "authentik", "EntraID": "Entra ID", "GitHubActions": "GitHub Actions", "GoogleServiceAccount": "Google",
	"Zitadel": "ZITADEL", "RFC9068": "RFC 9068", "FAPI2": "FAPI 2.0",
}

// README's list of issuers and CHANGELOG's name whom each function is for. A second
// function for the same issuer has the first one's name in front, and needs no other;
// README leaves standards to the guide.
func TestListsNameEveryIssuer(t *testing.T) {
	lists := make(map[string]string)
	for file, bounds := range map[string][2]string{
		"README.md":    {"[Known issuers](docs/issuers/README.md)", "\n\n"},
		"CHANGELOG.md": {"### Issuers (`validator/providers`)", "\n### "},
	} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(string(text), bounds[0])
		list, _, found := strings.Cut(list, bounds[1])
		if !found {
			t.Fatalf("%s has no list of issuers", file)
		}
		lists[file] = strings.Join(strings.Fields(list), " ")
	}
	names := functions(t)
	for _, name := range names {
		second := slices.ContainsFunc(names, func(first string) bool { return first != name && strings.HasPrefix(name, first) })
		product := cmp.Or(productOf[name], name)
		for file, list := range lists {
			if standard := name == "RFC9068" || name == "FAPI2"; second || standard && file == "README.md" {
				continue
			}
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(product) + `\b`).MatchString(strings.NewReplacer("providers."+name, "", "`"+name+"`", "").Replace(list)) {
				t.Errorf("%s does not name %s, for which there is providers.%s", file, product, name)
			}
		}
	}
}

// Whether a user's token passes is told where somebody looks for it: each function's
// comment names AppOnly, and the guide's column has a condition where it is set.
func TestUsersAreTold(t *testing.T) {
	comments := make(map[string]string)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				comments[f.Name.Name] = f.Doc.Text()
			}
		}
	}
	for _, name := range functions(t) {
		if !strings.Contains(comments[name], "AppOnly") {
			t.Errorf("the comment of %s does not say whether users' tokens pass", name)
		}
		preset, ok := presets[name]
		if !ok {
			continue // FAPI2 is as what it goes around
		}
		_, row, _ := strings.Cut(read(t, "README.md"), "\n| [`"+name+"`](")
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(row, " | ")
		condition := cells[len(cells)-2]
		if unset := strings.HasPrefix(condition, "not asked") || strings.HasPrefix(condition, "cannot be told"); unset == preset().AppOnly {
			t.Errorf("AppOnly of %s is %v, and the guide says that a client acts for itself if %q", name, preset().AppOnly, condition)
		}
	}
}

// What the guide shows in Go compiles: a call by itself returns an Issuer, and what
// stands alone changes iss, which that returned.
func TestGuideShowsGo(t *testing.T) {
	fset := token.NewFileSet()
	packages := importer.ForCompiler(fset, "gc", exported(t,
		"github.com/m2mguard/m2mguard/introspection", "github.com/m2mguard/m2mguard/jwks", "github.com/m2mguard/m2mguard/validator/providers"))
	files, err := filepath.Glob(guide + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		for i, block := range strings.Split(read(t, filepath.Base(file)), "\n```go\n")[1:] {
			code, _, _ := strings.Cut(block, "\n```")
			if err := compile(fset, packages, code); err != nil {
				t.Errorf("%s, block %d: %v", filepath.Base(file), i+1, err)
			}
			checked++
		}
	}
	if checked < len(functions(t)) {
		t.Errorf("%d blocks were found, wanted one for each function", checked)
	}
	for _, code := range []string{
		"providers.Auth0(", `providers.Auth0("example.eu.auth0.com")`, "providers.GitLabJob{}", "iss.Profile.Roles = nil", "iss.Clients = \"reports\"", "providers.KubernetesAPI{}.Keys()",
	} {
		if compile(fset, packages, code) == nil {
			t.Errorf("%s compiles", code)
		}
	}
}

// compile checks the types of a block of the guide.
func compile(fset *token.FileSet, packages types.Importer, code string) error {
	if strings.HasPrefix(code, "providers.") {
		code = "iss = " + code
	}
	file, err := parser.ParseFile(fset, "", `package p
import (
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)
var _, _ = jwks.Config{}, providers.GitLabJob{}
func f(iss validator.Issuer, auth introspection.ClientAuth, jwksJSON []byte) {
`+code+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	_, err = (&types.Config{Importer: packages}).Check("p", fset, []*ast.File{file}, nil)
	return err
}

// exported finds what the compiler wrote of these packages and of those that they
// import.
func exported(t *testing.T, packages ...string) importer.Lookup {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, packages...)...)
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[name] = file
	}
	return func(name string) (io.ReadCloser, error) { return os.Open(files[name]) }
}
