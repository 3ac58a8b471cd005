package guardtest

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
)

// compareLists holds what is registered against what is listed.
func (r *run) compareLists() {
	r.Helper()
	nothing := len(r.want) == 0 && len(r.app.Routes) == 0 // else what is written down is asked
	switch {
	case (nothing || r.named) && !r.listed.kind:
		r.Errorf("guardtest: the routes of a %T are not known: App.Router must be the *echo.Echo, *gin.Engine, chi.Router or *http.ServeMux behind it, or something else that lists routes", r.app.Router)
	case nothing && len(r.listed.patterns) == 0:
		r.Errorf("guardtest: no route is known: a %T lists none, and App.Routes is empty: register routes through Handle, and set App.Routes to what Routes answers", r.app.Router)
	}
	for _, pattern := range r.listed.behind {
		r.Errorf("guardtest: %s has the gate as its last handler: those before it run for anybody: wanted it before them", pattern)
	}
	registered := append(slices.Clone(r.listed.patterns), r.beside()...)
	count := make(map[string]int)
	for _, route := range r.app.Routes {
		if r.listed.nested && r.belowPrefix(route.Pattern) {
			continue
		}
		if count[route.Pattern]++; count[route.Pattern] == 2 && !r.listed.nested { // else two may differ in the prefix
			r.Errorf("guardtest: %s is registered twice: one of them shadows the other", route.Pattern)
		}
		registered = append(registered, route.Pattern)
	}
	slices.Sort(registered)
	for _, pattern := range slices.Compact(registered) {
		if !r.known(pattern) {
			r.Errorf("guardtest: %s is registered, and neither in Want nor listed as Public or ReportOnly", pattern)
		}
	}
}

// belowPrefix reports whether what the middleware remembers is known from a router's
// list, which has the whole path.
func (r *run) belowPrefix(pattern string) bool {
	method, path := cutMethod(pattern)
	return r.question(pattern).matched() != pattern && slices.ContainsFunc(r.listed.patterns, func(listed string) bool {
		m, whole := cutMethod(listed)
		return m == method && strings.HasSuffix(whole, path)
	})
}

// lists reports whether this pattern, by this name, is in Want, Public or
// ReportOnly.
func (r *run) lists(pattern string) bool {
	_, wanted := r.want[pattern]
	return wanted || r.public[pattern] || r.reportOnly[pattern]
}

// known reports whether a route is listed, with its method or for all methods.
func (r *run) known(pattern string) bool {
	_, path := cutMethod(pattern)
	return r.lists(pattern) || r.lists(path) ||
		r.listed.slashed[path] && (r.lists(otherSlash(pattern)) || r.lists(otherSlash(path)))
}

// checkOptions reports options that contradict Want, or that concern no route.
func (r *run) checkOptions() {
	r.Helper()
	for _, pattern := range slices.Sorted(maps.Keys(r.public)) {
		if _, wanted := r.want[pattern]; wanted || r.reportOnly[pattern] {
			r.Errorf("guardtest: %s is listed as Public, and is in Want or ReportOnly: wanted one of them", pattern)
		} else if !r.there(pattern) {
			r.Errorf("guardtest: %s is listed as Public, and there is no such route", pattern)
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.reportOnly)) {
		if _, wanted := r.want[pattern]; wanted {
			r.Errorf("guardtest: %s is listed as ReportOnly, and is in Want: wanted one of them", pattern)
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.optional)) {
		if _, wanted := r.want[pattern]; !wanted {
			r.Errorf("guardtest: %s is listed as Optional, and is not in Want", pattern)
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.paths)) {
		if !r.lists(pattern) {
			r.Errorf("guardtest: %s has a Path, and is in no list", pattern)
		}
	}
}

// there reports whether there is such a route. Where no list says so, it is asked:
// another router, or a handler before the router, may have it.
func (r *run) there(pattern string) bool {
	method, path := cutMethod(pattern)
	if _, wanted := r.want[path]; wanted { // one of the methods that Want stands for
		return true
	}
	if methods := r.listed.of(path); slices.Contains(methods, method) || method == "" && methods != nil {
		return true
	}
	if slices.ContainsFunc(r.app.Routes, func(route httpauth.RouteInfo) bool { return route.Pattern == pattern || route.Pattern == path }) {
		return true
	}
	q := r.question(pattern)
	if q.matched() == pattern {
		return true
	}
	return !q.send("").missing()
}

// beside finds routes of an http.ServeMux that are in no list, and have the path of
// one that is, with another method or another slash at the end. What may be a
// router, because it stands for all methods or for all paths below it, is one of
// them if it answers without asking for a token.
func (r *run) beside() (found []string) {
	if r.mux == nil {
		return nil
	}
	for _, pattern := range slices.Concat(slices.Collect(maps.Keys(r.want)), slices.Collect(maps.Keys(r.public)), slices.Collect(maps.Keys(r.reportOnly))) {
		_, path := cutMethod(pattern)
		bare := strings.TrimSuffix(path, "{$}")
		spellings := []string{path, bare, otherSlash(bare), strings.TrimSuffix(bare, "/") + "/{$}"}
		for _, spelling := range spellings {
			for _, method := range allMethods {
				q := question{run: r, pattern: pattern, method: method}
				q.host, q.path = sample(spelling)
				matched := q.matched()
				m, p := cutMethod(matched)
				if matched == "" || !slices.Contains(spellings, p) || r.known(matched) || slices.Contains(found, matched) {
					continue
				}
				if m == "" || strings.HasSuffix(p, "/") {
					if got := q.send(""); got.status == http.StatusUnauthorized || got.missing() {
						continue
					}
				}
				found = append(found, matched)
			}
		}
	}
	return found
}

// matched is the pattern of an http.ServeMux that a request matches, or empty.
func (q question) matched() string {
	if q.mux == nil {
		return ""
	}
	_, pattern := q.mux.Handler(q.request(context.Background()))
	return pattern
}

func (q question) request(ctx context.Context) *http.Request {
	request := httptest.NewRequestWithContext(ctx, q.method, q.path, http.NoBody)
	request.Host = q.host
	return request
}
