package mcpauth

import (
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/m2mguard/m2mguard/scopes"
)

// template is a rule of Resources for more than one URI.
type template struct {
	of    *regexp.Regexp // the URIs as they are written
	plain *regexp.Regexp // and as a server may read them: of these it says yes to more
	rule  scopes.Rule
}

// placeholder is {name} or {+name} of RFC 6570.
var placeholder = regexp.MustCompile(`\{\+?[A-Za-z0-9_.]+\}`)

func compileTemplate(uri string) (t template, err error) {
	if strings.ContainsAny(placeholder.ReplaceAllString(uri, ""), "{}") {
		return t, errors.New("is a template that is not understood, wanted {name} or {+name} in it")
	}
	var of, plain strings.Builder
	at := 0
	literal := func(text string) {
		of.WriteString(regexp.QuoteMeta(text))
		plain.WriteString(regexp.QuoteMeta(unescaped(text)))
	}
	for _, found := range placeholder.FindAllStringIndex(uri, -1) {
		literal(uri[at:found[0]])
		if uri[found[0]+1] == '+' {
			of.WriteString(`([^\\{}\s]+)`)
			plain.WriteString(`.+`)
		} else {
			of.WriteString(`([^/?#\\{}\s]+)`)
			plain.WriteString(`[^/]+`)
		}
		at = found[1]
	}
	literal(uri[at:])
	if t.of, err = regexp.Compile(`^` + of.String() + `$`); err != nil {
		return t, err
	}
	t.plain, err = regexp.Compile(`(?s)^` + plain.String() + `$`)
	return t, err
}

// unescaped is a URI without its escapes; one that has none that can be undone is as it was.
func unescaped(uri string) string {
	if plain, err := url.PathUnescape(uri); err == nil {
		return plain
	}
	return uri
}

// longestURI is how long the URI of a resource may be to match a template, in bytes.
const longestURI = 8 << 10

// matches reports whether uri is one of t's, in the one way that each reader takes it.
func (t *template) matches(uri string) bool {
	if len(uri) > longestURI {
		return false
	}
	at := t.of.FindStringSubmatchIndex(uri)
	if at == nil {
		return false
	}
	for n := 2; n < len(at); n += 2 {
		if value := uri[at[n]:at[n+1]]; needlessEscape(value) || leaves(value) || emptySegment(uri, at[n], at[n+1]) {
			return false
		}
	}
	return true
}

// needlessEscape reports whether a value has an escape that makes it another spelling of a
// value without (RFC 3986 §6.2.2.2), of what ends a segment for some readers, of a control
// character, or of nothing.
func needlessEscape(value string) bool {
	for n := 0; n < len(value); n++ {
		if value[n] != '%' {
			continue
		}
		if n+2 >= len(value) {
			return true
		}
		c, err := strconv.ParseUint(value[n+1:n+3], 16, 8)
		if err != nil || c < ' ' || c == 0x7f || c < 0x80 && (isUnreserved(byte(c)) || c == '/' || c == '\\') {
			return true
		}
	}
	return false
}

// isUnreserved is of RFC 3986 §2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// leaves reports whether a value has a segment that leads elsewhere.
func leaves(value string) bool {
	for segment := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '/' || r == '?' || r == '#' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// emptySegment reports whether a slash between from and to has nothing beside it in the
// path, which cleaning takes away. The two of an authority are none of the path's.
func emptySegment(uri string, from, to int) bool {
	begin, end := 0, len(uri)
	if n := strings.Index(uri, "://"); n >= 0 {
		begin = n + len("://")
	}
	if n := strings.IndexAny(uri, "?#"); n >= 0 {
		end = n
	}
	for n := from; n < min(to, end); n++ {
		if uri[n] == '/' && (n > begin && uri[n-1] == '/' || n+1 == end || uri[n+1] == '/') {
			return true
		}
	}
	return false
}

// exact are the rules of whole URIs, by what a server may read them as.
func (r *Rules) exact() map[string][]scopes.Rule {
	exact := make(map[string][]scopes.Rule)
	for _, uri := range slices.Sorted(maps.Keys(r.Resources)) {
		exact[unescaped(uri)] = append(exact[unescaped(uri)], r.Resources[uri])
	}
	return exact
}

// rulesFor are the rules of one thing that a message names; nil lets nobody in.
func (m *Middleware) rulesFor(t target) (rules []scopes.Rule) {
	if rule, has := m.rules.of(t.kind)[t.name]; has {
		return []scopes.Rule{rule}
	}
	if t.kind != resource {
		return nil
	}
	whole, bare := unescaped(t.name), t.name
	if n := strings.IndexAny(bare, "?#"); n >= 0 {
		bare = bare[:n]
	}
	bare = unescaped(bare)
	found := false
	for n := range m.templates {
		one := &m.templates[n]
		switch {
		case one.matches(t.name):
			found = true
		case !one.plain.MatchString(whole) && (bare == whole || !one.plain.MatchString(bare)):
			continue
		}
		rules = append(rules, one.rule)
	}
	if !found {
		return nil
	}
	rules = append(rules, m.exact[whole]...)
	if bare != whole {
		rules = append(rules, m.exact[bare]...)
	}
	return rules
}
