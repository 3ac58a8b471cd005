package validator_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// oracle is a second way to judge a JWT under the plain profile, for the fuzz
// targets to compare with: golang-jwt decodes the segments and verifies the
// signature, encoding/json reads the texts, and nothing of this module is in
// it. What it refuses must never be let in.
type oracle struct {
	issuer, audience string
	keys             map[string]oracleKey // by kid
	now              time.Time
	skew             time.Duration
	widened          bool // it reads claims as the profile of that name says
}

// oracleKey is a public key and the algorithms that it serves.
type oracleKey struct {
	public crypto.PublicKey
	algs   []string
}

// oracleMethods are golang-jwt's, with the salt of RFC 7518 §3.5 for PS256.
var oracleMethods = map[string]jwt.SigningMethod{
	"RS256": jwt.SigningMethodRS256, "ES256": jwt.SigningMethodES256,
	"EdDSA": jwt.SigningMethodEdDSA, "Ed25519": jwt.SigningMethodEdDSA,
	"PS256": &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	},
}

// algsOf lists the default algorithms that a public key serves.
func algsOf(key crypto.PublicKey) []string {
	switch key.(type) {
	case *rsa.PublicKey:
		return []string{"RS256", "PS256"}
	case *ecdsa.PublicKey:
		return []string{"ES256"}
	case ed25519.PublicKey:
		return []string{"EdDSA", "Ed25519"}
	}
	return nil
}

// verdict is what the oracle reads in a token that it does not refuse.
type verdict struct {
	subject  any
	audience []string
	scopes   []string // sorted, distinct
	wild     []string // those of them that are wildcards
	roles    []string
}

// grants reports whether a rule that asks for name is met. It takes names apart
// into segments.
func (v verdict) grants(name string) bool {
	for _, wildcard := range v.wild {
		have, want := strings.Split(wildcard, ":"), strings.Split(name, ":")
		last := len(have) - 1
		if len(want) > last && slices.Equal(have[:last], want[:last]) && strings.Join(want[last:], ":") != "" {
			return true
		}
	}
	return slices.Contains(v.scopes, name)
}

