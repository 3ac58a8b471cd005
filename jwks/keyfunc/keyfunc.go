// Package keyfunc hands users of golang-jwt the keys of a [jwks.KeySet]. Only a
// program that imports it links golang-jwt and MicahParks/keyfunc.
package keyfunc

import (
	"context"
	"encoding/json" // for a type of jwkset's interface; nothing is parsed with it
	"errors"

	"github.com/MicahParks/jwkset"
	micah "github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/m2mguard/m2mguard/jwks"
)

// New returns what golang-jwt asks for the key of a token: one that serves the
// token's alg by the rules of [jwks.KeySet.Candidates], and no other. Where the token
// leaves the choice among several, golang-jwt tries them, [jwks.MaxCandidates] at
// most; if none verifies, no newer set is asked for.
//
// A token may have to wait for a fetch. The wait ends with ctx, so give it the
// context of the request whose token is parsed, and make a new jwt.Keyfunc for
// each: that costs next to nothing. One that is shared takes
// [context.Background]; then [jwks.Config.RequestTimeout] alone bounds the wait.
//
// errors.Is tells [jwks.ErrUnavailable], which is a 503, from
// [jwks.ErrKeyNotFound] in the error of jwt.Parse.
//
// The key is all that it vouches for. golang-jwt makes these checks only when
// asked to, so ask:
//   - the algorithms that you expect: jwt.WithValidMethods
//   - iss and aud: jwt.WithIssuer, jwt.WithAudience
//   - that there is an exp at all, and that it is not 0: jwt.WithExpirationRequired
//   - canonical base64url: jwt.WithStrictDecoding (CR and LF inside a segment
//     pass nevertheless)
//
// and these it does not make, so they are the caller's:
//   - "crit" in the header means that the token must be refused (RFC 7515
//     §4.1.11)
//   - "typ" tells an access token from others (RFC 9068 §4, RFC 8725 §3.11)
//   - duplicate members: the last one wins; and members whose names differ in
//     case count as the same when claims are read into a struct
//   - the length of the token, and of a PSS salt, which RFC 7518 §3.5 fixes
//   - scopes, and a "cnf" that binds the token to its sender
//
// The validator package of this module makes all of them.
func New(ctx context.Context, keys *jwks.KeySet) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		switch {
		case keys == nil:
			return nil, errors.New("keyfunc: New was given no key set, wanted one of jwks.New")
		case token == nil:
			return nil, errors.New("keyfunc: golang-jwt gave no token")
		}
		h, err := hint(token.Header)
		if err != nil {
			return nil, err
		}
		found, err := keys.Candidates(ctx, h)
		if err != nil {
			return nil, err
		}
		k, err := micah.New(micah.Options{Storage: view{found, h.Algorithm}})
		if err != nil {
			return nil, err
		}
		if len(found) == 1 && h.HasKeyID {
			return k.KeyfuncCtx(ctx)(token)
		}
		return k.VerificationKeySet(ctx)
	}
}

// hint reads what a header says of the key. A kid of null is none, as elsewhere in
// this module.
func hint(header map[string]any) (h jwks.Hint, err error) {
	h.Algorithm, _ = header["alg"].(string)
	h.X5T, _ = header["x5t"].(string)
	h.X5TS256, _ = header["x5t#S256"].(string)
	if kid := header["kid"]; kid != nil {
		if h.KeyID, h.HasKeyID = kid.(string); !h.HasKeyID {
			return h, errors.New("keyfunc: the token's kid is not a string (RFC 7515 §4.1.4)")
		}
	}
	return h, nil
}

// view is the key set as one token sees it: jwkset's Storage, for reading, of the
// keys that may have signed it.
type view struct {
	keys []*jwks.Key
	alg  string
}

var _ jwkset.Storage = view{}

// errReadOnly is what the writing half of the Storage interface answers.
var errReadOnly = errors.New("keyfunc: the key set is the issuer's: it cannot be written, nor exported")

// KeyRead returns the one key, which was found by the token's kid, or for want of one
// with that.
func (v view) KeyRead(context.Context, string) (jwkset.JWK, error) { return v.jwk(v.keys[0]) }

// KeyReadAll returns all that there are.
func (v view) KeyReadAll(context.Context) ([]jwkset.JWK, error) {
	var all []jwkset.JWK
	for _, k := range v.keys {
		j, err := v.jwk(k)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}

// jwk dresses a key as jwkset's. It has the alg that it was asked for, as it
// was found to serve that.
func (v view) jwk(k *jwks.Key) (jwkset.JWK, error) {
	return jwkset.NewJWKFromKey(k.Public(), jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(v.alg), KID: k.ID()},
	})
}

// The rest of the interface writes or exports.

func (view) KeyDelete(context.Context, string) (bool, error)      { return false, errReadOnly }
func (view) KeyReplaceAll(context.Context, []jwkset.JWK) error    { return errReadOnly }
func (view) KeyWrite(context.Context, jwkset.JWK) error           { return errReadOnly }
func (view) JSON(context.Context) (json.RawMessage, error)        { return nil, errReadOnly }
func (view) JSONPublic(context.Context) (json.RawMessage, error)  { return nil, errReadOnly }
func (view) JSONPrivate(context.Context) (json.RawMessage, error) { return nil, errReadOnly }
func (view) Marshal(context.Context) (jwkset.JWKSMarshal, error) {
	return jwkset.JWKSMarshal{}, errReadOnly
}
func (view) JSONWithOptions(context.Context, jwkset.JWKMarshalOptions, jwkset.JWKValidateOptions) (json.RawMessage, error) {
	return nil, errReadOnly
}
func (view) MarshalWithOptions(context.Context, jwkset.JWKMarshalOptions, jwkset.JWKValidateOptions) (jwkset.JWKSMarshal, error) {
	return jwkset.JWKSMarshal{}, errReadOnly
}
