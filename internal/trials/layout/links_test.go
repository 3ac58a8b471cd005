package layout_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// pages are the Markdown files of the tree, those of nested modules too, by their paths
// from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "target"):
			return filepath.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		local, err := filepath.Rel(root, name)
		found[filepath.ToSlash(local)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	fenced  = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	inline  = regexp.MustCompile("`[^`\n]*`")
	linked  = regexp.MustCompile(`\]\(<?([^()\s>]+(?:\([^()\s]*\)[^()\s]*)*)>?(?:\s+"[^"]*")?\)|(?m:^\[[^\]]+\]:\s*(\S+))`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
)

// TestLinks: each relative link of a page leads to what is there, and to a heading that
// the page has.
func TestLinks(t *testing.T) {
	all, followed := pages(t), 0
	for page, text := range all {
		for _, m := range linked.FindAllStringSubmatch(inline.ReplaceAllString(fenced.ReplaceAllString(text, ""), ""), -1) {
			target := m[1] + m[2]
			if relative, err := follow(page, target, all); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if relative {
				followed++
			}
		}
	}
	if followed < 100 {
		t.Errorf("followed %d links in %d pages, so this test has found nothing", followed, len(all))
	}
}

// follow reports whether a link is a relative one, and what is wrong with it.
func follow(page, target string, all map[string]string) (relative bool, err error) {
	to, err := url.Parse(target)
	switch {
	case err != nil:
		return true, err
	case to.Scheme != "":
		return false, nil
	case to.Host != "" || strings.HasPrefix(to.Path, "/"):
		return true, fmt.Errorf("%s leads to a root that a reader does not have", target)
	}
	file := page
	if to.Path != "" {
		file = filepath.ToSlash(filepath.Join(filepath.Dir(page), to.Path))
	}
	if !filepath.IsLocal(file) {
		return true, fmt.Errorf("%s leads out of the tree", target)
	}
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		return true, fmt.Errorf("%s leads nowhere", target)
	}
	if text, isPage := all[file]; to.Fragment != "" && isPage && !anchors(text)[to.Fragment] {
		return true, fmt.Errorf("%s: there is no such heading", target)
	}
	return true, nil
}

// anchors are what the headings of a page are reached by: in small letters, with hyphens
// for spaces and without what is neither letter nor digit; a number tells equal ones apart.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		var name strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				name.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				name.WriteRune(r)
			}
		}
		anchor := name.String()
		for n := 1; found[anchor]; n++ {
			anchor = fmt.Sprintf("%s-%d", name.String(), n)
		}
		found[anchor] = true
	}
	return found
}

// TestFollow: what a link can be wrong by is noticed.
func TestFollow(t *testing.T) {
	all := map[string]string{"docs/recipes.md": "# Recipes\n## A `Bearer` token, twice!\n```\n# no heading\n```\n## Recipes\n"}
	for target, want := range map[string]string{
		"recipes.md": "", "#recipes-1": "", "recipes.md#a-bearer-token-twice": "", "../docs/recipes.md": "", "../docs": "", "https://example.com/x": "", "mailto:a@example.com": "",
		"recipe.md": "leads nowhere", "#no-heading": "no such heading", "recipes.md#recipes-2": "no such heading", "../../x": "out of the tree",
		"/docs/recipes.md": "does not have", "//example.com/": "does not have", "%zz": "invalid URL escape",
	} {
		_, err := follow("docs/recipes.md", target, all)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, wanted %q", target, err, want)
		}
	}
}
