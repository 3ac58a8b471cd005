// Package routes makes documents of a list of routes: an OpenAPI fragment, and a page of
// who may do what.
package routes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Route is what httpauth.RouteInfo says of one, in JSON.
type Route struct {
	Pattern string     `json:"pattern"`
	Kind    string     `json:"kind"`
	Scopes  [][]string `json:"scopes"` // each list is enough; null lets nobody in
}

// maxList bounds a list, in bytes.
const maxList = 8 << 20

// Read reads a list of routes.
func Read(r io.Reader) ([]Route, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxList+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxList:
		return nil, fmt.Errorf("has more than %d bytes", maxList)
	}
	var all []Route
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		return nil, errors.New("is no list of routes, wanted what json.Marshal makes of auth.Routes()")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("goes on behind the list of routes, wanted one list alone")
	}
	var bad []string
	for n, route := range all {
		if _, path := route.parts(); !strings.HasPrefix(path, "/") {
			bad = append(bad, fmt.Sprint(n+1))
		}
	}
	if bad != nil {
		return nil, fmt.Errorf("has %d routes, and no path in the pattern of number %s: wanted a method and a path, such as GET /orders/{id}", len(all), strings.Join(bad, ", "))
	}
	if len(all) == 0 {
		return nil, errors.New("holds no route")
	}
	return all, nil
}

// parts are method and path; the method is empty for all of them.
func (r Route) parts() (method, path string) {
	method, path, found := strings.Cut(r.Pattern, " ")
	if !found {
		method, path = "", r.Pattern
	}
	path = strings.TrimSpace(path)
	if slash := strings.IndexByte(path, '/'); slash > 0 {
		path = path[slash:] // behind a host
	}
	return method, path
}

// has reports whether the route's kind is or includes a word.
func (r Route) has(word string) bool { return slices.Contains(strings.Split(r.Kind, ", "), word) }

// needs is who may use it, in words.
func (r Route) needs(join, or string) string {
	if r.Kind == Public {
		return "everybody"
	}
	if r.Scopes == nil {
		return "nobody"
	}
	var ways []string
	for _, set := range r.Scopes {
		if len(set) == 0 {
			return "any client"
		}
		var names []string
		for _, name := range set {
			names = append(names, "`"+name+"`")
		}
		ways = append(ways, strings.Join(names, join))
	}
	return strings.Join(ways, or)
}

// Public is the kind of a route that looks at no token.
const Public = "public"

// Markdown is a page of who may do what: by route, and by scope.
func Markdown(all []Route) string {
	var b strings.Builder
	b.WriteString("# Who may do what\n\n| method | path | needs | |\n|---|---|---|---|\n")
	byScope := make(map[string][]string)
	for _, r := range sorted(all) {
		method, path := r.parts()
		if method == "" {
			method = "any"
		}
		kind := r.Kind
		if kind == "required" || kind == Public {
			kind = ""
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", method, cell(path), cell(r.needs(" and ", " or ")), cell(kind))
		seen := make(map[string]bool)
		for _, set := range r.Scopes {
			for _, name := range set {
				if !seen[name] {
					seen[name] = true
					byScope[name] = append(byScope[name], fmt.Sprintf("%s `%s`", method, path))
				}
			}
		}
	}
	if len(byScope) > 0 {
		b.WriteString("\n| scope | is named by |\n|---|---|\n")
		var names []string
		for name := range byScope {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&b, "| `%s` | %s |\n", cell(name), cell(strings.Join(byScope[name], ", ")))
		}
	}
	return b.String()
}

// cell is a text in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// sorted is by path, then by method.
func sorted(all []Route) []Route {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Route) int {
		methodA, pathA := a.parts()
		methodB, pathB := b.parts()
		if n := strings.Compare(pathA, pathB); n != 0 {
			return n
		}
		return strings.Compare(methodA, methodB)
	})
	return all
}

// object is a JSON object, of which encoding/json sorts the names.
type object = map[string]any

// methods are those that a pattern without one stands for.
var methods = []string{"DELETE", "GET", "PATCH", "POST", "PUT"}

// scheme is what the fragment calls the way to authenticate.
const scheme = "m2mguard"

