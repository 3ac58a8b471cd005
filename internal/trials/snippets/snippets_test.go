package snippets_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	module = "github.com/m2mguard/m2mguard"
)

// runs are the pages whose snippets stand in code that runs, which other tests hold
// (TestShownIsRun, TestRecipes, TestMigrate and TestPerformancePage in examples): more than
// compiling.
var runs = []string{"README.md", "docs/use.md", "docs/testing.md", "docs/recipes.md", "docs/migrate.md", "docs/performance.md"}

// given is what snippets may name without a declaration, since a page has said before
// what it is.
var given = map[string]string{
	"api": "http.Handler", "auth": "*httpauth.Middleware",
	"cfg": "validator.Config", "credentials": "introspection.ClientAuth", "ctx": "context.Context", "current": "[]byte",
	"iss": "validator.Issuer", "issuer": "validator.Issuer", "issuers": "[]validator.Issuer", "jwksJSON": "[]byte",
	"listOrders": "func(http.ResponseWriter, *http.Request)", "mux": "*http.ServeMux", "previous": "[]byte", "shared": "*fleet.Fleet",
	"t": "*testing.T", "token": "string", "v": "*validator.Validator",
}

// givenHere is the same for one page.
var givenHere = map[string]map[string]string{
	"docs/bound.md":            {"iss": "*issuertest.Issuer", "key": "crypto.Signer"},
	"docs/connect.md":          {"auth": "*connectauth.Auth", "newServer": "func(issuer, audience string) (*validator.Validator, http.Handler)", "rules": "connectauth.Rules", "services": "[]protoreflect.ServiceDescriptor"},
	"docs/fleet.md":            {"key": "[]byte", "issuer": "string", "jti": "string", "exp": "time.Time"},
	"docs/fleet-answers.md":    {"secrets": "func() [][]byte"},
	"docs/gateway.md":          {"r": "*http.Request"},
	"docs/grpc.md":             {"auth": "*grpcauth.Auth", "newServer": "func(issuer, audience string) (*validator.Validator, *grpc.Server)", "rules": "grpcauth.Rules"},
	"docs/mcp.md":              {"newServer": "func() *mcp.Server", "rules": "mcpauth.Rules"},
	"docs/operate.md":          {"meterProvider": "metric.MeterProvider", "tracerProvider": "trace.TracerProvider"},
	"docs/routes.md":           {"createRefund": "func(http.ResponseWriter, *http.Request)", "newAPI": "func(issuer, audience string) (*validator.Validator, *httpauth.Middleware, *http.ServeMux)", "owner": "func(id string) string", "sameTenant": "func(context.Context, *validator.Token) error"},
	"docs/issuers/hydra.md":    {"auth": "introspection.ClientAuth"},
	"docs/issuers/okta-org.md": {"auth": "introspection.ClientAuth"},
}

// foreign are the packages of others that snippets may name; those of this project go
// by their folders.
var foreign = map[string]string{
	"context": "context", "crypto": "crypto", "errors": "errors", "fmt": "fmt", "http": "net/http", "httptest": "net/http/httptest",
	"log": "log", "maps": "maps", "netip": "net/netip", "os": "os", "slog": "log/slog", "testing": "testing", "time": "time", "tls": "crypto/tls",
	"connect": "connectrpc.com/connect", "protoreflect": "google.golang.org/protobuf/reflect/protoreflect",
	"grpc": "google.golang.org/grpc", "protoregistry": "google.golang.org/protobuf/reflect/protoregistry",
	"mcp":    "github.com/modelcontextprotocol/go-sdk/mcp",
	"metric": "go.opentelemetry.io/otel/metric", "trace": "go.opentelemetry.io/otel/trace",
}

// snippet is one of Go, after the mark, with a reason, that one needs which does not
// compile.
var snippet = regexp.MustCompile("(?m)(^<!-- not compiled: [^\n]+ -->\n)?^```go\n((?s:.*?))^```$")

// fragment is a snippet as a file of its own.
type fragment struct {
	page    string
	number  int // of the snippet in its page, from 1
	code    string
	imports []string
}

// TestSnippetsCompile checks the types in all that the pages show in Go.
func TestSnippetsCompile(t *testing.T) {
	own := packages(t)
	var all []fragment
	for page, text := range pages(t) {
		if slices.Contains(runs, page) {
			continue
		}
		for i, m := range snippet.FindAllStringSubmatch(text, -1) {
			if m[1] != "" {
				continue
			}
			f, err := complete(page, m[2], own)
			if err != nil {
				t.Errorf("%s, snippet %d: %v", page, i+1, err)
				continue
			}
			f.page, f.number = page, i+1
			all = append(all, f)
		}
	}
	if len(all) < 45 {
		t.Errorf("%d snippets, so this test has found nothing", len(all))
	}
	look := exports(t, all)
	for _, f := range all {
		for _, err := range f.check(look) {
			t.Errorf("%s, snippet %d: %v", f.page, f.number, err)
		}
	}
}

