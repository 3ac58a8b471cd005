package guardtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// patience is how long a handler may take that hangs.
const patience = 5 * time.Second

// reply is how a route answered.
type reply struct {
	status     int // 0: the handler panicked, so it ran
	challenges string
	body       string
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

// ask asks one route of Want in all ways.
func (r *run) ask(pattern string) {
	r.Helper()
	method, rest := cutMethod(pattern)
	for _, method := range asked(method) {
		host, path := sample(rest)
		if set, ok := r.paths[pattern]; ok {
			path = set
		}
		q := question{r, pattern, method, host, path}
		if !q.shadowed() {
			q.ask()
		}
	}
}

// question is a route and a request that it should match.
type question struct {
	*run
	pattern, method, host, path string
}

// String is the route, and the request if that says more.
func (q question) String() string {
	asked := q.method + " " + q.path
	if asked == q.pattern {
		return q.pattern
	}
	return q.pattern + ": " + asked
}

func (q question) request(ctx context.Context) *http.Request {
	request := httptest.NewRequestWithContext(ctx, q.method, q.path, http.NoBody)
	request.Host = q.host
	return request
}

// shadowed asks an http.ServeMux which of its patterns the request matches. It
// is true if that is another one: of Want, where it is asked about, or one that
// shadows a route which the middleware remembers.
func (q question) shadowed() bool {
	q.Helper()
	mux, ok := q.app.Router.(*http.ServeMux)
	if !ok {
		return false
	}
	_, matched := mux.Handler(q.request(context.Background()))
	if matched == "" || matched == q.pattern || strings.HasSuffix(matched, "/") { // below that slash another router may be
		return false
	}
	if _, wanted := q.want[matched]; wanted || q.public[matched] || q.reportOnly[matched] {
		return true
	}
	if !slices.ContainsFunc(q.app.Routes, func(route httpauth.RouteInfo) bool { return route.Pattern == q.pattern }) {
		return false
	}
	q.Errorf("guardtest: %s is answered by %s, which shadows it and is not in Want", q, matched)
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
	return reply{w.Code, strings.Join(w.Header().Values("WWW-Authenticate"), ", "), w.Body.String()}
}

func (q question) ask() {
	q.Helper()
	without, bad := q.send(""), q.send(q.iss.Bad(issuertest.OtherKey, q.with(q.universe)))
	passes, badPasses := without.status != http.StatusUnauthorized, bad.status != http.StatusUnauthorized
	const beside = "registered past the gate, shadowed by an open route, or report-only"
	switch {
	case without.status == http.StatusNotFound || without.status == http.StatusMethodNotAllowed:
		q.Errorf("guardtest: %s is answered with %d before anybody asks for a token: there is no such route, or it is %s",
			q, without.status, beside)
		return
	case passes && badPasses:
		q.Errorf("guardtest: %s is open: %d without a token, %d with a bad one, wanted 401: it is %s",
			q, without.status, bad.status, beside)
		return
	case badPasses:
		q.Errorf("guardtest: %s answers %d to a bad token, wanted 401", q, bad.status)
		return
	case passes && !q.optional[q.pattern]:
		q.Errorf("guardtest: %s answers %d without a token, wanted 401: it is optional, and not listed as such",
			q, without.status)
	}
	q.compareRules()
}

// compareRules sends good tokens whose scopes tell the rule of Want from others.
func (q question) compareRules() {
	q.Helper()
	rule := q.want[q.pattern]
	right := strings.Fields(rule.Needs())
	answered := q.send(q.token(right))
	sets := [][]string{nil, right, q.universe}
	for _, name := range q.universe {
		sets = append(sets, []string{name}, slices.DeleteFunc(slices.Clone(q.universe), func(n string) bool { return n == name }))
	}
	for _, set := range sets {
		got, allowed := q.send(q.token(set)), rule.Allows(granted(set))
		switch {
		case got.status == http.StatusUnauthorized || got.status == http.StatusServiceUnavailable && strings.Contains(got.body, "temporarily_unavailable"):
			q.Errorf("guardtest: %s answers %d to a good token: the app must trust the issuer and have the audience that it is given; for a route with an audience of its own, name that in guardtest.Claims",
				q, got.status)
			return
		case allowed && got.scopeMissing():
			q.Errorf("guardtest: %s refuses a token with the scopes %q, which satisfy the rule in Want: another rule, a group's rule that Want leaves out (scopes.AllOf), or a shadowed route",
				q, set)
			return
		case !allowed && got.status != http.StatusForbidden:
			q.Errorf("guardtest: %s answers %d to a token with the scopes %q, wanted 403: another rule, a group's rule that Want leaves out (scopes.AllOf), or a shadowed route",
				q, got.status, set)
			return
		case !allowed && !got.scopeMissing() && got == answered:
			q.Errorf("guardtest: %s answers 403 to every token, so its rule cannot be seen: Claims can make tokens that the API's own policy accepts",
				q)
			return
		}
	}
}

// granted is what a token with these scopes may do.
func granted(names []string) scopes.Set {
	set, err := scopes.Of(names...)
	if err != nil {
		panic("guardtest: " + err.Error()) // they come from rules, which hold none but valid ones
	}
	return set
}

// with are the claims of a token with these scopes.
func (r *run) with(names []string) issuertest.Claims {
	c := r.claims
	c.Scope = strings.Join(names, " ")
	return c
}

// token is a good token with these scopes.
func (r *run) token(names []string) string {
	key := strings.Join(names, " ")
	if r.tokens[key] == "" {
		r.tokens[key] = r.iss.Token(r.with(names))
	}
	return r.tokens[key]
}
