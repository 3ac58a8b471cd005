package validator

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/scopes"
)

// What is said of a token whose scopes do not satisfy a route is put into words
// only if somebody reads it. It names the claims that were read, because as
// often as not the scopes are there and were looked for in another place.

// lacks tells whose token it is, what it grants, what was wanted, and where that
// was looked for.
func (t *contents) lacks(needs string) string {
	text := t.name()
	if needs == "" {
		return text + ", and the route's rule lets nobody in"
	}
	got := slices.Collect(t.scopes.All())
	text += ": got " + quote.List(got, strings.Fields(needs)) + `, wanted ["` + needs + `"]` // what a program holds is not cut
	if t.profile == nil {
		return text
	}
	var read []string
	for _, name := range t.profile.granting() {
		if t.has(name) {
			read = append(read, quote.Value(name))
		} else {
			read = append(read, quote.Value(name)+" (absent)")
		}
	}
	if t.profile.Grants != nil {
		read = append(read, "Profile.Grants")
	}
	return text + ", read from " + cmp.Or(strings.Join(read, ", "), "no claim")
}

// granting lists the claims that grant scopes by themselves.
func (p *Profile) granting() []string { return slices.Concat(p.ScopeClaims, p.NameClaims) }

// has reports whether the token holds a claim, named as in a Profile.
func (t *contents) has(name string) bool {
	value := strictjson.Value(t.claims).Find(steps(name)...)
	return value != nil && !value.IsNull()
}

// scopeFix is where to mend it: at the route, at the profile, or at the issuer.
func (t *contents) scopeFix(needs string) string {
	if needs == "" {
		return "the route's rule names no scope: name one, or let every good token in with scopes.AnyToken"
	}
	if t.profile == nil {
		return ""
	}
	for _, name := range t.profile.ScopeClaims {
		if fix := t.pointerFix(name, "Profile.ScopeClaims"); fix != "" {
			return fix
		}
	}
	for _, name := range t.profile.NameClaims {
		if fix := t.pointerFix(name, "Profile.NameClaims"); fix != "" {
			return fix
		}
	}
	missing := slices.DeleteFunc(strings.Fields(needs), t.scopes.Contains)
	for scope := range t.scopes.All() {
		if strings.ContainsAny(scope, ",;") && slices.ContainsFunc(strings.FieldsFunc(scope, func(r rune) bool { return r == ',' || r == ';' }), among(missing)) {
			return "the issuer joins scopes by another character than a space (RFC 6749 §3.3), so they count as one; let it write spaces or an array, or split them in Profile.Grants"
		}
		if suffix := wildcardOver(scope, missing); suffix != "" && t.profile.WildcardSuffix == "" {
			return "scope " + quote.Value(scope) + " grants that name alone: if the issuer means it as a wildcard, Profile.WildcardSuffix is " + quote.Value(suffix)
		}
	}
	switch claim, odd := t.claimWith(missing); {
	case claim != "" && odd:
		return "claim " + quote.Value(claim) + " holds it, and is no string and no list of strings: Profile.Grants can read it if it is to grant scopes"
	case claim != "":
		return "claim " + quote.Value(claim) + " holds it: name that claim in Profile.ScopeClaims if it is to grant scopes"
	}
	if t.profile.Grants == nil && !slices.ContainsFunc(t.profile.granting(), t.has) {
		return "the token holds none of Profile.ScopeClaims: the client asked its authorization server for no scope, or scopes are in another claim"
	}
	return ""
}

// pointerFix is for a name that no claim has and that reads like the path to one
// that is there.
func (t *contents) pointerFix(name, field string) string {
	pointer := pointerFor(name)
	if pointer == "" || t.has(name) || !t.has(pointer) {
		return ""
	}
	return "a nested claim is named by a JSON Pointer: " + field + " should hold " + quote.Value(pointer) + " in place of " + quote.Value(name)
}

// pointerFor is the JSON Pointer for a path that is written in another way, such
// as "realm_access.roles", "$.realm_access.roles" or "realm_access/roles". Empty:
// name is none.
func pointerFor(name string) string {
	path := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("#$./[]'\"", r) })
	pointer := "/" + strings.Join(path, "/")
	if len(path) == 0 || pointer == name || len(path) == 1 && path[0] == name {
		return ""
	}
	return pointer
}

// notScopes are claims that may hold a scope's name by chance.
var notScopes = []string{"iss", "sub", "aud", "jti", "client_id", "azp", "appid", "cid", "scope", "scp"}

// wildcardOver returns the suffix by which scope would be a wildcard over one of
// names, or nothing.
func wildcardOver(scope string, names []string) string {
	if len(scope) < len("x:*") || !strings.HasSuffix(scope, "*") {
		return ""
	}
	suffix := scope[len(scope)-len(":*"):]
	one, err := scopes.Of(scope)
	if err == nil {
		one, err = one.WithWildcards(suffix)
	}
	if err != nil || !slices.ContainsFunc(names, one.Contains) {
		return ""
	}
	return suffix
}

// claimWith returns the first claim outside notScopes that holds one of names, as
// a Profile would name it: a string of names, or an array with it. Failing that, it
// is one that holds it in an odd form, which only Profile.Grants can read: as the
// name of an object's member, or in an object within an array. Empty: there is none.
// It reads the claims once, and asks for a path when it has found one.
func (t *contents) claimWith(names []string) (claim string, odd bool) {
	var oddly string
	for d := jsontext.NewDecoder(bytes.NewReader(t.claims)); ; {
		value, err := d.ReadToken()
		if err != nil {
			return oddly, oddly != ""
		}
		if value.Kind() != '"' {
			continue
		}
		depth := d.StackDepth()
		kind, n := d.StackIndex(depth)
		isName := kind == '{' && n%2 == 1
		if isName && depth == 1 {
			if slices.Contains(notScopes, value.String()) && d.SkipValue() != nil {
				return "", false
			}
			continue
		}
		if isName && (oddly != "" || !slices.Contains(names, value.String())) || !isName && !slices.ContainsFunc(strings.Fields(value.String()), among(names)) {
			continue
		}
		path := strings.Split(string(d.StackPointer()), "/")[1:]
		if outer := outermostArray(d, depth); isName || outer < depth && outer > 0 {
			if oddly == "" {
				oddly = asClaim(path[:cmp.Or(outer, depth)-1])
			}
			continue
		}
		if kind == '[' {
			path = path[:len(path)-1]
		}
		return asClaim(path), false
	}
}

// outermostArray is at which depth of the decoder's stack the first array is, or 0.
func outermostArray(d *jsontext.Decoder, depth int) int {
	for at := range depth {
		if kind, _ := d.StackIndex(at + 1); kind == '[' {
			return at + 1
		}
	}
	return 0
}

// asClaim is how a Profile names the claim at the end of an escaped path.
func asClaim(path []string) string {
	if len(path) == 1 && !strings.Contains(path[0], "~") {
		return path[0]
	}
	return "/" + strings.Join(path, "/")
}

func among(names []string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}
