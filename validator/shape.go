package validator

import (
	"context"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// prove is the way of a token that is not in the cache: what it is decides how
// it is proven, and a proof that fails is never tried another way.
//
// What begins with a JOSE header is a JWT, an encrypted one, or nothing. A twin of
// a JWT that only a lenient reader takes, such as one with a dot more, would
// otherwise be taken to introspection as an opaque token and pass without the
// checks that JWTs are held to.
//
// seen becomes what a JWT says of itself, for the report of a refusal.
func (v *Validator) prove(ctx context.Context, raw string, id cache.ID, a asked, seen *sighting) (*proof, error) {
	t := jwt{raw: raw, id: id}
	var three bool
	var err error
	if t.Compact, three = jws.Split(raw); three {
		var known bool
		if t.header, known = v.headers.Get(t.Header); !known {
			err = t.readHeader()
		}
		if err == nil {
			p, err := v.proveJWT(ctx, &t, a)
			*seen = t.said
			// A good JWT needs no look at its alphabet: all of its segments decoded
			// strictly. One that was refused before that may be no token's text at all,
			// and then that is the answer.
			if err != nil && !t.isB64Token() {
				return nil, notB64Token(raw)
			}
			return p, err
		}
	}
	if !isB64Token(raw) {
		return nil, notB64Token(raw)
	}
	what, err := v.otherThanJWT(&t, three, err)
	if err != nil {
		return nil, err
	}
	return v.proveOpaque(ctx, raw, id, a, what)
}

// otherThanJWT is what a token is that has not three parts, or whose header failed; or
// why it is nothing.
func (v *Validator) otherThanJWT(t *jwt, three bool, failed error) (kind, error) {
	switch {
	case three && t.headerIsObject && !v.introspects():
		return "", failed // says more than that nobody is asked
	case !jws.ReadsAsJOSE(t.raw):
		return opaque, nil
	case three && t.Header != "":
		return "", failed
	}
	switch err := jws.CheckEncrypted(t.raw); err {
	case nil:
		return jwe, nil
	case jws.ErrCritical:
		return "", refuse(CheckCritical, "the header "+err.Error())
	default:
		return "", refuseAs(CheckShape, malformed, "the token "+err.Error())
	}
}

// kind is what a token that is no JWT is, in the words of errors.
type kind string

const (
	opaque kind = "the token is no JWT"
	jwe    kind = "the token is encrypted (a JWE, RFC 7516)"
)

// introspects reports whether any issuer is asked about opaque tokens.
func (v *Validator) introspects() bool {
	return v.introspector != nil || v.opaqueIssuer != nil || len(v.prefixes) > 0
}

// jwt is a token that has the shape of one.
type jwt struct {
	raw string
	id  cache.ID
	jws.Compact
	header         header
	text           []byte // the header, decoded, unless its meaning was known
	headerIsObject bool   // strict JSON, whatever is in it
	decoded        bool   // the payload was strict base64url, as the header was
	said           sighting
}

// longHeader is the length, decoded, from which on a header shares no array with
// the payload, which the cache keeps. It does not count what of that is a header.
const longHeader = 256

// readHeader decodes the header, into room that is enough for the payload, too.
func (t *jwt) readHeader() (err error) {
	n := jws.DecodedLen(t.Header)
	if n <= longHeader {
		n += jws.DecodedLen(t.Payload)
	}
	room := make([]byte, 0, n)
	if t.text, err = jws.AppendDecode(room, t.Header); err != nil {
		return refuse(CheckEncoding, "the header "+err.Error())
	}
	t.header, t.headerIsObject, err = parseHeader(t.text)
	return err
}

// payload decodes it.
func (t *jwt) payload() ([]byte, error) {
	room := t.text[len(t.text):]
	if n := jws.DecodedLen(t.Payload); cap(room) < n {
		room = make([]byte, 0, n)
	}
	payload, err := jws.AppendDecode(room, t.Payload)
	if err != nil {
		return nil, refuse(CheckEncoding, "the payload "+err.Error())
	}
	t.decoded = true
	return payload, nil
}

func (t *jwt) isB64Token() bool {
	if !t.decoded {
		return isB64Token(t.raw)
	}
	return t.Signature == "" || isB64Token(t.Signature)
}

// proveJWTByAsking takes a JWT to an issuer that is introspected only. What it
// says of itself is not proven and can only refuse it: it must be what every
// reader takes for the same JWT, in one spelling, and its cnf counts as the
// answer's does.
func (v *Validator) proveJWTByAsking(ctx context.Context, t *jwt, i *issuer, payload []byte, a asked) (*proof, error) {
	if !t.isB64Token() { // what is no token's text is not sent to anybody
		return nil, notB64Token(t.raw)
	}
	own, err := v.ownWord(t, payload)
	if err != nil {
		return nil, err
	}
	return v.proveByAsking(ctx, t.raw, &kept{ID: t.id, Value: proof{issuer: i}}, own, a)
}

// ownWord is what counts of what such a JWT says of itself.
func (v *Validator) ownWord(t *jwt, payload []byte) (*ownWord, error) {
	if _, err := jws.AppendDecode(nil, t.Signature); err != nil {
		return nil, refuse(CheckEncoding, "the signature "+err.Error())
	}
	var c claims
	err := v.limits.Walk(payload, func(name string, value strictjson.Value) error {
		if name == "cnf" && !value.IsNull() {
			c.token.bound = readBinding(value)
		}
		if name == "jti" {
			c.token.id, _ = value.String() // what is no string is in no list, either
		}
		if value.IsNull() && name != "exp" { // whether it has expired is for the issuer to say
			return c.null(name)
		}
		return nil
	})
	if err != nil {
		return nil, payloadError(err)
	}
	return &ownWord{c.token.bound, c.token.id}, nil
}
