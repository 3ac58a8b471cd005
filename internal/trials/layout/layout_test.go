package layout_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	trials = "internal/trials" // for tests alone
	module = "github.com/m2mguard/m2mguard"

	jwx     = "github.com/lestrrat-go/jwx/v2"
	jwkset  = "github.com/MicahParks/jwkset"
	keyfunc = "github.com/MicahParks/keyfunc/v3"
	golang  = "github.com/golang-jwt/jwt/v5"
	otter   = "github.com/maypok86/otter/v2"
	echo    = "github.com/labstack/echo/v4"
	gin     = "github.com/gin-gonic/gin"
	chi     = "github.com/go-chi/chi/v5"
	cmp     = "github.com/google/go-cmp"
	strict  = "github.com/go-json-experiment/json"
	oauth2  = "golang.org/x/oauth2"
	xsync   = "golang.org/x/sync"
	xtime   = "golang.org/x/time"
)

// rooms says what the packages of a folder may import, beside the standard
// library, observe, the root's internal/ and the strict JSON library. Packages of this
// module are written without its path. A room covers the folders below it,
// unless they have a row of their own.
var rooms = map[string][]string{
	"scopes":               {},
	"observe":              {},
	"jwks":                 {jwkset, xsync, xtime},
	"jwks/keyfunc":         {"jwks", jwkset, keyfunc, golang},
	"introspection":        {xsync, xtime},
	"dpop":                 {},
	"revocation":           {},
	"validator":            append([]string{"scopes", "jwks", "introspection", "dpop", "revocation", xsync, xtime}, lower...),
	"validator/internal":   {"validator/internal/cache"}, // and of the root's internal/ turns alone, see below
	"validator/issuertest": {"testdata", jwx},
	"validator/providers":  {"validator", "jwks", "introspection"},
	"adapters/httpauth":    {"validator", "scopes", "revocation"},
	"adapters/echoauth":    {"adapters/httpauth", "validator", "scopes", echo},
	"adapters/ginauth":     {"adapters/httpauth", "validator", "scopes", gin},
	"adapters/guardtest":   {"adapters/httpauth", "scopes", "validator/issuertest"},
	"examples":             append(public(), echo, gin, chi, oauth2, xsync),
	"examples/quickstart":  append(public(), echo, gin, "examples/quickstart/internal/quickstart"),
	// What a first look downloads: no framework but net/http.
	"examples/quickstart/internal": {
		"scopes", "jwks", "introspection", "dpop", "revocation", "validator", "validator/issuertest", "adapters/httpauth", xsync,
	},
	"interop":  append(public(), echo, gin, oauth2, xsync),
	"testdata": {},
}

// lower are the rooms below validator. They know nothing of tokens: none imports
// what is above.
var lower = []string{
	"validator/internal/cache", "validator/internal/fingerprint", "validator/internal/flights",
	"validator/internal/registry", "validator/internal/wheel",
}

// public lists the packages that a user may import.
func public() []string {
	return []string{
		"scopes", "observe", "jwks", "jwks/keyfunc", "introspection", "dpop", "revocation", "validator", "validator/issuertest", "validator/providers",
		"adapters/httpauth", "adapters/httpauth/forwarded", "adapters/echoauth", "adapters/ginauth", "adapters/guardtest", "testdata",
	}
}

// shared says what the root's internal packages may import, beside the same
// three: each other, and no room.
var shared = map[string][]string{
	"internal/jws": {jwx},
}

// source is a Go file of this module.
type source struct {
	name    string // from the root, with slashes
	dir     string
	test    bool
	imports []string
	parsed  *ast.File
	fset    *token.FileSet
}

// sources reads the module's Go files, whatever their build tags. Other modules
// in the tree are left out.
func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(entry.Name(), ".") || isModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		local, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file := source{name: filepath.ToSlash(local), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
		file.dir = path.Dir(file.name)
		if file.parsed, err = parser.ParseFile(file.fset, name, nil, parser.SkipObjectResolution); err != nil {
			return err
		}
		for _, spec := range file.parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			file.imports = append(file.imports, imported)
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d Go files, so this is not the module", len(files))
	}
	return files
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// within reports whether a package is this one, or below it.
func within(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }

// thirdParty reports whether an import is of another module: only those begin
// with a host name.
func thirdParty(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}

// row finds the rule for a folder.
func row(dir string) (allowed []string, found bool) {
	if within(dir, "internal") {
		return shared[dir], true
	}
	for room := dir; room != "."; room = path.Dir(room) {
		if allowed, found = rooms[room]; found {
			return allowed, true
		}
	}
	return nil, false
}

