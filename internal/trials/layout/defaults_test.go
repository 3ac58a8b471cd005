package layout_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDefaultsOfOperation: where docs/operations.md says a default, it is the code's.
func TestDefaultsOfOperation(t *testing.T) {
	page := pages(t)["docs/operations.md"]
	for _, d := range []struct{ file, constant, says string }{
		{"jwks/config.go", "defaultMaxStale", "known keys serve for `Keys.MaxStale`, %s |"},
		{"jwks/config.go", "defaultRefreshWait", "is waited for %s (`Keys.RefreshWait`)"},
		{"jwks/config.go", "defaultMinFetchInterval", "within `Keys.MinFetchInterval`, %s |"},
		{"jwks/config.go", "defaultRequestTimeout", "requests of `Keys.RequestTimeout` (%s)"},
		{"introspection/config.go", "defaultRequestTimeout", "for up to `RequestTimeout`, %s, then 503"},
		{"introspection/config.go", "defaultPositiveLifetime", "for what is left of %s (`StaleIfError`"},
		{"introspection/config.go", "defaultPositiveLifetime", "it passes for %s at most (`PositiveLifetime`)"},
		{"introspection/config.go", "defaultNegativeLifetime", "for `NegativeLifetime` (%s)"},
		{"introspection/config.go", "defaultMaxConcurrent", "| `MaxConcurrent` | %s |"},
		{"introspection/config.go", "defaultMaxWaiting", "| `MaxWaiting` | %s |"},
		{"introspection/config.go", "defaultMaxWait", "| `MaxWait` | %s |"},
		{"revocation/config.go", "DefaultStaleAfter", "for `StaleAfter`, %s:"},
	} {
		if want := fmt.Sprintf(d.says, constant(t, d.file, d.constant)); !strings.Contains(strings.Join(strings.Fields(page), " "), want) {
			t.Errorf("docs/operations.md does not say %q, which is %s of %s", want, d.constant, d.file)
		}
	}
}

// constant is a number or a time of a file, as pages write it.
func constant(t *testing.T, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t` + name + ` += (?:([0-9_]+)(?: \* )?)?(?:time\.(Second|Hour))?(?: //.*)?$`).FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("%s has no constant %s, or one of another form", file, name)
	}
	n, unit := 1, map[string]string{"Second": " s", "Hour": " h"}[found[2]]
	if found[1] != "" {
		if n, err = strconv.Atoi(strings.ReplaceAll(found[1], "_", "")); err != nil {
			t.Fatal(err)
		}
	}
	if n >= 1000 {
		return fmt.Sprintf("%d,%03d%s", n/1000, n%1000, unit)
	}
	return strconv.Itoa(n) + unit
}
