package migrate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// A stage is how far a route has come.
type stage string

const (
	report  stage = "report"  // the old one decides, and the log says what the new one would refuse of the rest
	enforce stage = "enforce" // a request must pass both
	after   stage = "after"   // the new one alone; a route without a stage has the old one alone
)

// Stages are the routes that have left the old library, or are about to.
type Stages map[string]stage

// ParseStages reads what an operator sets, such as "GET /orders=report,POST /orders=enforce".
// A route that the API does not have is an error, so that none stays behind by a slip,
// and so is one named twice, of which a forgotten entry could be the one that counts.
func ParseStages(list string, routes ...string) (Stages, error) {
	s := make(Stages)
	for entry := range strings.SplitSeq(list, ",") {
		if entry == "" {
			continue
		}
		pattern, name, _ := strings.Cut(entry, "=")
		if !slices.Contains(routes, pattern) {
			return nil, fmt.Errorf("got the route %q, wanted one of %q", pattern, routes)
		}
		if _, twice := s[pattern]; twice {
			return nil, fmt.Errorf("%s: stands a second time, wanted one stage for each route", pattern)
		}
		switch stage(name) {
		case report, enforce, after:
			s[pattern] = stage(name)
		default:
			return nil, fmt.Errorf("%s: got the stage %q, wanted report, enforce or after", pattern, name)
		}
	}
	return s, nil
}

// Guard is a route's handler at its stage, behind the old library's middleware, the new
// one, or both. The gate is what the route asks for when all is done: its rule, and what the
// old library or the handler checked besides, as the gate's policy. The old middleware
// must find its token where the new one does, or "both" may be about two tokens.
func (s Stages) Guard(auth *httpauth.Middleware, old func(http.Handler) http.Handler, pattern string, gate httpauth.Gate, h http.Handler) http.Handler {
	switch s[pattern] {
	case report:
		gate.Policy, gate.MaxAge, gate.Bound, gate.Live = nil, nil, false, false // which only reporting cannot be about
		gate.DangerouslyReportOnly = true
		return old(auth.Gate(gate)(Forget(h)))
	case enforce:
		return auth.Gate(gate)(old(h))
	case after:
		return auth.Gate(gate)(h)
	default:
		return old(h)
	}
}

// Forget hides the new token, which DangerouslyReportOnly hands on also where it lacks a
// scope: a handler that finds none goes by the old claims, and checks them.
func Forget(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(validator.NewContext(r.Context(), nil)))
	})
}
