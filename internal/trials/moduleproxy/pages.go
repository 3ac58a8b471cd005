package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// page is a Markdown file that tells its readers what to get.
type page struct {
	name   string   // its path in the tree
	gets   []string // the arguments of its go get commands
	blocks []string // what it shows in Go
}

var (
	getCommand = regexp.MustCompile(`\bgo get (\S*[^\s.,;:)` + "`" + `])`)
	shownInGo  = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	qualified  = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.[A-Z]`)
)

// forAnAPI are the pages about something that an API gets in addition: their readers have
// followed README.
var forAnAPI = []string{"docs/fleet.md", "docs/operate.md"}

// readPages are the pages of the checkout that say go get.
func readPages(root string) (pages []page, err error) {
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && left(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		local, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if p := readPage(filepath.ToSlash(local), string(text)); len(p.gets) > 0 {
			pages = append(pages, p)
		}
		return nil
	})
	return pages, err
}

func readPage(name, text string) page {
	p := page{name: name}
	for _, m := range getCommand.FindAllStringSubmatch(text, -1) {
		p.gets = append(p.gets, m[1])
	}
	for _, m := range shownInGo.FindAllStringSubmatch(text, -1) {
		p.blocks = append(p.blocks, m[1])
	}
	return p
}

// wants are the packages that a reader of p imports: what it says to get, and what the
// Go that it shows names. known has the importable packages of the tree by their names.
func (p page) wants(known map[string]string) []string {
	wanted := make(map[string]bool)
	for _, get := range p.gets {
		name, _, _ := strings.Cut(get, "@")
		wanted[name] = true
	}
	for _, block := range p.blocks {
		for _, m := range qualified.FindAllStringSubmatch(block, -1) {
			if imported := known[m[1]]; imported != "" {
				wanted[imported] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(wanted))
}

// firstProgram is README's first block with what it says is the reader's own around it.
func (p page) firstProgram(known map[string]string) string {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n\n")
	for _, imported := range (page{blocks: p.blocks[:1]}).wants(known) {
		fmt.Fprintf(&b, "\t%q\n", imported)
	}
	b.WriteString(")\n\nfunc listOrders(http.ResponseWriter, *http.Request) {}\n\nfunc main() {\n\tmux := http.NewServeMux()\n")
	b.WriteString(p.blocks[0] + "}\n")
	return b.String()
}

// follow does what a page says in a module that is new: it gets what the page gets, with
// no go mod tidy, which no page asks for, and builds. Of README it is the six lines.
func (u *user) follow(ctx context.Context, p, readme page, known map[string]string) error {
	dir := filepath.Join(u.home, "follows", strings.ReplaceAll(p.name, "/", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var code string
	switch {
	case p.name != "README.md":
		code = importing(p.wants(known))
	case len(p.blocks) == 0:
		return fmt.Errorf("%s shows no Go", p.name)
	default:
		code = p.firstProgram(known)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(code), 0o644); err != nil {
		return err
	}
	commands := [][]string{{"mod", "init", "example.com/reader"}}
	gets := p.gets
	if slices.Contains(forAnAPI, p.name) {
		gets = slices.Concat(readme.gets, p.gets)
	}
	for _, get := range gets {
		commands = append(commands, []string{"get", get})
	}
	for _, args := range append(commands, []string{"build", "-o", os.DevNull, "."}) {
		if _, err := output(ctx, dir, u.env, args...); err != nil {
			return err
		}
	}
	fmt.Printf("followed %s: go get %s\n", p.name, strings.Join(gets, ", "))
	return nil
}

// importing is a program that does nothing with some packages.
func importing(packages []string) string {
	var code strings.Builder
	code.WriteString("package main\n\n")
	for _, name := range packages {
		fmt.Fprintf(&code, "import _ %q\n", name)
	}
	code.WriteString("\nfunc main() {}\n")
	return code.String()
}

// byName are packages by their folders' names, without those of examples.
func byName(packages []string) map[string]string {
	found := make(map[string]string)
	for _, imported := range packages {
		if !strings.Contains(imported, "/examples/") && !strings.Contains(imported, "/example/") {
			found[path.Base(imported)] = imported
		}
	}
	return found
}
