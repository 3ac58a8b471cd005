package validator

import (
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/scopes"
)

// claims are the members of a JWT payload, or of an introspection answer, read
// once. Nothing in them is proven yet.
type claims struct {
	token     contents         // by value: a refused token never reaches the heap
	scope     strictjson.Value // scope, scp and roles as they stand
	scp       strictjson.Value
	roles     strictjson.Value
	hasExpiry bool
	hasNBF    bool
	bound     bool // cnf is there (RFC 7800)
	granted   bool // grant was called
}

// clientIDNames are the claims that name the client: RFC 9068, OpenID Connect,
// Entra ID v1, Okta. The first one that is there and not empty counts; the
// others may be something of the issuer's own.
var clientIDNames = [...]string{"client_id", "azp", "appid", "cid"}

// parse fills c from raw, which the token keeps: the caller gives it away.
func (c *claims) parse(raw []byte) error {
	t := &c.token
	t.claims = raw
	var clients [len(clientIDNames)]strictjson.Value
	err := strictjson.Members(raw, func(name string, value strictjson.Value) (err error) {
		switch name {
		case "iss":
			t.issuer, err = value.String()
			return claimError(CheckIssuer, name, err)
		case "sub":
			t.subject, err = value.String()
			return claimError(CheckClaims, name, err)
		case "aud":
			t.audience, err = value.Strings(nil)
			return claimError(CheckAudience, name, err)
		case "exp":
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
			c.bound = true
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
		if refused, ok := err.(*Error); ok {
			return refused
		}
		return refuse(CheckJSON, "the payload "+err.Error())
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

// claimError is nil for a nil err, which an *Error in an interface would not be.
func claimError(check Check, name string, err error) error {
	if err == nil {
		return nil
	}
	return refuse(check, "claim "+name+" "+err.Error())
}

// find returns the value of a claim as the profile names it, or nil.
func (c *claims) find(name string) (strictjson.Value, error) {
	switch name {
	case "scope":
		return c.scope, nil
	case "scp":
		return c.scp, nil
	case "roles":
		return c.roles, nil
	}
	return strictjson.Find(c.token.claims, steps(name)...)
}

// grant fills in scopes, roles and tenant, as the profile says where they are.
// A claim that grants scopes must be well formed; a role or tenant that is not
// is none.
func (c *claims) grant(p *Profile) error {
	if c.granted {
		return nil
	}
	c.granted = true
	t := &c.token
	t.profile = p
	for _, name := range p.ScopeClaims {
		value, err := c.find(name)
		if err == nil && value != nil {
			var granted scopes.Set
			granted, err = parseScopes(value)
			t.scopes = t.scopes.Union(granted)
		}
		if err != nil {
			return refuse(CheckClaims, "claim "+name+", which grants scopes: "+err.Error())
		}
	}
	for _, name := range p.RoleClaims {
		if value, err := c.find(name); err == nil && value != nil {
			if roles, err := value.Strings(nil); err == nil {
				t.roles = append(t.roles, roles...)
			}
		}
	}
	if p.TenantClaim != "" {
		if value, err := c.find(p.TenantClaim); err == nil && value != nil {
			t.tenant, _ = value.String()
		}
	}
	return nil
}

// parseScopes reads a space-delimited string or an array of names.
func parseScopes(value strictjson.Value) (scopes.Set, error) {
	if value[0] == '"' {
		list, err := value.String()
		if err != nil {
			return scopes.Set{}, err
		}
		return scopes.Parse(list)
	}
	names, err := value.Strings(nil)
	if err != nil {
		return scopes.Set{}, err
	}
	return scopes.Of(names...)
}
