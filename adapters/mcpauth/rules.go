package mcpauth

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/scopes"
)

// Rules say which scopes an operation needs, in addition to Base. A tool, a prompt, a
// resource and a method that is not in them is refused, whatever the token.
type Rules struct {
	_ [0]func()

	// Base is what each request needs, those that name nothing as well: initialize,
	// server/discover, ping, the lists, notifications, streams and the end of a session.
	// nil is for scopes.AnyToken().
	Base *scopes.Rule

	// Tools are the rules of tools, by name: tools/call.
	Tools map[string]scopes.Rule

	// Prompts are the rules of prompts, by name: prompts/get, and completion/complete for
	// their arguments.
	Prompts map[string]scopes.Rule

	// Resources are the rules of resources, by URI: resources/read, subscribe and
	// unsubscribe, subscriptions/listen for what it names, and completion/complete. A URI
	// counts as it is written, letter by letter. With {name} in it, it is of all URIs that
	// have something there, without '/', '?' and '#'; with {+name}, also with these. In
	// both a '\', a segment of dots, an empty one, and escapes of these or of letters,
	// digits and "-._~" let nobody in. A URI without a rule of its own needs those of all
	// templates that it matches, and of what it is, templates and whole URIs, without
	// query, fragment and escapes.
	Resources map[string]scopes.Rule

	// Methods are rules by method: of those that the server adds itself
	// (mcp.AddReceivingCustomMethod), and of MCP's own where one needs more than Base,
	// such as "logging/setLevel", or "tools/call" for all tools.
	Methods map[string]scopes.Rule
}

// What a message can name, and a rule be of.
type kind uint8

const (
	nothing kind = iota
	tool
	prompt
	resource
)

// naming says what the request of a method names; nothing is for methods that need no
// rule of their own. subscriptions/listen and completion/complete name in their own way.
var naming = map[string]kind{
	"tools/call":               tool,
	"prompts/get":              prompt,
	"resources/read":           resource,
	"resources/subscribe":      resource,
	"resources/unsubscribe":    resource,
	"initialize":               nothing,
	"ping":                     nothing,
	methodComplete:             nothing,
	methodListen:               nothing,
	"server/discover":          nothing,
	"logging/setLevel":         nothing,
	"tools/list":               nothing,
	"prompts/list":             nothing,
	"resources/list":           nothing,
	"resources/templates/list": nothing,

	"notifications/initialized":        nothing,
	"notifications/cancelled":          nothing,
	"notifications/progress":           nothing,
	"notifications/roots/list_changed": nothing,
}

const (
	methodComplete = "completion/complete"
	methodListen   = "subscriptions/listen"
)

// of are the rules of a kind.
func (r *Rules) of(k kind) map[string]scopes.Rule {
	switch k {
	case tool:
		return r.Tools
	case prompt:
		return r.Prompts
	case resource:
		return r.Resources
	}
	return nil
}

func (r *Rules) clone() Rules {
	c := Rules{Base: new(scopes.AnyToken()), Tools: maps.Clone(r.Tools), Prompts: maps.Clone(r.Prompts), Resources: maps.Clone(r.Resources), Methods: maps.Clone(r.Methods)}
	if r.Base != nil {
		*c.Base = *r.Base
	}
	return c
}

// check returns the templates, and what is wrong with r.
func (r *Rules) check() (templates []template, errs []error) {
	for _, field := range []struct {
		name  string
		rules map[string]scopes.Rule
	}{{"Tools", r.Tools}, {"Prompts", r.Prompts}, {"Resources", r.Resources}, {"Methods", r.Methods}} {
		for _, name := range slices.Sorted(maps.Keys(field.rules)) {
			if name == "" {
				errs = append(errs, fmt.Errorf("an empty name has a rule in Rules.%s", field.name))
			}
			if letsNobodyIn(field.rules[name]) {
				errs = append(errs, fmt.Errorf("rule of Rules.%s[%q]: %w", field.name, name, errNobody))
			}
		}
	}
	if r.Base != nil && letsNobodyIn(*r.Base) {
		errs = append(errs, fmt.Errorf("Rules.Base: %w", errNobody))
	}
	for _, uri := range slices.Sorted(maps.Keys(r.Resources)) {
		if !strings.ContainsAny(uri, "{}") {
			continue
		}
		t, err := compileTemplate(uri)
		if err != nil {
			errs = append(errs, fmt.Errorf("Rules.Resources: %q %w", uri, err))
			continue
		}
		t.rule = r.Resources[uri]
		templates = append(templates, t)
	}
	return templates, errs
}