// complete makes a file of a snippet, of declarations or of statements: what is left out
// between them, "…" on a line of its own, is nothing.
func complete(page, text string, own map[string]string) (fragment, error) {
	text = regexp.MustCompile(`(?m)^\s*…$`).ReplaceAllString(text, "")
	file, err := parse("package p\n" + text)
	if err != nil {
		text = "func _() error {\n" + text + "\nreturn nil\n}"
		if file, err = parse("package p\n" + text); err != nil {
			return fragment{}, err
		}
	}
	variables, imports := "", make(map[string]bool)
	missing := names(file)
	for len(missing) > 0 {
		name := missing[0]
		missing = missing[1:]
		kind, known := givenHere[page][name]
		if !known {
			kind, known = given[name]
		}
		if known && !strings.Contains(variables, "var "+name+" ") {
			declared, err := parse("package p\nvar " + name + " " + kind)
			if err != nil {
				return fragment{}, err
			}
			variables += "\nvar " + name + " " + kind
			missing = append(missing, names(declared)...)
		} else if imported := cmp.Or(foreign[name], own[name]); !known && imported != "" {
			if strings.Contains(imported, " or ") {
				return fragment{}, fmt.Errorf("%s is %s", name, imported)
			}
			imports[imported] = true
		}
	}
	f := fragment{imports: slices.Sorted(maps.Keys(imports))}
	f.code = "package p\n"
	for _, imported := range f.imports {
		f.code += fmt.Sprintf("import %q\n", imported)
	}
	f.code += text + variables + "\n"
	return f, nil
}

func parse(code string) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), "snippet", code, 0) // which resolves what is local
}

// names are what a file uses and does not declare.
func names(file *ast.File) (found []string) {
	for _, ident := range file.Unresolved {
		if !slices.Contains(found, ident.Name) {
			found = append(found, ident.Name)
		}
	}
	return found
}

// check is what a compiler has against a snippet, apart from what it does not use.
func (f fragment) check(look func(string) (io.ReadCloser, error)) (faults []error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "snippet", f.code, 0)
	if err != nil {
		return []error{err}
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", look), Error: func(err error) {
		if fault, ok := err.(types.Error); !ok || !fault.Soft {
			faults = append(faults, err)
		}
	}}
	_, _ = config.Check("p", fset, []*ast.File{file}, nil) // which hands its errors to Error
	return faults
}

// pages are the Markdown files of the tree, by their paths from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	walk(t, func(name string, entry fs.DirEntry) error {
		if filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		found[name] = string(text)
		return err
	})
	return found
}

// packages are those of this project that others may import, nested modules' too, by
// their names.
func packages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	walk(t, func(name string, entry fs.DirEntry) error {
		dir := path.Dir(name)
		hidden := strings.HasPrefix(dir, "examples") || strings.HasPrefix(dir, "cmd") || strings.Contains(dir+"/", "internal/") || strings.HasPrefix(dir, "bench")
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || hidden || found[path.Base(dir)] == module+"/"+dir {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.PackageClauseOnly)
		if err != nil || file.Name.Name != path.Base(dir) {
			return err
		}
		if other := found[file.Name.Name]; other != "" && !strings.Contains(other+" ", module+"/"+dir+" ") {
			dir = other[len(module)+1:] + " or " + module + "/" + dir // which matters to a snippet that names it
		} else if other != "" {
			return nil
		}
		found[file.Name.Name] = module + "/" + dir
		return nil
	})
	return found
}

// walk visits the files of the tree, by their paths from the root.
func walk(t *testing.T, visit func(string, fs.DirEntry) error) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		local, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(local), entry)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// exports finds what packages export, in what the go command compiles. Each snippet's
// are listed in the module whose package it names: a nested one has dependencies that the
// root has not.
func exports(t *testing.T, all []fragment) (look func(string) (io.ReadCloser, error)) {
	t.Helper()
	wanted := make(map[string]map[string]bool) // by folder of the module
	for _, f := range all {
		at := root
		for _, imported := range f.imports {
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				if dir := moduleOf(own); dir != root {
					at = dir
				}
			}
		}
		for _, imported := range f.imports {
			dir := at
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				dir = moduleOf(own)
			}
			if wanted[dir] == nil {
				wanted[dir] = make(map[string]bool)
			}
			wanted[dir][imported] = true
		}
	}
	compiled := make(map[string]string)
	for dir, imports := range wanted {
		args := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, slices.Sorted(maps.Keys(imports))...)
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list in %s: %v", dir, err)
		}
		for line := range strings.Lines(string(out)) {
			if imported, file, _ := strings.Cut(strings.TrimSpace(line), " "); dir == root || compiled[imported] == "" {
				compiled[imported] = file
			}
		}
	}
	return func(imported string) (io.ReadCloser, error) { return os.Open(compiled[imported]) }
}

// moduleOf is the folder of the module that a package is in.
func moduleOf(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return filepath.Join(root, dir)
		}
	}
	return root
}

// TestWrongSnippets: what a page can be wrong by is noticed.
func TestWrongSnippets(t *testing.T) {
	own := packages(t)
	for text, want := range map[string]string{
		"v, err := validator.New(validator.Config{})\n…\ndefer v.Close()": "",
		"func f() { v.Close() }":                 "",
		"v.Open()":                               "v.Open undefined",
		"issuer := validator.Issuer{Url: \"x\"}": "unknown field Url",
		"auth.Require(\"orders:read\")":          "cannot use",
		"validator.NewOne()":                     "undefined: validator.NewOne",
		"elsewhere.New()":                        "undefined: elsewhere",
		"issuer.URL = \"https://id.example.com":  "string literal not terminated",
	} {
		f, err := complete("docs/x.md", text, own)
		var faults []error
		if err == nil {
			faults = f.check(exports(t, []fragment{f}))
		} else {
			faults = []error{err}
		}
		if said := fmt.Sprint(faults); !strings.Contains(said, want) || (want == "") != (len(faults) == 0) {
			t.Errorf("%q: %s, wanted %q", text, said, want)
		}
	}
	found := snippet.FindAllStringSubmatch("<!-- not compiled: it is half of a sentence -->\n```go\nif\n```\n\n```go\nx\n```\n<!-- not compiled: -->\n```go\ny\n```\n", -1)
	if len(found) != 3 || found[0][1] == "" || found[1][1] != "" || found[2][1] != "" {
		t.Errorf("%q", found)
	}
}