func TestImports(t *testing.T) {
	for _, file := range sources(t) {
		if file.test || within(file.dir, trials) {
			continue
		}
		allowed, found := row(file.dir)
		if !found {
			t.Errorf("%s is in no room: a new one wants a row in rooms, and in public() if users import it, in this file", file.name)
			continue
		}
		for _, imported := range file.imports {
			own, ours := strings.CutPrefix(imported, module+"/")
			switch {
			case !thirdParty(imported): // the standard library
			case within(imported, strict):
			case own == "observe":
			case within(own, trials):
				t.Errorf("%s imports %s, which is for tests alone", file.name, own)
			case ours && within(own, "internal") && (!within(file.dir, "validator/internal") || own == "internal/turns"):
			case ours && slices.Contains(allowed, own):
			case slices.ContainsFunc(allowed, func(a string) bool { return within(imported, a) }):
			default:
				t.Errorf("%s imports %s, wanted some of %q, which rooms has of it, in this test", file.name, imported, allowed)
			}
		}
	}
}

// TestFilesAreShort enough to be read in one sitting.
func TestFilesAreShort(t *testing.T) {
	const most = 350
	for _, file := range sources(t) {
		lines := file.fset.File(file.parsed.FileStart).LineCount()
		if !file.test && lines > most {
			t.Errorf("%s has %d lines, wanted at most %d: one of the thoughts in it wants a file of its own, as checkLifetime has lifetime.go", file.name, lines, most)
		}
	}
}

// storeys are the files of validator from the ground up: what is said, and how it is
// read; configuration; compiled issuers, and the proof of a token; what every request
// must pass; what proves a token; the public face. Each names what is on its own
// storey or below.
var storeys = [][]string{
	{"sighting", "errors", "binding", "flaw", "hints", "scopehint", "syntax", "header", "times", "spiffe", "claims", "claim", "decode", "delegation", "grants", "profile", "profilefaults", "token", "context", "print", "request"},
	{"config", "tenants", "identifier", "assertion", "log"},
	{"settle", "insist", "issuer", "signer", "answer", "proof", "compiled"},
	{"passes", "revoked", "possession", "live"},
	{"checks", "lifetime", "confirm", "keys", "whose", "shape", "prove", "opaque", "resolver"},
	{"verify", "validator", "observer", "stats", "accepts", "explain", "explainwalk", "explainproof", "explainhide", "doc"},
}

// TestValidatorReadsOneWay sees names of files alone: methods go by the type that they
// are of.
func TestValidatorReadsOneWay(t *testing.T) {
	storeyOf := make(map[string]int)
	for n, names := range storeys {
		for _, name := range names {
			storeyOf[name+".go"] = n
		}
	}
	declaredIn := make(map[string]string)
	var files []source
	for _, file := range sources(t) {
		if file.test || file.dir != "validator" {
			continue
		}
		if _, ok := storeyOf[path.Base(file.name)]; !ok {
			t.Errorf("%s is on no storey: it wants its name in storeys, in this test, as high as what it names", file.name)
		}
		files = append(files, file)
		for _, decl := range file.parsed.Decls {
			for _, name := range topLevel(decl) {
				declaredIn[name] = path.Base(file.name)
			}
		}
	}
	for _, file := range files {
		from := path.Base(file.name)
		for _, name := range fromElsewhere(t, file) {
			if to, ok := declaredIn[name]; ok && storeyOf[to] > storeyOf[from] {
				t.Errorf("%s names %s, which is above it in %s", file.name, name, to)
			}
		}
	}
}

// topLevel lists what a declaration declares, without methods.
func topLevel(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// fromElsewhere lists the names in a file that are declared outside it, names of fields
// in literals aside.
func fromElsewhere(t *testing.T, file source) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file.name), nil, 0) // which resolves what is local
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[*ast.Ident]bool)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if pair, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok {
				fields[key] = true
			}
		}
		return true
	})
	for _, ident := range parsed.Unresolved {
		if !fields[ident] {
			names = append(names, ident.Name)
		}
	}
	return names
}

// TestIssuertestSharesNothing with what it tests, in its own tests either: an
// error on both sides would cancel out.
func TestIssuertestSharesNothing(t *testing.T) {
	for _, file := range sources(t) {
		if !within(file.dir, "validator/issuertest") {
			continue
		}
		for _, imported := range file.imports {
			own, ours := strings.CutPrefix(imported, module+"/")
			if ours && own != "testdata" && own != "validator/issuertest" {
				t.Errorf("%s imports %s", file.name, own)
			}
		}
	}
}