var errNobody = errors.New(`the rule lets nobody in, wanted one such as scopes.All("orders:read") or scopes.AnyToken(), and no entry for a tool, prompt or resource that nobody may use`)

// letsNobodyIn reports whether a rule is zero, or made of nothing.
func letsNobodyIn(rule scopes.Rule) bool {
	all, err := scopes.Of(rule.Names()...)
	return err != nil || !rule.Allows(all)
}

// compile compiles an operation for each rule, and for each method that needs none.
func (m *Middleware) compile() {
	base := *m.rules.Base
	m.base = m.operation("mcp", base)
	m.base.route.Remember(m.base.name)
	m.known = make(map[key]*operation)
	methods := maps.Clone(naming)
	for method := range m.rules.Methods {
		if _, ours := methods[method]; !ours {
			methods[method] = nothing
		}
	}
	for _, method := range slices.Sorted(maps.Keys(methods)) {
		rules := []scopes.Rule{base}
		if own, has := m.rules.Methods[method]; has {
			rules = append(rules, own)
		}
		names := m.rules.of(methods[method])
		if methods[method] == nothing {
			op := &operation{m.base.route, method, base}
			if len(rules) > 1 {
				op = m.operation(method, rules...)
			}
			m.known[key{method, ""}] = op
			op.route.Remember(method)
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			op := m.operation(method+" "+name, append(slices.Clone(rules), names[name])...)
			m.known[key{method, name}] = op
			op.route.Remember(op.name)
		}
	}
}

// key is what an operation is known by: its method, and what that names.
type key struct{ method, name string }

// announced is what the fields of a request say that it does, if they say it in one way,
// and there is a rule for it. It decides which challenge a client gets before its body
// is read, and which requests are refused without that.
func (m *Middleware) announced(r *http.Request) *operation {
	if r.Method != http.MethodPost {
		return m.base
	}
	method, name, ok := standardFields(r.Header)
	if !ok {
		return m.base
	}
	if k := naming[method]; k == nothing {
		name = ""
	}
	if op := m.known[key{method, name}]; op != nil {
		return op
	}
	return m.base
}

// need returns the operation of these messages, or why they are refused.
func (m *Middleware) need(messages []message) (*operation, *refusal) {
	name := "batch"
	if len(messages) == 1 {
		msg := &messages[0]
		switch {
		case msg.method == "":
			return m.base, nil
		case len(msg.targets) == 0:
			if op := m.known[key{msg.method, ""}]; op != nil {
				return op, nil
			}
			return nil, msg.noMethod()
		case len(msg.targets) == 1:
			if op := m.known[key{msg.method, msg.targets[0].name}]; op != nil {
				return op, nil
			}
		}
		name = msg.method
	}
	rules := []scopes.Rule{*m.rules.Base}
	for n := range messages {
		more, refusal := m.rulesOf(&messages[n])
		if refusal != nil {
			return nil, refusal
		}
		rules = append(rules, more...)
	}
	return m.operation(name, rules...), nil
}

// rulesOf are the rules of one message, beside the base.
func (m *Middleware) rulesOf(msg *message) (rules []scopes.Rule, _ *refusal) {
	if msg.method == "" {
		return nil, nil
	}
	own, has := m.rules.Methods[msg.method]
	if _, ours := naming[msg.method]; !has && !ours {
		return nil, msg.noMethod()
	}
	if has {
		rules = append(rules, own)
	}
	for _, t := range msg.targets {
		found := m.rulesFor(t)
		if found == nil {
			return nil, msg.noRule(t)
		}
		rules = append(rules, found...)
	}
	return rules, nil
}
