package guardtest

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
)

// registeredIn lists the routes of a router of Echo, Gin or chi, each by its
// method and path. They are told by the forms of their lists, so that this
// package needs none of them. Nested: some are in a router below it.
func registeredIn(router any) (patterns []string, nested bool) {
	return listed(reflect.ValueOf(router), "")
}

func listed(router reflect.Value, prefix string) (patterns []string, nested bool) {
	if !router.IsValid() {
		return nil, false
	}
	list := router.MethodByName("Routes")
	if !list.IsValid() || list.Type().NumIn() != 0 || list.Type().NumOut() != 1 || list.Type().Out(0).Kind() != reflect.Slice {
		return nil, false
	}
	for _, element := range list.Call(nil)[0].Seq2() {
		route := reflect.Indirect(element)
		if route.Kind() != reflect.Struct {
			return nil, false
		}
		if pattern := route.FieldByName("Pattern"); pattern.IsValid() { // chi
			whole := strings.ReplaceAll(prefix+pattern.String(), "/*/", "/")
			if below := route.FieldByName("SubRoutes"); below.IsValid() && !below.IsNil() {
				more, _ := listed(below.Elem(), whole)
				patterns, nested = append(patterns, more...), true
				continue
			}
			patterns = append(patterns, methods(route.FieldByName("Handlers"), whole)...)
			continue
		}
		method, path := route.FieldByName("Method"), route.FieldByName("Path")                         // Echo and Gin
		if method.IsValid() && path.IsValid() && method.String() == strings.ToUpper(method.String()) { // others are Echo's own
			patterns = append(patterns, method.String()+" "+path.String())
		}
	}
	return patterns, nested
}

// methods are the patterns of a route of chi's, whose handlers are by method.
func methods(handlers reflect.Value, path string) (patterns []string) {
	if handlers.Kind() != reflect.Map {
		return nil
	}
	for _, key := range handlers.MapKeys() {
		if key.String() == "*" {
			return []string{path}
		}
		patterns = append(patterns, key.String()+" "+path)
	}
	return patterns
}

// cutMethod cuts "GET /orders" in two; the method may be missing.
func cutMethod(pattern string) (method, path string) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		return "", pattern
	}
	return method, strings.TrimLeft(path, " ")
}

// asked are the methods to ask a route with.
func asked(method string) []string {
	if method != "" {
		return []string{method}
	}
	return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// parameter is a parameter of a path: {id}, {rest...}, {$} and {id:[0-9]+} for
// http.ServeMux and chi; :id and * for Echo and Gin, which begin a segment.
var parameter = regexp.MustCompile(`\{((?:[^{}]|\{[^{}]*\})*)\}|/:[^/]+|/?\*[^/]*$`)

// values are what parameters with regular expressions may take.
var values = []string{"guardtest", "1", "12", "2026", "a", "abc", "ABC", "2026-01-31", "8a3c2f60-5b1e-4c57-9a37-0d2f6c1be4aa", "guardtest-1", "1.2", "1.2.3"}

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
	if host == "" {
		host = "example.com"
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
