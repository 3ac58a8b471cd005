package guardtest

import (
	"net/http"
	"path"
	"reflect"
	"regexp"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
)

// routes are what a router lists.
type routes struct {
	patterns []string            // as Want has them
	methods  map[string][]string // by path, each method that has a handler
	// kind is whether each router is an http.ServeMux or has a list.
	kind bool
	// nested is whether some are in a router of chi's below another one, or in one
	// that Echo has for a host: what the middleware remembers lacks the prefix.
	nested bool
	// fallbacks are the paths for which Echo has a handler of its own for what no
	// route takes.
	fallbacks []string
	// behind are routes of Gin's whose last handler is the gate.
	behind []string
	// slashed are the paths of routes at the root of a router of chi's below another
	// one: chi takes them with the slash at their end and without.
	slashed map[string]bool
}

// listedIn lists the routes of routers of Echo, Gin or chi, each by its method and
// path. They are told by the forms of their lists, so that this package needs none
// of them.
func listedIn(routers []any) *routes {
	all := &routes{methods: make(map[string][]string), slashed: make(map[string]bool), kind: true}
	for _, router := range routers {
		all.kind = all.readAll(reflect.ValueOf(router)) && all.kind
	}
	return all
}

// readAll reads a router, and those that Echo has for hosts. It reports whether the
// router is of a known kind.
func (all *routes) readAll(router reflect.Value) bool {
	if !router.IsValid() {
		return false
	}
	if hosts := resultOf(router, "Routers", reflect.Map); hosts.IsValid() && hosts.Type().Key().Kind() == reflect.String {
		for host, below := range hosts.Seq2() {
			all.nested = true
			all.read(below, host.String())
		}
	}
	if own := resultOf(router, "Router", reflect.Interface); own.IsValid() && all.read(own.Elem(), "") { // Echo v5
		return true
	}
	_, mux := router.Interface().(*http.ServeMux)
	return all.read(router, "") || mux
}

// resultOf is what a router's method answers that takes nothing, or invalid.
func resultOf(router reflect.Value, method string, kind reflect.Kind) reflect.Value {
	list := router.MethodByName(method)
	if !list.IsValid() || list.Type().NumIn() != 0 || list.Type().NumOut() != 1 || list.Type().Out(0).Kind() != kind {
		return reflect.Value{}
	}
	return list.Call(nil)[0]
}

// notFound stands in Echo's lists for a method where a handler is for what no route
// takes.
const notFound = "echo_route_not_found"

// anyMethod stands in those of Echo v5 for all methods that no other route of the path
// has.
const anyMethod = "echo_route_any"

// ginauth is how the names of the functions of that package begin.
var ginauth = path.Dir(reflect.TypeFor[httpauth.Gate]().PkgPath()) + "/ginauth."

func (all *routes) read(router reflect.Value, prefix string) (known bool) {
	list := resultOf(router, "Routes", reflect.Slice)
	if !list.IsValid() {
		return false
	}
	for _, element := range list.Seq2() {
		route := reflect.Indirect(element)
		if route.Kind() != reflect.Struct {
			return false
		}
		if pattern := route.FieldByName("Pattern"); pattern.IsValid() { // chi
			whole := strings.ReplaceAll(prefix+pattern.String(), "/*/", "/")
			if below := route.FieldByName("SubRoutes"); below.IsValid() && !below.IsNil() {
				all.nested = true
				all.read(below.Elem(), whole)
				continue
			}
			if prefix != "" && pattern.String() == "/" {
				all.slashed[whole] = true
			}
			all.addHandlers(route.FieldByName("Handlers"), whole)
			continue
		}
		method, path := route.FieldByName("Method"), route.FieldByName("Path") // Echo and Gin
		if !method.IsValid() || !path.IsValid() {
			return false
		}
		all.add(method.String(), prefix+path.String())
		if handler := route.FieldByName("Handler"); handler.Kind() == reflect.String && strings.HasPrefix(handler.String(), ginauth) {
			all.behind = append(all.behind, method.String()+" "+path.String())
		}
	}
	return true
}

// add adds a route of Echo's or Gin's.
func (all *routes) add(method, path string) {
	if method == notFound {
		all.fallbacks = append(all.fallbacks, path)
		return
	}
	if method == anyMethod {
		all.patterns = append(all.patterns, path)
		all.methods[path] = append(all.methods[path], allMethods...)
		return
	}
	all.patterns = append(all.patterns, method+" "+path)
	all.methods[path] = append(all.methods[path], method)
}

// addHandlers adds a route of chi's, whose handlers are by method: one for all
// methods stands there as "*", and as each of them.
func (all *routes) addHandlers(handlers reflect.Value, path string) {
	if handlers.Kind() != reflect.Map {
		return
	}
	var patterns []string
	for _, key := range handlers.MapKeys() {
		if key.String() != "*" {
			patterns = append(patterns, key.String()+" "+path)
			all.methods[path] = append(all.methods[path], key.String())
		}
	}
	if handlers.MapIndex(reflect.ValueOf("*")).IsValid() {
		patterns = []string{path}
	}
	all.patterns = append(all.patterns, patterns...)
}

// of are the methods that have a handler at a path.
func (all *routes) of(path string) []string {
	if other := otherSlash(path); all.methods[path] == nil && all.slashed[other] {
		path = other
	}
	return all.methods[path]
}

// otherSlash is a path with a slash at its end, or without the one that it has.
func otherSlash(path string) string {
	if without, found := strings.CutSuffix(path, "/"); found {
		return without
	}
	return path + "/"
}

// cutMethod cuts "GET /orders" in two; the method may be missing.
func cutMethod(pattern string) (method, path string) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		return "", pattern
	}
	return method, strings.TrimLeft(path, " ")
}

// allMethods are the methods of RFC 9110 §9, and PATCH (RFC 5789).
var allMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace,
}

// parameter is a parameter of a path: {id}, {rest...}, {$} and {id:[0-9]+} for
// http.ServeMux and chi; :id and * for Echo and Gin, which begin a segment.
var parameter = regexp.MustCompile(`\{((?:[^{}]|\{[^{}]*\})*)\}|/:[^/]+|/?\*[^/]*$`)

// values are what parameters with regular expressions may take.
var values = []string{"guardtest", "1", "12", "2026", "a", "abc", "ABC", "2026-01-31", "8a3c2f60-5b1e-4c57-9a37-0d2f6c1be4aa", "guardtest-1", "1.2", "1.2.3"}

// noHost is where requests go for patterns without a host: a name of no API's (RFC
// 6761 §6.4).
const noHost = "guardtest.invalid"

// sample is a path that a pattern matches, after its host.
func sample(pattern string) (host, path string) {
	slash := max(strings.IndexByte(pattern, '/'), 0)
	host = pattern[:slash]
	path = parameter.ReplaceAllStringFunc(pattern[slash:], func(p string) string {
		switch {
		case p == "{$}":
			return ""
		case strings.HasPrefix(p, "{"):
			if _, expression, found := strings.Cut(p[1:len(p)-1], ":"); found {
				return fitting(expression)
			}
			return values[0]
		case strings.HasPrefix(p, "/"):
			return "/" + values[0]
		default:
			return values[0]
		}
	})
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if host == "" {
		host = noHost
	}
	return host, path
}

// fitting is a value for a parameter's regular expression.
func fitting(expression string) string {
	if compiled, err := regexp.Compile("^(?:" + expression + ")$"); err == nil {
		for _, value := range values {
			if compiled.MatchString(value) {
				return value
			}
		}
	}
	return values[0]
}
