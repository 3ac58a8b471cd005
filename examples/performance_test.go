package examples_test

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func BenchmarkGuarded(b *testing.B) {
	iss := issuertest.New(b)
	api := newAPI(b, iss.URL(), issuertest.Audience)
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
}

func Example_stats() {
	iss, v := start()
	defer iss.Close()
	defer v.Close()
	token := iss.Token(issuertest.Claims{})
	for range 10 {
		if _, err := v.Verify(context.Background(), token); err != nil {
			fmt.Println(err)
		}
	}

	s := v.Stats()
	fmt.Printf("%d of %d requests with a token seen before\n", s.Hits, s.Hits+s.Misses)
	fmt.Printf("%d of %d places in use, %d tokens wait\n", s.CacheEntries, s.CacheSize, s.VerifyWaiting)
	// Output:
	// 9 of 10 requests with a token seen before
	// 1 of 10000 places in use, 0 tokens wait
}

// TestPerformancePage: the snippets of docs/performance.md stand in this file, the
// benchmark runs, and the knobs and signs of its table are there to be turned and read.
func TestPerformancePage(t *testing.T) {
	page, source := read(t, "../docs/performance.md"), trimmed(read(t, "performance_test.go"))
	snippets := blocks(page, "go")
	for _, snippet := range snippets {
		if !strings.Contains(source, trimmed(snippet)) {
			t.Errorf("this snippet of docs/performance.md stands in no code that runs:\n%s", snippet)
		}
	}
	if err := flag.Set("test.benchtime", "2x"); err != nil {
		t.Fatal(err)
	}
	if r := testing.Benchmark(BenchmarkGuarded); len(snippets) != 2 || r.N != 2 {
		t.Errorf("%d snippets, of which the benchmark ran %d times", len(snippets), r.N)
	}

	fields := map[string][]string{
		"Config": fieldsOf(t, "../validator/config.go", "Config"), "Introspection": fieldsOf(t, "../introspection/config.go", "Config"),
		"Keys": fieldsOf(t, "../jwks/config.go", "Config"), "Stats": fieldsOf(t, "../validator/stats.go", "Stats"), "IssuerStats": fieldsOf(t, "../validator/stats.go", "IssuerStats"),
	}
	operate, alerts := read(t, "../docs/operate.md"), 0
	_, table, _ := strings.Cut(page, "## When to turn a knob")
	table, _, _ = strings.Cut(table, "\n## ")
	named := regexp.MustCompile("`(Config|Introspection|Keys|Stats|IssuerStats)\\.(\\w+)`").FindAllStringSubmatch(table, -1)
	for _, m := range named {
		if !strings.Contains(" "+strings.Join(fields[m[1]], " ")+" ", " "+m[2]+" ") {
			t.Errorf("docs/performance.md: there is no %s.%s", m[1], m[2])
		}
	}
	for _, m := range regexp.MustCompile("`(M2mguard\\w+|m2mguard\\.[a-z.]+)`").FindAllStringSubmatch(table, -1) {
		if alerts++; !strings.Contains(operate, m[1]) {
			t.Errorf("docs/performance.md: docs/operate.md does not know %s", m[1])
		}
	}
	if len(named) < 12 || alerts < 4 {
		t.Errorf("%d knobs and fields, %d metrics and alerts", len(named), alerts)
	}
}

// fieldsOf lists the fields of a struct.
func fieldsOf(t *testing.T, file, name string) (all []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				for _, n := range field.Names {
					all = append(all, n.Name)
				}
			}
		}
		return true
	})
	return all
}
