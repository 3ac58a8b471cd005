package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Gate is what stands before a route: one of the functions that an adapter has.
type Gate string

// The gates. A handler behind Deny asks Decide, and has its adapter's Deny answer.
const (
	Require  Gate = "require"
	Fresh    Gate = "fresh" // RequireFresh, with an age of 0
	That     Gate = "that"  // RequireThat, with Decide
	Bound    Gate = "bound"
	Live     Gate = "live"
	Optional Gate = "optional"
	Report   Gate = "report" // DangerouslyReportOnly
	Deny     Gate = "deny"
)

// Gates are all of them.
var Gates = []Gate{Require, Fresh, That, Bound, Live, Optional, Report, Deny}

// Route is a gate with a rule.
type Route struct {
	Gate Gate
	Name string // such as orders, or group/write
	Rule scopes.Rule
	// Group is the rule of another gate of this kind, which stands before the route's own;
	// nil for none.
	Group *scopes.Rule
	// GroupAlone says that the route has no gate of its own.
	GroupAlone bool
}

// Path is where an API over HTTP has the route.
func (r Route) Path() string { return "/" + string(r.Gate) + "/" + r.Name }

// Procedure is what gRPC and Connect call it, such as /conformance.v1.Require/GroupWrite.
func (r Route) Procedure() string { return "/" + r.Service() + "/" + r.ProcedureName() }

// Service is the part of Procedure before its last slash.
func (r Route) Service() string { return "conformance.v1." + capital(string(r.Gate)) }

// ProcedureName is the part of Procedure after its last slash.
func (r Route) ProcedureName() (name string) {
	for word := range strings.SplitSeq(r.Name, "/") {
		name += capital(word)
	}
	return name
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// Rules are those of the routes in no group, by name.
var Rules = map[string]scopes.Rule{
	"orders": readRule,
	"export": scopes.All("orders:read", "orders:export"),
	"either": scopes.Any("orders:admin", "orders:read"),
	"any":    scopes.AnyToken(),
	"nobody": {},
	"none":   scopes.All(),
}

var (
	readRule  = scopes.All("orders:read")
	writeRule = scopes.All("orders:write")
)

// routes are all routes, without Fresh's where no issuer can be asked.
func routes(v *validator.Validator) (all []Route) {
	for _, gate := range Gates {
		if gate == Fresh && v.CanVerifyFresh() != nil {
			continue
		}
		for name, rule := range Rules {
			all = append(all, Route{Gate: gate, Name: name, Rule: rule})
		}
		all = append(all,
			Route{Gate: gate, Name: "group/read", Group: &readRule, GroupAlone: true},
			Route{Gate: gate, Name: "group/write", Group: &readRule, Rule: writeRule})
	}
	return all
}

// HTTPGate is the route's gate, for adapters that take httpauth's, with the rule of
// the route, or that of its group.
func (r Route) HTTPGate(rule scopes.Rule) httpauth.Gate {
	g := httpauth.Gate{Rule: rule}
	switch r.Gate {
	case Fresh:
		g.MaxAge = new(time.Duration)
	case That:
		g.Policy = Decide
	case Bound:
		g.Bound = true
	case Live:
		g.Live = true
	case Optional:
		g.Optional = true
	case Report:
		g.DangerouslyReportOnly = true
	}
	return g
}

// Middleware are the gates of an adapter whose functions make middleware of type M.
type Middleware[M any] interface {
	Require(scopes.Rule) M
	RequireFresh(time.Duration, scopes.Rule) M
	RequireThat(scopes.Rule, func(context.Context, *validator.Token) error) M
	RequireBound(scopes.Rule) M
	RequireLive(scopes.Rule) M
	Optional(scopes.Rule) M
	DangerouslyReportOnly(scopes.Rule) M
}

// Of is what auth makes of the gate with a rule.
func Of[M any](auth Middleware[M], g Gate, rule scopes.Rule) M {
	switch g {
	case Fresh:
		return auth.RequireFresh(0, rule)
	case That:
		return auth.RequireThat(rule, Decide)
	case Bound:
		return auth.RequireBound(rule)
	case Live:
		return auth.RequireLive(rule)
	case Optional:
		return auth.Optional(rule)
	case Report:
		return auth.DangerouslyReportOnly(rule)
	}
	return auth.Require(rule)
}

// Chain is the middleware in a route's way, the group's first.
func Chain[M any](auth Middleware[M], r Route) (chain []M) {
	if r.Group != nil {
		chain = append(chain, Of(auth, r.Gate, *r.Group))
	}
	if !r.GroupAlone {
		chain = append(chain, Of(auth, r.Gate, r.Rule))
	}
	return chain
}

// Decide is a policy that lets the bundled client in and one that may do
// anything, and has a secret reason to refuse others.
func Decide(ctx context.Context, token *validator.Token) error {
	switch token.ClientID() {
	case "denied":
		return errors.New("a reason that nobody else may read")
	case "undecided":
		return fmt.Errorf("the plan cannot be had: %w", validator.ErrUnavailable)
	case "late":
		return fmt.Errorf("the plan cannot be had: %w", context.DeadlineExceeded)
	case "no scope":
		return token.Check(scopes.All("admin"))
	}
	return nil
}

// Said is what each handler says: what it knows of a token.
func Said(ctx context.Context) string {
	if token := validator.FromContext(ctx); token != nil {
		return fmt.Sprintf("%s may %s", token.ClientID(), token.Scopes())
	}
	return "nobody"
}