// OpenAPI is a fragment of an OpenAPI 3.1 document: the security of each operation, the
// scheme, and what is answered to a refused request. tokenURL is where clients get
// tokens; without one the scheme is HTTP bearer, whose requirements name scopes all the
// same, as 3.1 allows.
func OpenAPI(all []Route, tokenURL string) ([]byte, error) {
	paths, scopes, bound := object{}, object{}, false
	for _, r := range sorted(all) {
		method, path := r.parts()
		named := []string{method}
		if method == "" {
			named = methods
		}
		path = template(path)
		operations, _ := paths[path].(object)
		if operations == nil {
			operations = object{}
			paths[path] = operations
		}
		bound = bound || r.has("bound")
		for _, set := range r.Scopes {
			for _, name := range set {
				scopes[name] = ""
			}
		}
		for _, m := range named {
			if _, there := operations[strings.ToLower(m)]; there && method == "" {
				continue // the rule of the method itself wins
			}
			operations[strings.ToLower(m)] = r.operation()
		}
	}
	way := object{"type": "http", "scheme": "bearer"}
	if tokenURL != "" {
		way = object{"type": "oauth2", "flows": object{"clientCredentials": object{"tokenUrl": tokenURL, "scopes": scopes}}}
	}
	if bound {
		way["description"] = "Some operations take tokens that are bound to their sender alone (RFC 9449, RFC 8705)."
	}
	return json.MarshalIndent(object{
		"openapi": "3.1.0",
		"paths":   paths,
		"components": object{
			"securitySchemes": object{scheme: way},
			"responses":       responses,
		},
	}, "", "  ")
}

// operation is what the fragment says of a route.
func (r Route) operation() object {
	if r.Kind == Public {
		return object{"security": []any{}}
	}
	security := []any{}
	if r.has("optional") || r.has("report-only") {
		security = append(security, object{})
	}
	for _, set := range r.Scopes {
		if set == nil {
			set = []string{}
		}
		security = append(security, object{scheme: set})
	}
	answers := object{}
	for status, name := range map[string]string{"400": "BadCredentials", "401": "Unauthorized", "403": "Forbidden", "429": "TooManyRequests", "503": "Unavailable"} {
		answers[status] = object{"$ref": "#/components/responses/" + name}
	}
	o := object{"security": security, "responses": answers}
	if r.Scopes == nil {
		o["description"] = "Nobody may use this."
		o["security"] = []any{object{scheme: []string{}}}
	}
	return o
}

// responses are the answers to what is refused (RFC 6750 §3, RFC 9110 §10.2.3).
var responses = func() object {
	header := func(name, what string) object {
		return object{name: object{"description": what, "schema": object{"type": "string"}}}
	}
	body := object{"application/json": object{"schema": object{
		"type": "object", "required": []string{"error", "error_description"},
		"properties": object{"error": object{"type": "string"}, "error_description": object{"type": "string"}},
	}}}
	challenge := header("WWW-Authenticate", "RFC 6750 §3")
	return object{
		"BadCredentials":  object{"description": "The credentials are malformed or repeated.", "headers": challenge, "content": body},
		"Unauthorized":    object{"description": "There is no token, or it is not good.", "headers": challenge, "content": body},
		"Forbidden":       object{"description": "A scope is missing, or the API's own policy says no.", "headers": challenge, "content": body},
		"TooManyRequests": object{"description": "Too many new tokens of one caller.", "headers": header("Retry-After", "seconds"), "content": body},
		"Unavailable":     object{"description": "Whether the token is good cannot be told now.", "headers": header("Retry-After", "seconds"), "content": body},
	}
}()

// What routers call a parameter: {id}, {id...}, {id:[0-9]+} and {$}; :id; *path.
var (
	braces = regexp.MustCompile(`\{([^}:.$]+)(\.\.\.|:[^}]*)?\}`)
	colon  = regexp.MustCompile(`/[:*]([A-Za-z_][A-Za-z0-9_]*)`)
)

// template is a path as OpenAPI has it.
func template(path string) string {
	path = strings.ReplaceAll(path, "{$}", "")
	path = braces.ReplaceAllString(path, "{$1}")
	return colon.ReplaceAllString(path, "/{$1}")
}
