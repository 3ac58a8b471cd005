package layout_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	rueidis   = "github.com/redis/rueidis"
	miniredis = "github.com/alicebob/miniredis/v2"
	otel      = "go.opentelemetry.io/otel"
	cobra     = "github.com/spf13/cobra"
	pflag     = "github.com/spf13/pflag"
	yaml      = "go.yaml.in/yaml/v3"
	mcpsdk    = "github.com/modelcontextprotocol/go-sdk"
	echov5    = "github.com/labstack/echo/v5"
	connect   = "connectrpc.com/connect"
	grpc      = "google.golang.org/grpc"
	protobuf  = "google.golang.org/protobuf"
	errdetail = "google.golang.org/genproto/googleapis/rpc/errdetails"
)

// nested are the modules in the tree that users download apart, and what their packages
// may import beside the standard library and observe. bench is nobody's to download.
var nested = map[string][]string{
	"adapters/mcpauth/example":              append(public(), "adapters/mcpauth", mcpsdk+"/mcp"),
	"adapters/mcpauth/internal":             append(public(), "adapters/mcpauth"),
	"adapters/mcpauth":                      {"adapters/httpauth", "validator", "scopes", strict, mcpsdk + "/auth", mcpsdk + "/mcp"},
	"adapters/connectauth":                  {"adapters/httpauth", "validator", "scopes", connect, protobuf, errdetail},
	"adapters/connectauth/connectguardtest": {"adapters/connectauth", "scopes", "validator/issuertest", protobuf, errdetail},
	"adapters/connectauth/example":          append(public(), "adapters/connectauth", connect, protobuf),
	"adapters/echov5auth":                   {"adapters/httpauth", "validator", "scopes", echov5},
	"adapters/echov5auth/example":           append(public(), "adapters/echov5auth", echov5, xsync),
	"adapters/grpcauth":                     {"adapters/httpauth", "adapters/httpauth/forwarded", "revocation", "validator", "scopes", grpc, protobuf, errdetail},
	"adapters/grpcauth/grpcguardtest":       {"adapters/grpcauth", "scopes", "validator/issuertest", grpc, errdetail},
	"adapters/grpcauth/example":             append(public(), "adapters/grpcauth", grpc, protobuf, errdetail),
	"cmd/m2mguard": {"fleet", "jwks", "introspection", "dpop", "revocation", "validator", "validator/providers", "scopes", "adapters/httpauth", "adapters/httpauth/forwarded", "telemetry", cobra, pflag, yaml, jwx, otter,
		"github.com/getkin/kin-openapi", "github.com/prometheus/client_golang", otel + "/exporters/prometheus", otel + "/sdk/metric", "golang.org/x/text/unicode/norm"},
	"examples/migrate": append(public(), echo, gin, keyfunc, golang, "github.com/MicahParks/keyfunc", "github.com/appleboy/gin-jwt/v2",
		"github.com/auth0/go-jwt-middleware/v2", "github.com/auth0/go-jwt-middleware/v3", "github.com/coreos/go-oidc/v3", "github.com/labstack/echo-jwt/v4"),
	"examples/recipes":      append(public(), chi, "github.com/gorilla/mux", "github.com/danielgtaylor/huma/v2", "github.com/getkin/kin-openapi", "github.com/oapi-codegen/runtime"),
	"fleet":                 {"revocation", "introspection", "dpop", rueidis},
	"fleet/internal":        append(public(), "fleet"),
	"fleet/example":         append(public(), "fleet", miniredis),
	"fleet/example/goredis": {"fleet", "github.com/redis/go-redis/v9"},
	"telemetry":             {"introspection", "revocation", "validator", otel + "/attribute", otel + "/codes", otel + "/metric", otel + "/trace"},
	"telemetry/example":     append(public(), "telemetry", otel, "github.com/prometheus/client_golang"),
}

// TestNestedModules: each is tied to the root by its version alone, is built in the tree
// through go.work, and uses no internal package of the root outside its tests.
func TestNestedModules(t *testing.T) {
	for room, allowed := range nested {
		checkNested(t, room, allowed)
		dir := filepath.Join(root, room)
		if !isModule(dir) && strings.Contains(room, "/") {
			continue // a folder of one, with a row of its own
		}
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Error(err)
			continue
		}
		text := string(mod)
		if !strings.HasPrefix(text, "module "+module+"/"+room+"\n") || !regexp.MustCompile(`(?m)^\t`+regexp.QuoteMeta(module)+` v0\.1\.0$`).MatchString(text) {
			t.Errorf("%s/go.mod is of another module, or does not require the root at v0.1.0", room)
		}
		if regexp.MustCompile(`(?m)^replace\b`).MatchString(text) {
			t.Errorf("%s/go.mod holds a replace, with which nobody can install from it (golang/go#44840)", room)
		}
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err != nil {
			t.Error(err)
		}
	}
}

func hasRow(dir string) bool {
	room, err := filepath.Rel(root, dir)
	_, has := nested[filepath.ToSlash(room)]
	return err == nil && has
}

func checkNested(t *testing.T, room string, allowed []string) {
	t.Helper()
	dir := filepath.Join(root, room)
	files := 0
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && name != dir && (isModule(name) || hasRow(name)) {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if lines := fset.File(parsed.FileStart).LineCount(); lines > 350 {
			t.Errorf("%s has %d lines, wanted at most 350", name, lines)
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			own := strings.TrimPrefix(imported, module+"/")
			if thirdParty(imported) && own != "observe" && !within(own, room) && imported != otel && !slices.Contains(allowed, own) &&
				!slices.ContainsFunc(allowed, func(a string) bool { return thirdParty(a) && within(imported, a) }) {
				t.Errorf("%s imports %s, wanted some of %q, which nested has of %s; an example has a row of its own there", name, imported, allowed, room)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%s: %d files, %v", room, files, err)
	}
}

// TestRootIsLight: whoever needs none of the nested rooms downloads nothing for them.
func TestRootIsLight(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "all")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", out)
	for line := range strings.Lines(string(out)) {
		if regexp.MustCompile(`(?i)redis|rueidis|google\.golang\.org/grpc|opentelemetry`).MatchString(line) {
			t.Errorf("the root needs %s", line)
		}
	}
}