// TestOneFileVerifiesWithJWX counts tests, too: they have the standard library
// and the fake issuer for a second opinion.
func TestOneFileVerifiesWithJWX(t *testing.T) {
	var users []string
	for _, file := range sources(t) {
		uses := slices.ContainsFunc(file.imports, func(imported string) bool { return within(imported, "github.com/lestrrat-go") })
		if uses && !within(file.dir, "validator/issuertest") {
			users = append(users, file.name)
		}
	}
	if len(users) != 1 || path.Dir(users[0]) != "internal/jws" {
		t.Errorf("jwx is imported by %q, wanted one file of internal/jws", users)
	}
}

func TestRootHoldsNoPackage(t *testing.T) {
	for _, file := range sources(t) {
		if file.dir == "." {
			t.Errorf("%s is in the root", file.name)
		}
	}
}

// TestBenchIsItsOwnModule spares users the peers that it measures.
func TestBenchIsItsOwnModule(t *testing.T) {
	if !isModule(filepath.Join(root, "bench")) {
		t.Error("bench has no go.mod")
	}
}

// TestDirectDependencies finds each required by name, and used where its job is.
func TestDirectDependencies(t *testing.T) {
	direct := directRequirements(t)
	files := sources(t)
	for dependency, job := range map[string]struct {
		dir  string // "" for anywhere
		test bool
	}{
		jwx:     {"internal/jws", false},
		keyfunc: {"jwks/keyfunc", false},
		echo:    {"adapters/echoauth", false},
		gin:     {"adapters/ginauth", false},
		cmp:     {"", true},
	} {
		if !slices.Contains(direct, dependency) {
			t.Errorf("go.mod does not require %s directly: %q", dependency, direct)
		}
		if !slices.ContainsFunc(files, func(file source) bool {
			return (file.dir == job.dir || job.dir == "") && file.test == job.test &&
				slices.ContainsFunc(file.imports, func(imported string) bool { return within(imported, dependency) })
		}) {
			t.Errorf("%s is not imported in %q", dependency, job.dir)
		}
	}
}

// TestKeyfuncIsForItsCallersAlone: whoever does not import jwks/keyfunc links
// neither what it is made of.
func TestKeyfuncIsForItsCallersAlone(t *testing.T) {
	packages := make(map[string][]string)
	for _, file := range sources(t) {
		if !file.test {
			packages[file.dir] = append(packages[file.dir], file.imports...)
		}
	}
	callers := 0
	for dir := range packages {
		linked := make(map[string]bool)
		link(packages, dir, linked)
		heavy := slices.ContainsFunc(slices.Collect(maps.Keys(linked)), func(imported string) bool {
			return within(imported, keyfunc) || within(imported, golang)
		})
		switch asked := dir == "jwks/keyfunc" || linked[module+"/jwks/keyfunc"]; {
		case asked && heavy:
			callers++
		case asked || heavy:
			t.Errorf("%s imports jwks/keyfunc: %v, and links golang-jwt or MicahParks/keyfunc: %v", dir, asked, heavy)
		}
	}
	if callers == 0 {
		t.Error("no package links golang-jwt and MicahParks/keyfunc, so this test has found nothing")
	}
}

// link collects what a package of this module imports, and what that imports.
func link(packages map[string][]string, dir string, linked map[string]bool) {
	for _, imported := range packages[dir] {
		if own, ours := strings.CutPrefix(imported, module+"/"); !linked[imported] {
			linked[imported] = true
			if ours {
				link(packages, own, linked)
			}
		}
	}
}

// directRequirements lists the modules that go.mod requires without the comment
// "// indirect".
func directRequirements(t *testing.T) []string {
	t.Helper()
	file, err := os.Open(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var direct []string
	inside := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(strings.TrimPrefix(lines.Text(), "require "))
		switch {
		case len(fields) == 0:
		case fields[0] == "(":
			inside = true
		case fields[0] == ")":
			inside = false
		case strings.HasSuffix(lines.Text(), "// indirect"):
		case inside || strings.HasPrefix(lines.Text(), "require "):
			direct = append(direct, fields[0])
		}
	}
	return direct
}

// TestNoTestSleepsOrIsSkipped: in files with a synctest bubble, sleeping costs
// no time.
func TestNoTestSleepsOrIsSkipped(t *testing.T) {
	for _, file := range sources(t) {
		if !file.test {
			continue
		}
		bubble := slices.Contains(file.imports, "testing/synctest")
		ast.Inspect(file.parsed, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			of, _ := selector.X.(*ast.Ident)
			switch selector.Sel.Name {
			case "Skip", "Skipf", "SkipNow":
				t.Errorf("%s: a test that may be skipped", file.fset.Position(selector.Pos()))
			case "Sleep":
				if of != nil && of.Name == "time" && !bubble {
					t.Errorf("%s: a test that sleeps", file.fset.Position(selector.Pos()))
				}
			}
			return true
		})
	}
}
