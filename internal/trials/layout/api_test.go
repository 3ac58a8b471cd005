package layout_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/printer"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the exported API into api/")

// TestAPI compares what each package of this module exports with its page in api/,
// so that a change of it is seen in a diff, and meant:
//
//	go test ./internal/trials/layout -run API -update
func TestAPI(t *testing.T) {
	pages := filepath.Join(root, "api")
	wanted := readPages(t, pages)
	got := make(map[string]string)
	for dir, lines := range exported(t) {
		got[dir+".txt"] = strings.Join(lines, "\n") + "\n"
	}
	if *update {
		writePages(t, pages, wanted, got)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if diff := gocmp.Diff(strings.Split(wanted[name], "\n"), strings.Split(got[name], "\n")); diff != "" {
			t.Errorf("api/%s is not what the package exports; if that is meant: go test ./internal/trials/layout -run API -update (-api +package):\n%s", name, diff)
		}
		delete(wanted, name)
	}
	for name := range wanted {
		t.Errorf("api/%s is the page of no package", name)
	}
}

// TestPublicIsComplete: examples and nested modules may import each package that has a
// page.
func TestPublicIsComplete(t *testing.T) {
	for dir := range exported(t) {
		if !slices.Contains(public(), dir) && !strings.Contains(dir, "/internal") {
			t.Errorf("public(), in layout_test.go, does not name %s", dir)
		}
	}
}

func readPages(t *testing.T, dir string) map[string]string {
	t.Helper()
	pages := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		local, err := filepath.Rel(dir, name)
		pages[filepath.ToSlash(local)] = string(text)
		return err
	})
	if err != nil && !*update {
		t.Fatal(err)
	}
	return pages
}

func writePages(t *testing.T, dir string, before, after map[string]string) {
	t.Helper()
	for name := range before {
		if _, stays := after[name]; !stays {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range after {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// exported lists what each package exports that a user may import, sorted, one
// name a line.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	packages := make(map[string][]string)
	for _, file := range sources(t) {
		closed := within(file.dir, "internal") || strings.Contains(file.dir, "/internal") || strings.Contains(file.dir, "testdata/") || within(file.dir, "interop")
		if file.test || closed || file.parsed.Name.Name == "main" {
			continue
		}
		for _, decl := range file.parsed.Decls {
			packages[file.dir] = append(packages[file.dir], exportedBy(t, decl)...)
		}
	}
	for dir := range packages {
		slices.Sort(packages[dir])
		packages[dir] = slices.Compact(packages[dir]) // files for different build tags may declare the same
	}
	return packages
}

func exportedBy(t *testing.T, decl ast.Decl) (lines []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		switch {
		case !d.Name.IsExported():
		case d.Recv == nil:
			lines = append(lines, "func "+d.Name.Name+signature(t, d.Type))
		case ast.IsExported(receiver(d.Recv.List[0].Type)):
			lines = append(lines, "method ("+text(t, d.Recv.List[0].Type)+") "+d.Name.Name+signature(t, d.Type))
		}
	case *ast.GenDecl:
		var typ ast.Expr // of the constant before, which one without a value repeats
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					lines = append(lines, exportedType(t, s)...)
				}
			case *ast.ValueSpec:
				if s.Type != nil || len(s.Values) > 0 {
					typ = s.Type
				}
				lines = append(lines, exportedValues(t, d.Tok, s, typ)...)
			}
		}
	}
	return lines
}

// exportedValues has the values of constants, which are part of what is promised,
// and not those of variables.
func exportedValues(t *testing.T, tok token.Token, s *ast.ValueSpec, typ ast.Expr) (lines []string) {
	for i, name := range s.Names {
		if !name.IsExported() {
			continue
		}
		line := tok.String() + " " + name.Name
		if typ != nil {
			line += " " + text(t, typ)
		}
		if tok == token.CONST && i < len(s.Values) {
			line += " = " + text(t, s.Values[i])
		}
		lines = append(lines, line)
	}
	return lines
}

func exportedType(t *testing.T, s *ast.TypeSpec) []string {
	head := "type " + s.Name.Name
	if s.TypeParams != nil {
		var params []string
		for _, p := range s.TypeParams.List {
			for _, name := range p.Names {
				params = append(params, name.Name+" "+text(t, p.Type))
			}
		}
		head += "[" + strings.Join(params, ", ") + "]"
	}
	var kind, member string
	var members *ast.FieldList
	switch u := s.Type.(type) {
	case *ast.StructType:
		kind, member, members = " struct", ", field ", u.Fields
	case *ast.InterfaceType:
		kind, member, members = " interface", ", method ", u.Methods
	default:
		if s.Assign.IsValid() {
			head += " ="
		}
		return []string{head + " " + text(t, s.Type)}
	}
	lines := []string{head + kind}
	for _, f := range members.List {
		if len(f.Names) == 0 && ast.IsExported(receiver(f.Type)) {
			lines = append(lines, head+kind+", embedded "+text(t, f.Type))
		}
		for _, name := range f.Names {
			if !name.IsExported() {
				continue
			}
			line := head + kind + member + name.Name
			if method, ok := f.Type.(*ast.FuncType); ok && members == methodsOf(s.Type) {
				line += signature(t, method)
			} else {
				line += " " + text(t, f.Type)
			}
			if f.Tag != nil {
				line += " " + f.Tag.Value
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func methodsOf(typ ast.Expr) *ast.FieldList {
	if i, ok := typ.(*ast.InterfaceType); ok {
		return i.Methods
	}
	return nil
}

// receiver is the name of the type that a method or an embedded field is of.
func receiver(typ ast.Expr) string {
	switch x := typ.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.Ident:
		return x.Name
	}
	return ""
}

func signature(t *testing.T, f *ast.FuncType) string {
	return strings.TrimPrefix(text(t, f), "func")
}

// text is a piece of code on one line.
func text(t *testing.T, node ast.Node) string {
	t.Helper()
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), node); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestValidatorStaysSmall: what a user of validator must look through to find
// something.
func TestValidatorStaysSmall(t *testing.T) {
	const mostNames, mostMethods = 45, 18
	var names, methods []string
	for _, line := range exported(t)["validator"] {
		switch {
		case strings.HasPrefix(line, "method (*Validator) "):
			methods = append(methods, line)
		case strings.HasPrefix(line, "method "), strings.Contains(line, ", field "), strings.Contains(line, ", method "), strings.Contains(line, ", embedded "):
		case strings.HasPrefix(line, "const Check"):
		default:
			names = append(names, line)
		}
	}
	if len(names) > mostNames {
		t.Errorf("validator exports %d names beside its checks, wanted at most %d:\n%s", len(names), mostNames, strings.Join(names, "\n"))
	}
	if len(methods) > mostMethods {
		t.Errorf("a Validator has %d methods, wanted at most %d:\n%s", len(methods), mostMethods, strings.Join(methods, "\n"))
	}
	t.Logf("%d names, %d methods", len(names), len(methods))
}
