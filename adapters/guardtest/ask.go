package guardtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// patience is how long a handler may take that hangs.
const patience = 5 * time.Second

// reply is how a route answered.
type reply struct {
	status     int // 0: the handler panicked, so it ran
	challenges string
	body       string
	allow      bool // there is an Allow field
	elsewhere  bool // a redirect to the path with another slash at its end
}

// recorder ends the request of a handler that streams: what is asked is known by
// then.
type recorder struct {
	*httptest.ResponseRecorder
	end context.CancelFunc
}

func (r recorder) Flush() {
	r.ResponseRecorder.Flush()
	r.end()
}

// scopeMissing reports whether the gate found the token good and its scopes not.
func (a reply) scopeMissing() bool {
	return a.status == http.StatusForbidden && strings.Contains(a.challenges+a.body, "insufficient_scope")
}

// missing reports whether a router says that it has no such route, or sends the
// client to the one with another slash.
func (a reply) missing() bool {
	return a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed || a.elsewhere
}

// redirects reports whether the client is sent elsewhere.
func (a reply) redirects() bool { return a.status >= 300 && a.status < 400 }

// ask asks one route of Want in all ways.
func (r *run) ask(pattern string) {
	r.Helper()
	there := false
	for _, q := range r.questions(pattern) {
		if q.shadowed() {
			there = true
			continue
		}
		found := q.ask()
		if !found && !q.spare { // which is reported
			return
		}
		there = there || found
	}
	if !there {
		r.Errorf("guardtest: %s: there is no such route, for whatever method", pattern)
	}
}

// askOpen asks a route of ReportOnly.
func (r *run) askOpen(pattern string) {
	r.Helper()
	q := r.question(pattern)
	switch got := q.send(""); {
	case got.status == http.StatusUnauthorized:
		q.Errorf("guardtest: %s is listed as ReportOnly, and answers 401 without a token: it refuses already, and belongs in Want", q)
	case got.missing() && !q.there(pattern):
		q.Errorf("guardtest: %s is listed as ReportOnly, and there is no such route: %d", q, got.status)
	}
}

// question is a route and a request that it should match.
type question struct {
	*run
	pattern, method, host, path string
	// spare is one that the router may have no route for: a method that Want stands
	// for among others, or another slash at the end.
	spare bool
}

// question is the first one about a route.
func (r *run) question(pattern string) question {
	method, rest := cutMethod(pattern)
	q := question{run: r, pattern: pattern, method: method}
	q.host, q.path = sample(rest)
	if set, ok := r.paths[pattern]; ok {
		q.path = set
	}
	if methods := r.listed.of(rest); method == "" {
		q.method = http.MethodGet
		if len(methods) > 0 && !slices.Contains(methods, q.method) {
			q.method = methods[0]
		}
	}
	return q
}

// questions are all of them: with each method that the pattern stands for, and, for
// a router of chi's below another one, with the slash at the end and without.
func (r *run) questions(pattern string) (all []question) {
	method, rest := cutMethod(pattern)
	methods := []string{method}
	if method == "" {
		methods = slices.Concat(allMethods, r.listed.of(rest))
		slices.Sort(methods)
		methods = slices.DeleteFunc(slices.Compact(methods), func(m string) bool { return r.lists(m + " " + rest) })
	}
	for _, m := range methods {
		q := r.question(pattern)
		q.method = m
		q.spare = method == "" && r.lacks(q, rest)
		all = append(all, q)
		if (r.listed.slashed[rest] || r.listed.slashed[otherSlash(rest)]) && q.path != "/" {
			q.path, q.spare = otherSlash(q.path), true
			all = append(all, q)
		}
	}
	return all
}

// lacks reports whether the router has this path, and not with this method.
func (r *run) lacks(q question, path string) bool {
	if methods := r.listed.of(path); methods != nil {
		return !slices.Contains(methods, q.method)
	}
	if r.mux == nil {
		return false
	}
	matched := q.matched()
	return matched == "" || matched != q.pattern && strings.HasSuffix(matched, "/") // below that slash another router may be
}

// String is the route, and the request if that says more.
func (q question) String() string {
	asked := q.method + " " + q.path
	if asked == q.pattern {
		return q.pattern
	}
	return q.pattern + ": " + asked
}

// shadowed reports whether the router has another pattern for the request: one that
// is asked about by its own name, or one that hides a route.
func (q question) shadowed() bool {
	q.Helper()
	if nearer := q.nearer(); nearer != "" {
		q.Errorf("guardtest: %s is answered by %s, which shadows it: guardtest.Path can give it a path that is its own", q, nearer)
		return true
	}
	matched := q.matched()
	if matched == "" || matched == q.pattern || strings.HasSuffix(matched, "/") { // below that slash another router may be
		return false
	}
	by, path := cutMethod(matched)
	method, own := cutMethod(q.pattern)
	switch {
	case q.lists(matched) && path == own: // as HEAD is matched by GET
		return method == ""
	case q.lists(matched):
		q.Errorf("guardtest: %s is answered by %s, which shadows it: guardtest.Path can give it a path that is its own", q, matched)
	case slices.ContainsFunc(q.app.Routes, func(route httpauth.RouteInfo) bool { return route.Pattern == q.pattern }):
		if path != own || by == q.method { // else it is reported under its own method
			q.Errorf("guardtest: %s is answered by %s, which shadows it and is not in Want", q, matched)
		}
	default:
		return false
	}
	return true
}

// send asks with a token, or without one.
func (q question) send(token string) (a reply) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request := q.request(ctx)
	if token != "" {
		q.put(request, token)
	}
	defer func() {
		if recover() != nil {
			a = reply{}
		}
	}()
	w := recorder{httptest.NewRecorder(), cancel}
	q.app.Handler.ServeHTTP(w, request)
	to, err := url.Parse(w.Header().Get("Location"))
	return reply{
		status:     w.Code,
		challenges: strings.Join(w.Header().Values("WWW-Authenticate"), ", "),
		body:       w.Body.String(),
		allow:      w.Header().Get("Allow") != "",
		elsewhere:  w.Code >= 300 && w.Code < 400 && err == nil && to.Path == otherSlash(q.path),
	}
}

// ask reports what is wrong, and whether there is such a route at all.
func (q question) ask() bool {
	q.Helper()
	without, bad := q.send(""), q.send(q.iss.Bad(issuertest.OtherKey, q.with(q.universe)))
	passes, badPasses := without.status != http.StatusUnauthorized, bad.status != http.StatusUnauthorized
	beside := "registered past the gate, shadowed by an open route, or report-only"
	if q.method == http.MethodOptions {
		beside += "; a CORS preflight that is meant to pass is listed as Public"
	}
	switch {
	case q.spare && (without.missing() || q.method == http.MethodOptions && without.allow):
		return false
	case without.missing():
		q.Errorf("guardtest: %s is answered with %d before anybody asks for a token: there is no such route, or it is %s",
			q, without.status, beside)
		return false
	case passes && badPasses:
		q.Errorf("guardtest: %s is open: %d without a token, %d with a bad one, wanted 401: it is %s",
			q, without.status, bad.status, beside)
		return true
	case badPasses:
		q.Errorf("guardtest: %s answers %d to a bad token, wanted 401", q, bad.status)
		return true
	case passes && !q.optional[q.pattern]:
		q.Errorf("guardtest: %s answers %d without a token, wanted 401: it is optional, and not listed as such",
			q, without.status)
	case !passes && q.optional[q.pattern]:
		q.Errorf("guardtest: %s answers 401 without a token: it is listed as Optional, and is not", q)
	}
	q.compareRules()
	return true
}
