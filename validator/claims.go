package validator

import (
	"slices"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// claims are the members of a JWT payload, or of an introspection answer, read
// once. Nothing in them is proven yet.
type claims struct {
	token     contents         // by value: a refused token never reaches the heap
	audience  strictjson.Value // aud, scope, scp and roles as they stand
	scope     strictjson.Value
	scp       strictjson.Value
	roles     strictjson.Value
	act       strictjson.Value // and authorization_details, for delegation
	details   strictjson.Value
	picked    []strictjson.Value // the profile's Profile.top
	endless   []string           // what as exp says that there is none; nil for a JWT
	own       *ownWord           // of an answer about a JWT; else nil
	hasIssuer bool
	hasExpiry bool
	hasNBF    bool
	granted   bool // grant was called
}

// ownWord is what a JWT says of itself, beside what an answer about it says or in its
// place.
type ownWord struct {
	bound *binding
	id    string
}

// limitsOf bound what a token that nobody proved can cost, beside its length:
// hundreds of claims, and a thousand elements of one, are more than any real one
// has. They grow with the length that a configuration allows. An answer has no
// such limits: it is the issuer's, and has one in bytes.
func limitsOf(maxToken int) strictjson.Limits {
	return strictjson.Limits{Members: max(400, maxToken/40), Values: max(1200, maxToken/13)}
}

// clientIDNames are the claims that name the client: RFC 9068, OpenID Connect,
// Entra ID v1, Okta. The first one that is there and not empty counts; the
// others may be something of the issuer's own.
var clientIDNames = [...]string{"client_id", "azp", "appid", "cid"}

// parse fills c from raw, which the token keeps: the caller gives it away. What
// costs more than reading raw once is left for later, when it is proven.
func (c *claims) parse(raw []byte, limits strictjson.Limits) error {
	t := &c.token
	t.claims = raw
	var clients [len(clientIDNames)]strictjson.Value
	err := limits.Walk(raw, func(name string, value strictjson.Value) (err error) {
		if value.IsNull() {
			return c.null(name)
		}
		switch name {
		case "iss":
			c.hasIssuer = true
			t.issuer, err = value.String()
			return claimError(CheckIssuer, name, err)
		case "sub":
			t.subject, err = value.String()
			return claimError(CheckClaims, name, err)
		case "aud":
			c.audience = value // for checkAudience
		case "exp":
			if slices.Contains(c.endless, string(value)) {
				return nil
			}
			t.expiry, err = value.Date()
			c.hasExpiry = true
			return claimError(CheckExpiry, name, err)
		case "nbf":
			t.notBefore, err = value.Date()
			c.hasNBF = true
			return claimError(CheckNotBefore, name, err)
		case "iat":
			t.issuedAt, err = value.Date()
			return claimError(CheckIssuedAt, name, err)
		case "jti":
			t.id, err = value.String()
			return claimError(CheckClaims, name, err)
		case "scope":
			c.scope = value
		case "scp":
			c.scp = value
		case "roles":
			c.roles = value
		case "cnf":
			t.bound = readBinding(value)
		case "act":
			c.act = value
		case "authorization_details":
			c.details = value
		default:
			for i, known := range clientIDNames {
				if name == known {
					clients[i] = value
				}
			}
		}
		return nil
	})
	if err != nil {
		return payloadError(err)
	}
	for i, value := range clients {
		if value == nil {
			continue
		}
		if t.clientID, err = value.String(); err != nil || t.clientID != "" {
			return claimError(CheckClaims, clientIDNames[i], err)
		}
	}
	return nil
}

// null is for a member that is there and null. Serialisers write so what is
// absent, and most claims are taken for that: whatever requires one still finds
// none. Where being there is what a claim says, or where its absence widens what
// the token is good for, null is a mistake that two readers may take differently.
func (c *claims) null(name string) error {
	switch name {
	case "cnf":
		c.token.bound = &binding{unknown: "its cnf is null"}
	case "exp":
		if slices.Contains(c.endless, "null") {
			return nil
		}
		return refuseAs(CheckExpiry, malformed, "claim exp is null")
	case "act", "authorization_details", "token_use":
		return refuseAs(CheckClaims, malformed, "claim "+name+" is null")
	}
	return nil
}

// payloadError turns an error of a walk over a payload into one of ours.
func payloadError(err error) error {
	if refused, ok := err.(*Error); ok {
		return refused
	}
	if err == strictjson.ErrMany {
		return refuse(CheckSize, "the payload "+err.Error()+"; the bound grows with the field")
	}
	return refuse(CheckJSON, "the payload "+err.Error())
}

// claimError is nil for a nil err, which an *Error in an interface would not be.
func claimError(check Check, name string, err error) error {
	if err == nil {
		return nil
	}
	return refuseAs(check, malformed, "claim "+name+" "+err.Error())
}

// absentAsNull are the claims that are absent if they are null.
var absentAsNull = [...]string{"iss", "sub", "aud", "nbf", "iat", "jti", "client_id", "azp", "appid", "cid", "scope", "scp", "roles"}

// find returns the value of a claim as the profile names it, or nil.
func (c *claims) find(p *Profile, name string) strictjson.Value {
	where := p.places[name]
	return c.at(p, &where)
}

// at returns the value of the claim that is at a place of the profile, or nil.
func (c *claims) at(p *Profile, where *place) strictjson.Value {
	switch p.top[where.top] {
	case "scope":
		return c.scope.Find(where.below...)
	case "scp":
		return c.scp.Find(where.below...)
	case "roles":
		return c.roles.Find(where.below...)
	}
	if c.picked == nil {
		c.picked = make([]strictjson.Value, len(p.top))
		strictjson.Value(c.token.claims).Pick(p.top, c.picked)
	}
	value := c.picked[where.top].Find(where.below...)
	if where.absentIfNull && value.IsNull() {
		return nil
	}
	return value
}