// judge returns an error for a token that must be refused.
func (o *oracle) judge(token string) (verdict, error) {
	var texts [3][]byte
	parts := strings.Split(token, ".")
	if len(parts) != len(texts) {
		return verdict{}, errors.New("not three segments")
	}
	parser := jwt.NewParser(jwt.WithStrictDecoding())
	for i, part := range parts {
		text, err := parser.DecodeSegment(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(text) != part {
			return verdict{}, errors.New("not base64url")
		}
		texts[i] = text
	}
	header, err := oracleObject(texts[0])
	if err != nil {
		return verdict{}, fmt.Errorf("header: %w", err)
	}
	claims, err := oracleObject(texts[1])
	if err != nil {
		return verdict{}, fmt.Errorf("payload: %w", err)
	}
	if err := o.judgeHeader(header); err != nil {
		return verdict{}, err
	}
	alg, _ := header["alg"].(string)
	keys, err := o.keysFor(header, alg)
	if err != nil {
		return verdict{}, err
	}
	verifies := func(key crypto.PublicKey) bool {
		return oracleMethods[alg].Verify(parts[0]+"."+parts[1], texts[2], key) == nil
	}
	if !slices.ContainsFunc(keys, verifies) {
		return verdict{}, errors.New("signature")
	}
	return o.judgeClaims(claims)
}

func (o *oracle) judgeHeader(header map[string]any) error {
	for _, name := range []string{"crit", "b64"} {
		if _, there := header[name]; there {
			return errors.New("has an extension")
		}
	}
	if value, there := header["typ"]; there {
		typ, ok := value.(string)
		typ = strings.TrimPrefix(asciiLower(typ), "application/")
		if !ok || typ != "jwt" && typ != "at+jwt" {
			return errors.New("typ")
		}
	}
	return nil
}

// keysFor are those that may have signed: the one with the kid, or any of the
// algorithm where no kid is there. Each of the oracle's keys has a kid.
func (o *oracle) keysFor(header map[string]any, alg string) ([]crypto.PublicKey, error) {
	value, named := header["kid"]
	named = named && value != nil
	kid, ok := value.(string)
	if named && !ok {
		return nil, errors.New("kid")
	}
	var fitting []crypto.PublicKey
	for id, key := range o.keys {
		if slices.Contains(key.algs, alg) && (!named || id == kid) {
			fitting = append(fitting, key.public)
		}
	}
	if len(fitting) == 0 {
		return nil, fmt.Errorf("no key for %q", alg)
	}
	return fitting, nil
}

func (o *oracle) judgeClaims(claims map[string]any) (verdict, error) {
	if claims["iss"] != any(o.issuer) {
		return verdict{}, errors.New("iss")
	}
	audience, ok := oracleStrings(claims["aud"])
	if !ok || !slices.Contains(audience, o.audience) {
		return verdict{}, errors.New("aud")
	}
	if _, bound := claims["cnf"]; bound {
		return verdict{}, errors.New("cnf")
	}
	for _, name := range []string{"act", "authorization_details", "token_use"} {
		if value, there := claims[name]; there && value == nil {
			return verdict{}, errors.New(name)
		}
	}
	for _, name := range []string{"sub", "jti"} {
		if _, ok := claims[name].(string); !ok && claims[name] != nil {
			return verdict{}, errors.New(name)
		}
	}
	for _, name := range []string{"client_id", "azp", "appid", "cid"} {
		id, ok := claims[name].(string)
		if !ok && claims[name] != nil {
			return verdict{}, errors.New(name)
		}
		if id != "" {
			break // the others may be something of the issuer's own
		}
	}
	if err := o.judgeTimes(claims); err != nil {
		return verdict{}, err
	}
	v := verdict{subject: claims["sub"], audience: audience}
	for _, name := range []string{"scope", "scp"} {
		granted, err := oracleScopes(claims[name])
		if claims[name] != nil && err != nil {
			return verdict{}, fmt.Errorf("%s: %w", name, err)
		}
		v.scopes = append(v.scopes, granted...)
	}
	if roles, ok := oracleStrings(claims["roles"]); ok {
		v.roles = append(v.roles, roles...)
	}
	if o.widened {
		if err := v.widen(claims); err != nil {
			return verdict{}, err
		}
	}
	slices.Sort(v.scopes)
	v.scopes = slices.Compact(v.scopes)
	return v, nil
}

// widen reads what the plain profile does not.
func (v *verdict) widen(claims map[string]any) error {
	if v.subject != "svc" && v.subject != "another svc" {
		return errors.New("sub is none of those wanted")
	}
	if claims["refused"] == true {
		return errors.New("refused")
	}
	members, _ := claims["grants"].(map[string]any)
	for name := range members {
		v.scopes = append(v.scopes, name)
	}
	if list, ok := claims["granted"].(string); ok {
		v.scopes = append(v.scopes, strings.Split(list, ",")...)
		v.roles = append(v.roles, strings.Split(list, ",")...)
	}
	k8s, _ := claims["k8s"].(map[string]any)
	var names []string
	for _, place := range []struct {
		in   map[string]any
		name string
	}{{claims, "workload"}, {k8s, "account"}} {
		value, there := place.in[place.name]
		whole, ok := oracleStrings(value)
		if there && !ok {
			return errors.New(place.name + " is no name")
		}
		names = append(names, whole...)
	}
	holds := func(name string) bool { return slices.Contains(v.scopes, name) || slices.Contains(names, name) }
	for _, step := range [][2]string{ // the higher ones first
		{"admin", "orders:*"}, {"admin", "audit:read"}, {"audit:read", "audit:list"}, {"prod", "deploy:*"}, {"orders:*", "stock:read"},
	} {
		if holds(step[0]) {
			v.scopes = append(v.scopes, step[1])
		}
	}
	v.scopes = slices.DeleteFunc(v.scopes, oracleNoScope)
	for _, name := range v.scopes {
		if at := strings.Index(name, "*"); at == len(name)-1 && len(name) > 2 && name[at-1] == ':' {
			v.wild = append(v.wild, name)
		}
	}
	v.scopes = append(v.scopes, slices.DeleteFunc(names, oracleNoScope)...)
	return nil
}

func (o *oracle) judgeTimes(claims map[string]any) error {
	for _, name := range []string{"exp", "nbf", "iat"} {
		value := claims[name]
		if value == nil && name != "exp" {
			continue
		}
		number, ok := value.(json.Number)
		if !ok {
			return fmt.Errorf("%s is no number", name)
		}
		at, _, err := big.ParseFloat(number.String(), 10, 200, big.ToNearestEven)
		if err != nil || at.Sign() < 0 || at.Cmp(big.NewFloat(253402300800)) >= 0 {
			return fmt.Errorf("%s is out of range", name)
		}
		// A NumericDate that becomes a float64 is off by less than a microsecond.
		const rounding = 1e-6
		end := float64(o.now.Unix()) - o.skew.Seconds()
		begin := float64(o.now.Unix()) + o.skew.Seconds() + rounding
		if name == "exp" && at.Cmp(big.NewFloat(end)) <= 0 || name == "nbf" && at.Cmp(big.NewFloat(begin)) > 0 {
			return errors.New(name)
		}
	}
	return nil
}

// oracleStrings reads a string or an array of strings.
func oracleStrings(value any) ([]string, bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	}
	return nil, false
}

