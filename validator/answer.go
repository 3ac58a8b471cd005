package validator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// answerVerifier proves signed introspection answers (RFC 9701 §5): the
// issuer's signature, made for this API's client, and made now.
type answerVerifier struct {
	issuer     string
	clientID   string
	algorithms []string
	keys       *jwks.KeySet
	now        func() time.Time
}

var _ introspection.AnswerVerifier = (*answerVerifier)(nil)

// answerType is the typ that keeps answers and tokens apart (RFC 9701 §5):
// neither can be passed off as the other.
const answerType = "token-introspection+jwt"

// answerAge is how old a signed answer may be, either way: an older one could
// be a recording of a time when the token was active.
const answerAge = time.Minute

// VerifyAnswer implements [introspection.AnswerVerifier]. It returns the
// token_introspection member.
func (a *answerVerifier) VerifyAnswer(ctx context.Context, answer string) ([]byte, error) {
	compact, ok := jws.Split(answer)
	if !ok {
		return nil, errors.New("the signed answer is no JWT with three segments")
	}
	text, err := jws.AppendDecode(nil, compact.Header)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(text)
	if err != nil {
		return nil, err
	}
	profile := Profile{Types: []string{answerType}}
	if !profile.acceptsType(h.Type, h.HasType) {
		return nil, errors.New("the signed answer has another typ, wanted " + answerType)
	}
	if !slices.Contains(a.algorithms, h.canonical) {
		return nil, errors.New("the signed answer has an alg that is not on Issuer.Algorithms")
	}
	payload, err := jws.AppendDecode(nil, compact.Payload)
	if err != nil {
		return nil, err
	}
	signature, err := jws.AppendDecode(nil, compact.Signature)
	if err != nil {
		return nil, err
	}
	key, err := a.keys.Lookup(ctx, h.KeyID, h.HasKeyID, h.canonical)
	if err != nil {
		return nil, err
	}
	if err := jws.Verify(h.canonical, key.Public(), compact.SigningInput, signature); err != nil {
		return nil, errors.New("the signature of the answer is not the issuer's")
	}
	return a.check(payload)
}

// check reads the proven payload.
func (a *answerVerifier) check(payload []byte) ([]byte, error) {
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	switch t := c.token; {
	case t.issuer != a.issuer:
		return nil, errors.New("the signed answer is from another issuer")
	case !slices.Contains(t.audience, a.clientID):
		return nil, errors.New("the signed answer is for another client than Issuer.SignedAnswersFor")
	case t.issuedAt.IsZero() || a.now().Sub(t.issuedAt).Abs() > answerAge:
		return nil, errors.New("the signed answer is not of this minute, or has no iat")
	}
	inner, err := strictjson.Find(payload, "token_introspection")
	if err != nil || inner == nil {
		return nil, errors.New("the signed answer has no token_introspection object")
	}
	return inner, nil
}
