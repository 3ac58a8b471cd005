package migrate

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
)

// A stage is how far a route has come.
type stage string

const (
	before  stage = ""        // the old library alone
	report  stage = "report"  // the old one decides, and the log says what the new one would
	enforce stage = "enforce" // a request must pass both
	after   stage = "after"   // the new one alone
)

// Stages are the routes that have left the old library, or are about to.
type Stages map[string]stage

// ParseStages reads what an operator sets, such as "GET /orders=report,POST /orders=enforce".
func ParseStages(list string) (Stages, error) {
	s := make(Stages)
	for entry := range strings.SplitSeq(list, ",") {
		if entry == "" {
			continue
		}
		pattern, name, _ := strings.Cut(entry, "=")
		switch stage(name) {
		case report, enforce, after:
			s[pattern] = stage(name)
		default:
			return nil, fmt.Errorf("%q: got the stage %q, wanted report, enforce or after", pattern, name)
		}
	}
	return s, nil
}

// Guard is a route's handler at its stage, behind the old library's middleware, the new
// one, or both.
func (s Stages) Guard(auth *httpauth.Middleware, old func(http.Handler) http.Handler, pattern string, rule scopes.Rule, h http.Handler) http.Handler {
	switch s[pattern] {
	case report:
		return auth.DangerouslyReportOnly(rule)(old(h))
	case enforce:
		return auth.Require(rule)(old(h))
	case after:
		return auth.Require(rule)(h)
	default:
		return old(h)
	}
}
