package validator

import (
	"maps"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Profile says how an issuer writes its access tokens, as far as that differs
// from the plain form. The zero value is the plain one: the type is absent, JWT
// or at+jwt, scopes are in scope or scp, roles in roles, and no claim is asked
// for beyond those that every token is checked for.
//
// A claim is named by its name, or, where it is nested, by a JSON Pointer (RFC
// 6901), which begins with a slash: "/realm_access/roles".
type Profile struct {
	_ [0]func()

	// Types lists the accepted values of a JWT's typ header (RFC 8725 §3.11),
	// without the "application/" prefix and without regard to case (RFC 7515
	// §4.1.9). An empty string in it accepts a token without typ. Nil means
	// "", "JWT" and "at+jwt".
	Types []string

	// Require lists claims that a JWT must hold, beyond iss, aud and exp.
	Require []string

	// Match lists claims of a JWT that must have one of these values, exactly: a
	// string, or the literal text of a number, true or false.
	Match map[string][]string

	// MatchAnswer is Match for the members of an introspection answer.
	MatchAnswer map[string][]string

	// Accept is a check of the API's own, beyond Match: nil lets a token pass, an
	// error refuses it (CheckClaims). The error is the operator's to read, where it
	// is quoted and bounded; the client reads a constant sentence. It is called when
	// everything else about a token is proven, by signature or introspection alike,
	// and its answer is remembered with the token. So it must go by the token alone,
	// not by the time, the request or anything that must be waited for. A panic in it
	// refuses the token. Nil accepts.
	Accept func(*Token) error

	// ScopeClaims lists the claims that grant scopes, each a space-delimited
	// string or an array of strings; their union counts. Nil means scope and
	// scp. A name in one that can be no scope (RFC 6749 §3.3), because of a space
	// or a letter beyond ASCII, grants nothing. The string of a claim that names
	// one thing (sub, client_id and the like) is read as if it were in NameClaims.
	ScopeClaims []string

	// NameClaims lists further claims that grant scopes, each a string that is one
	// name, whatever is in it, or an array of those: a workload, a repository, an
	// environment. It is never split, so that "prod east" does not grant what "prod"
	// does, and it is no wildcard, because whoever may choose such names is not the
	// issuer. Nil means none.
	NameClaims []string

	// Grants returns scopes and roles that a token grants beside those of the lists
	// of claims here, for claims of another form: roles that are the member names of
	// an object, objects with names, lists joined by commas. It gets the token with
	// what those lists grant, before Implies and WildcardSuffix, and reads claims with
	// Token.Claim. What it returns is held to the rules for claims: a name that can be
	// no scope grants nothing. It is called when a token is proven, under the
	// conditions of Accept, and not on requests that come with the same token
	// afterwards. A panic in it refuses the token. Nil grants nothing.
	Grants func(*Token) (scopes, roles []string)

	// Implies lists what a scope stands for beside itself, such as
	//
	//	{"admin": {"orders:write"}, "orders:write": {"orders:read"}}
	//
	// A token that grants admin then grants the other two as well: what is implied
	// implies in turn. Names are compared exactly, here as in rules, and a wildcard
	// implies nothing for what it covers. At most 1,000 names may be listed, and no
	// circle. What a client is told to ask for stays what the rule names. Nil means
	// that each scope stands for itself.
	Implies map[string][]string

	// WildcardSuffix makes the scopes of this issuer that end in it wildcards. With
	// ":*", "orders:*" grants "orders:read" and "orders:items:read", but neither
	// "orders" nor "orders-old:read"; it counts in ScopeClaims, Grants and Implies. A
	// bare "*" is a name like any other. It is a character of punctuation and a star;
	// empty means that no scope is a wildcard, as in the standards.
	WildcardSuffix string

	// RoleClaims lists the claims that Token.Roles is read from, each a string
	// or an array of strings. Nil means roles. Roles grant nothing by
	// themselves; name the claim in ScopeClaims, too, where they are to count
	// as scopes.
	RoleClaims []string

	// TenantClaim is the claim that Token.Tenant is read from. Empty means
	// none.
	TenantClaim string

	// App reports whether a token was issued to a client that acts for itself,
	// and not for a user. It is what Issuer.AppOnly asks, under the conditions
	// of Accept. Nil means that this issuer's tokens do not tell.
	App func(*Token) bool

	// NoAudience says that this issuer's tokens never hold aud, so that none
	// is asked for, and that Issuer.Clients, which must then be set, proves
	// that a token was meant for this API.
	NoAudience bool

	top     []string         // names of members that hold claims of the fields above
	places  map[string]place // of those claims
	scoping []scopingClaim   // ScopeClaims and NameClaims, in this order
	holding []place          // RoleClaims
}

// place is where a claim is: under the steps below one of Profile.top.
type place struct {
	top          int
	below        []string
	absentIfNull bool // null is as if the claim were not there
}

// scopingClaim is a claim whose names are scopes.
type scopingClaim struct {
	name string
	place
	whole bool // a string is one name, and no list of them
}

// RFC9068 is the strict profile of RFC 9068 §2: the type is at+jwt, the
// required claims are there, and a client that acts for itself is its own
// subject (§2.2). Types and Require concern JWTs; what an introspection answer
// holds is RFC 7662's to say.
func RFC9068() Profile {
	return Profile{
		Types:   []string{"at+jwt"},
		Require: []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"},
		App:     SubjectIsClient,
	}
}

// SubjectIsClient is a Profile.App for issuers whose tokens name the client as
// the subject when it acts for itself (RFC 9068 §2.2).
func SubjectIsClient(t *Token) bool { return t.Subject() != "" && t.Subject() == t.ClientID() }

var (
	plainTypes  = []string{"", "JWT", "at+jwt"}
	plainScopes = []string{"scope", "scp"}
	plainRoles  = []string{"roles"}
)

// settled is a copy of p with the defaults filled in, out of reach of whoever
// called New.
func (p Profile) settled() Profile {
	p.Types = slices.Clone(p.Types)
	if p.Types == nil {
		p.Types = plainTypes
	}
	p.ScopeClaims = slices.Clone(p.ScopeClaims)
	if p.ScopeClaims == nil {
		p.ScopeClaims = plainScopes
	}
	p.RoleClaims = slices.Clone(p.RoleClaims)
	if p.RoleClaims == nil {
		p.RoleClaims = plainRoles
	}
	p.NameClaims = slices.Clone(p.NameClaims)
	p.Require = slices.Clone(p.Require)
	p.Match = cloneLists(p.Match)
	p.MatchAnswer = cloneLists(p.MatchAnswer)
	p.Implies = cloneLists(p.Implies)
	p.locate()
	return p
}

func cloneLists(lists map[string][]string) map[string][]string {
	lists = maps.Clone(lists)
	for name, list := range lists {
		lists[name] = slices.Clone(list)
	}
	return lists
}

// locate notes where the claims of all fields are, so that one pass finds them.
func (p *Profile) locate() {
	p.top, p.places = nil, make(map[string]place)
	names := slices.Concat(p.Require, p.ScopeClaims, p.NameClaims, p.RoleClaims, []string{p.TenantClaim},
		slices.Sorted(maps.Keys(p.Match)), slices.Sorted(maps.Keys(p.MatchAnswer)))
	for _, name := range names {
		path := steps(name)
		top := slices.Index(p.top, path[0])
		if top < 0 {
			top = len(p.top)
			p.top = append(p.top, path[0])
		}
		p.places[name] = place{top, path[1:], len(path) == 1 && slices.Contains(absentAsNull[:], path[0])}
	}
	p.scoping, p.holding = nil, nil
	for _, name := range p.ScopeClaims {
		p.scoping = append(p.scoping, scopingClaim{name, p.places[name], isWhole(name)})
	}
	for _, name := range p.NameClaims {
		p.scoping = append(p.scoping, scopingClaim{name, p.places[name], true})
	}
	for _, name := range p.RoleClaims {
		p.holding = append(p.holding, p.places[name])
	}
}

// acceptsType reports whether a JWT with this typ is an access token here.
func (p *Profile) acceptsType(typ string, present bool) bool {
	const prefix = "application/"
	if len(typ) > len(prefix) && asciiEqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	for _, accepted := range p.Types {
		if (accepted != "") == present && asciiEqualFold(accepted, typ) {
			return true
		}
	}
	return false
}

// check looks for the claims that the profile requires and for their values.
func (p *Profile) check(c *claims, match map[string][]string, require []string) error {
	for _, name := range require {
		if value := c.find(p, name); value == nil || value.IsNull() {
			return &Error{check: CheckClaims, text: "a required claim is missing", want: []string{name}, hint: c.token.pointerFix(name, "Profile.Require")}
		}
	}
	if len(match) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(match)) {
		wanted := match[name]
		switch value := c.find(p, name); {
		case value == nil:
			return &Error{check: CheckClaims, text: "claim " + name + " is missing", want: wanted, hint: c.token.pointerFix(name, "Profile.Match or Profile.MatchAnswer")}
		case !slices.ContainsFunc(wanted, value.Is):
			return &Error{check: CheckClaims, flaw: different, text: "claim " + name + " has another value", got: []string{said(value)}, want: wanted}
		}
	}
	return nil
}

// said is a claim's value as an error shows it: a string by what it holds, all
// else by its JSON.
func said(value strictjson.Value) string {
	if text, err := value.String(); err == nil {
		return text
	}
	return string(value)
}

// asciiEqualFold compares without regard to the case of ASCII letters; unlike
// strings.EqualFold it folds no other letter onto them.
func asciiEqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// steps are the member names that lead to a claim.
func steps(name string) []string {
	if !strings.HasPrefix(name, "/") {
		return []string{name}
	}
	path := strings.Split(name[1:], "/")
	for i, step := range path {
		path[i] = unescapeStep.Replace(step)
	}
	return path
}

// unescapeStep reads RFC 6901 §3: in one pass, so that "~01" becomes "~1".
var unescapeStep = strings.NewReplacer("~1", "/", "~0", "~")
