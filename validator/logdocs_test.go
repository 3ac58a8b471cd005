package validator_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
)

// TestEachLineIsDocumented: docs/operations.md has each kind of event with the level
// that it is written at.
func TestEachLineIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../observe/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.ValueSpec)
		if !ok || len(c.Values) != 1 {
			return true
		}
		if of, ok := c.Type.(*ast.Ident); !ok || of.Name != "Kind" {
			return true
		}
		kind, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		kinds++
		lineIsDocumented(t, string(page), &observe.Event{Kind: observe.Kind(kind)})
		switch observe.Kind(kind) {
		case observe.KeySetChanged, observe.KeySkipped: // those that may be
			lineIsDocumented(t, string(page), &observe.Event{Kind: observe.Kind(kind), Routine: true})
		}
		return true
	})
	if kinds < 20 {
		t.Errorf("%d kinds", kinds)
	}
}

// lineIsDocumented fails unless the page has a row with e's line at the level that it has.
func lineIsDocumented(t *testing.T, page string, e *observe.Event) {
	t.Helper()
	kind := string(e.Kind)
	if !strings.HasSuffix(kind, "recovered") {
		e.Err = errors.New("what was wrong")
	}
	var written bytes.Buffer
	log := validator.LogEvents(slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.Event(t.Context(), e)
	_, level, found := strings.Cut(written.String(), "level=")
	if level, _, _ = strings.Cut(level, " "); !found {
		if e.Kind != observe.Accepted {
			t.Errorf("%s is not written", kind)
		}
		return
	}
	for row := range strings.Lines(page) {
		cells := strings.Split(row, "|")
		if len(cells) > 3 && strings.EqualFold(strings.TrimSpace(cells[1]), level) && strings.Contains(cells[2], "`"+kind+"`") {
			return
		}
	}
	t.Errorf("docs/operations.md does not say that %q is written at %s (routine: %v)", kind, level, e.Routine)
}
