package validator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/scopes"
)

// ExplainOptions is what an explanation goes by. The zero value asks nobody, and is
// about a route that asks nothing.
type ExplainOptions struct {
	_ [0]func()

	// Network allows what VerifyRequest may do: to fetch keys, and to ask for
	// introspection, Config.Resolver and a store of nonces, within their ordinary bounds.
	// What is fetched is kept and counted as it is at any request, and told to
	// Config.Observer. A token in which something was found wrong is shown to nobody.
	// Without Network, the keys that are held are used, which [Validator.Ready] fetches.
	Network bool

	// Demand is what the route asks; nil for nothing.
	Demand *Demand

	// Rule is the route's rule; nil for none.
	Rule *scopes.Rule

	// At is when the token and its proof are looked at; zero for now. What is held
	// (keys, a list of revocations) and an issuer's answer are always those of now.
	At time.Time
}

// Explanation is what the checks say of one request, in their order. It holds neither
// the token nor a proof, signature or secret, but what errors hold: names, times and
// scopes of the token.
type Explanation struct {
	// Accepted says that VerifyRequest would let the request in, and the rule, too,
	// unless its proof of possession was used before: only spending it would tell.
	Accepted bool `json:"accepted"`

	// Proven says that the issuer vouches for what the steps found in the token: by its
	// signature, or by its answer. Otherwise anybody may have written it.
	Proven bool `json:"proven"`

	// Issuer is the configured issuer that the token is held against; empty for none.
	Issuer string `json:"issuer,omitempty"`

	// Steps are the checks: those of a token, those of a request, and the rule.
	Steps []Step `json:"steps"`
}

// Step is one check of an explanation. It passed if it has neither an Err nor a reason
// in NotReached.
type Step struct {
	_ [0]func()

	// Name is of the step: "credentials", "exp", or "proof: htu". It is for people.
	Name string
	// Check is which check failed, or what the step is about.
	Check Check
	// Err is why it failed, in VerifyRequest's words; nil if it did not. It is no part of
	// the JSON form, and may hold more than the explanation does: causes of the
	// program's own.
	Err *Error
	// NotReached is why the step was not made; empty if it was.
	NotReached string
	// Found is what was found; Wanted what was wanted, and Fix the field, or who has to
	// act, where it failed. Each is one line of plain text, and may be empty.
	Found, Wanted, Fix string
	// Unproven says that the step looked at what anybody may have written.
	Unproven bool
}

// Explain makes the checks that VerifyRequest makes, in their order, and goes on behind
// the first that fails as far as that is safe. The first step that failed is what
// VerifyRequest says, as long as nothing before it was not reached. It lets nobody in:
// nothing is accepted, counted, remembered or spent by it, and no observer is told. It
// asks nobody unless o.Network is set, and runs functions of the configuration, such as
// Profile.Accept, for a proven token alone in which all else is right; but for
// Config.OpaqueIssuer, which chooses whose a token is.
//
// Each call may cost a signature for the token and one for a proof, and more memory than
// a request: it is for operators, and not for whoever sends tokens.
func (v *Validator) Explain(ctx context.Context, r *Request, o ExplainOptions) Explanation {
	w := &walk{v: v, r: r, o: o, demand: cmp.Or(o.Demand, new(Demand)), now: o.At}
	if v.made() && w.now.IsZero() {
		w.now = v.now()
	}
	w.start(ctx)
	return w.explanation()
}

// Failed is the first step that failed, and whether there is one.
func (e Explanation) Failed() (Step, bool) {
	for _, s := range e.Steps {
		if s.Err != nil {
			return s, true
		}
	}
	return Step{}, false
}

// Outcome is "passed", "failed" or "not reached".
func (s Step) Outcome() string {
	switch {
	case s.Err != nil:
		return "failed"
	case s.NotReached != "":
		return "not reached"
	}
	return "passed"
}

// MarshalJSON writes the step with its outcome.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name       string `json:"name"`
		Check      Check  `json:"check"`
		Outcome    string `json:"outcome"`
		Found      string `json:"found,omitempty"`
		Wanted     string `json:"wanted,omitempty"`
		Fix        string `json:"fix,omitempty"`
		NotReached string `json:"not_reached,omitempty"`
		Unproven   bool   `json:"unproven,omitempty"`
	}{s.Name, s.Check, s.Outcome(), s.Found, s.Wanted, s.Fix, s.NotReached, s.Unproven})
}

// String is one line of s.
func (s Step) String() string {
	text := s.Found
	switch {
	case s.NotReached != "":
		text = s.NotReached
	case s.Err != nil:
		text = s.Found
		if !strings.HasSuffix(s.Name, string(s.Check)) {
			text = string(s.Check) + ": " + text
		}
		for _, part := range []struct{ before, text string }{{", wanted ", s.Wanted}, {"; mend: ", s.Fix}} {
			if part.text != "" {
				text += part.before + part.text
			}
		}
	}
	if s.Unproven && s.NotReached == "" {
		text = strings.TrimSpace(text + " (unproven)")
	}
	return strings.TrimRight(fmt.Sprintf("%-11s  %-18s  %s", s.Outcome(), s.Name, text), " ")
}

// String is a table for people: the verdict, and a line for each step.
func (e Explanation) String() string {
	var b strings.Builder
	b.WriteString(e.verdict() + "\n")
	for _, s := range e.Steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

func (e Explanation) verdict() string {
	if e.Accepted {
		return "accepted"
	}
	for _, s := range e.Steps {
		switch {
		case s.Err != nil:
			return "refused at " + s.Name
		case s.NotReached != "":
			return "not decided: " + s.Name + ": " + s.NotReached
		}
	}
	return "not decided"
}
