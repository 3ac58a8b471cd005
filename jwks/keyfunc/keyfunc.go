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
// token's alg by the rules of [jwks.KeySet.Lookup], and no other.
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
		alg, _ := token.Header["alg"].(string)
		k, err := micah.New(micah.Options{Storage: view{keys, alg}})
		if err != nil {
			return nil, err
		}
		return k.KeyfuncCtx(ctx)(token)
	}
}

// view is the key set as one token sees it: jwkset's Storage, for reading, of
// the keys that serve the token's algorithm.
type view struct {
	keys *jwks.KeySet
	alg  string
}

var _ jwkset.Storage = view{}

// errReadOnly is what the writing half of the Storage interface answers.
var errReadOnly = errors.New("keyfunc: the key set is the issuer's: it cannot be written, nor exported")

// KeyRead returns the key with the given kid.
func (v view) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	k, err := v.keys.Lookup(ctx, kid, true, v.alg)
	return v.jwk(k, err)
}

// KeyReadAll returns the one key for a token without a kid.
func (v view) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	k, err := v.keys.Lookup(ctx, "", false, v.alg)
	j, err := v.jwk(k, err)
	return []jwkset.JWK{j}, err
}

// jwk dresses a key as jwkset's. It has the alg that it was asked for, as it
// was found to serve that.
func (v view) jwk(k *jwks.Key, err error) (jwkset.JWK, error) {
	if err != nil {
		return jwkset.JWK{}, err
	}
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
