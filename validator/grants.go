package validator

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/scopes"
)

// What a token grants is found out once, when it is proven, and is a part of the
// proof. A hit asks nothing of this file.

// grant fills in audience, scopes, roles and tenant, as the profile says where
// they are. A claim that grants scopes must be a string or an array of strings; a
// role or tenant that is not is none.
func (c *claims) grant(p *Profile) error {
	if c.granted {
		return nil
	}
	c.granted = true
	t := &c.token
	t.profile, t.delegation = p, c.delegation()
	if c.audience != nil {
		var err error
		if t.audience, err = c.audience.Strings(nil); err != nil {
			return claimError(CheckAudience, "aud", err)
		}
	}
	for i := range p.holding {
		if roles, err := c.at(p, &p.holding[i]).Strings(nil); err == nil {
			t.roles = append(t.roles, roles...)
		}
	}
	if p.TenantClaim != "" {
		t.tenant, _ = c.find(p, p.TenantClaim).String()
	}
	return c.grantScopes(p)
}

// grantScopes keeps lists, in which a name may be a wildcard, apart from names that
// others than the issuer may have chosen.
func (c *claims) grantScopes(p *Profile) error {
	t := &c.token
	lists, names, err := c.namedScopes(p)
	if err != nil {
		return err
	}
	if p.Grants != nil {
		t.scopes = lists.Union(names) // for it to see
		more, err := c.ask(p)
		if err != nil {
			return err
		}
		lists = lists.Union(more)
	}
	if len(p.Implies) > 0 {
		lists = lists.Union(p.implied(lists.Union(names)))
	}
	if p.WildcardSuffix != "" {
		if lists, err = lists.WithWildcards(p.WildcardSuffix); err != nil {
			return fmt.Errorf("validator: Profile.WildcardSuffix: %w", err) // New has refused it
		}
		t.beside += stringHeader * lists.Len() // of what each wildcard begins with
	}
	t.scopes = lists.Union(names)
	return nil
}

// namedScopes reads the claims that the profile lists.
func (c *claims) namedScopes(p *Profile) (lists, names scopes.Set, err error) {
	for i := range p.scoping {
		claim := &p.scoping[i]
		value := c.at(p, &claim.place)
		if value == nil {
			continue
		}
		granted, err := parseScopes(value, claim.whole)
		if err != nil {
			e := refuseAs(CheckClaims, malformed, "claim "+claim.name+", which grants scopes, "+err.Error())
			e.hint = "Profile.ScopeClaims and Profile.NameClaims list the claims that grant scopes; Profile.Grants reads what is no string and no list of strings"
			return scopes.Set{}, scopes.Set{}, e
		}
		if claim.whole {
			names = names.Union(granted)
		} else {
			lists = lists.Union(granted)
		}
	}
	return lists, names, nil
}

// parseScopes reads a space-delimited string, a string that is one whole name, or an
// array of names.
func parseScopes(value strictjson.Value, whole bool) (scopes.Set, error) {
	if whole || value[0] != '"' {
		names, err := value.Strings(nil)
		if err != nil {
			return scopes.Set{}, err
		}
		return wellFormed(names), nil
	}
	list, err := value.String()
	if err != nil {
		return scopes.Set{}, err
	}
	if granted, err := scopes.Parse(list); err == nil {
		return granted, nil
	}
	return wellFormed(strings.Split(list, " ")), nil
}

// wellFormed takes names over. One that can be no scope, because of a space or a
// letter beyond ASCII, grants nothing: no route can ask for it.
func wellFormed(names []string) scopes.Set {
	names = slices.DeleteFunc(names, func(name string) bool { return !scopes.Valid(name) })
	granted, _ := scopes.Of(names...) // they are valid
	return granted
}

// wholeNames are claims whose string is one name, and never a list of them: what
// stands before a space in it is the name of somebody else.
var wholeNames = [...]string{"iss", "sub", "jti", "client_id", "azp", "appid", "cid"}

// isWhole reports whether a claim is one of those, at whatever place it is: the subject
// of an actor is no list either.
func isWhole(claim string) bool {
	if strings.HasPrefix(claim, "/") { // a JSON Pointer
		claim = claim[strings.LastIndexByte(claim, '/')+1:]
	}
	return slices.Contains(wholeNames[:], claim)
}

// ask calls Profile.Grants with a copy. It keeps what is returned as texts of its own,
// which the cache counts: the function may go on with its slices, and a short name
// may be a piece of a long text.
func (c *claims) ask(p *Profile) (scopes.Set, error) {
	t := &c.token
	var names, roles []string
	if err := trusted("Profile.Grants", func() { names, roles = p.Grants(new(stated).state(*t)) }); err != nil {
		return scopes.Set{}, err
	}
	own := func(name string) string {
		t.beside += len(name)
		return strings.Clone(name)
	}
	granted := make([]string, 0, len(names))
	for _, name := range names {
		granted = append(granted, own(name))
	}
	for _, role := range roles {
		if utf8.ValidString(role) { // as all that comes from a claim is
			t.roles = append(t.roles, own(role))
		}
	}
	return wellFormed(granted), nil
}

// implied is what a set's names imply, in turn, too. It looks at each list once.
func (p *Profile) implied(have scopes.Set) scopes.Set {
	var all []string
	seen := make(map[string]bool)
	add := func(names []string) {
		for _, name := range names {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	for name := range have.All() {
		add(p.Implies[name])
	}
	for n := 0; n < len(all); n++ {
		add(p.Implies[all[n]])
	}
	return wellFormed(all)
}

// meets asks a function of the configuration, with a copy: what it does with that is
// not ours to know. An empty hint is the check's own.
func (c *claims) meets(condition func(*Token) error, field, hint string) error {
	var reason error
	if err := trusted(field, func() { reason = condition(new(stated).state(c.token)) }); err != nil {
		return err
	}
	if reason == nil {
		return nil
	}
	e := refuseAs(CheckClaims, unwanted, field+" refuses it")
	e.hint = hint
	return e.Because(reason)
}

// trusted runs a function of the configuration. A panic in it refuses the token that
// it was called for, and no other: whatever calls the gate may recover nothing.
func trusted(field string, f func()) (err error) {
	defer func() {
		if value := recover(); value != nil {
			e := refuseAs(CheckClaims, broken, field+" panicked: "+panicText(value)+panicPlace())
			e.hint = field + " must take whatever a claim may hold: see how Token.Claim says that one is absent or of another form"
			err = e
		}
	}()
	f()
	return nil
}

// panicText is what a panic says. It may repeat what the token says.
func panicText(value any) string {
	switch value := value.(type) {
	case error, string:
		return quote.Value(fmt.Sprint(value)) // which outlives a panic in Error
	}
	return fmt.Sprintf("a %T", value)
}

// panicPlace is the function and line that panicked, as far as the deferred function
// two calls up can tell.
func panicPlace() string {
	var room [16]uintptr
	frames := runtime.CallersFrames(room[:runtime.Callers(3, room[:])])
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf(" in %s (%s:%d)", path.Base(frame.Function), path.Base(frame.File), frame.Line)
		}
		if !more {
			return ""
		}
	}
}