// oracleScopes reads a scope claim by the grammar of RFC 6749 §3.3.
func oracleScopes(value any) ([]string, error) {
	names, ok := oracleStrings(value)
	if list, isString := value.(string); isString {
		names = slices.DeleteFunc(strings.Split(list, " "), func(s string) bool { return s == "" })
	}
	if !ok {
		return nil, errors.New("neither a string nor an array of strings")
	}
	return slices.DeleteFunc(names, oracleNoScope), nil
}

// oracleNoScope is for names that grant nothing.
func oracleNoScope(name string) bool {
	bad := func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' }
	return name == "" || strings.IndexFunc(name, bad) >= 0
}

// oracleObject reads one JSON object and refuses what encoding/json lets pass:
// bad UTF-8, names that occur twice, and depth.
func oracleObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || !json.Valid(text) || !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return nil, errors.New("not a JSON object")
	}
	if err := oracleWalk(text); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	return object, decoder.Decode(&object)
}

// oracleWalk goes through the tokens of a valid JSON text.
func oracleWalk(text []byte) error {
	type level struct {
		names  map[string]bool // nil in an array
		inPair bool            // after a name
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var open []level
	replaced := 0 // characters that encoding/json put in the place of a lone surrogate, and true ones
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		isName := len(open) > 0 && open[len(open)-1].names != nil && !open[len(open)-1].inPair
		switch t := token.(type) {
		case json.Delim:
			if t == '}' || t == ']' {
				open = open[:len(open)-1]
				continue
			}
			if len(open) > 0 {
				open[len(open)-1].inPair = false
			}
			next := level{}
			if t == '{' {
				next.names = make(map[string]bool)
			}
			if open = append(open, next); len(open) > 16 {
				return errors.New("too deep")
			}
			continue
		case string:
			replaced += strings.Count(t, "\ufffd")
			if isName {
				top := &open[len(open)-1]
				if top.names[t] {
					return errors.New("a name twice")
				}
				top.names[t], top.inPair = true, true
				continue
			}
		}
		open[len(open)-1].inPair = false
	}
	written := strings.Count(string(text), "\ufffd") + strings.Count(asciiLower(string(text)), `\ufffd`)
	if replaced > written {
		return errors.New("a lone surrogate")
	}
	return nil
}

func asciiLower(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}
