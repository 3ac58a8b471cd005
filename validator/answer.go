package validator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// answerVerifier proves signed introspection answers (RFC 9701 §5): the
// issuer's signature, made for this API's client, and made now. Its errors are
// none of this package's: a bad answer says nothing about the token, and must
// not look like a refusal of it.
type answerVerifier struct {
	issuer     string
	clientID   string
	algorithms []string
	keys       *jwks.KeySet
	now        func() time.Time
	skew       time.Duration
}

var _ introspection.AnswerVerifier = (*answerVerifier)(nil)

// answerTypes is the typ that keeps answers and tokens apart (RFC 9701 §5):
// neither can be passed off as the other.
var answerTypes = Profile{Types: []string{"token-introspection+jwt"}}

// answerAge is how old a signed answer may be, beyond the clock skew: an older
// one could be a recording of a time when the token was active.
const answerAge = 30 * time.Second

// VerifyAnswer implements [introspection.AnswerVerifier]. It returns the
// token_introspection member.
func (a *answerVerifier) VerifyAnswer(ctx context.Context, answer string) ([]byte, error) {
	compact, ok := jws.Split(answer)
	if !ok {
		return nil, errors.New("the signed answer is no JWT with three segments")
	}
	header, err := jws.AppendDecode(nil, compact.Header)
	if err != nil {
		return nil, fmt.Errorf("the header of the signed answer %w", err)
	}
	payload, err := jws.AppendDecode(nil, compact.Payload)
	if err != nil {
		return nil, fmt.Errorf("the payload of the signed answer %w", err)
	}
	signature, err := jws.AppendDecode(nil, compact.Signature)
	if err != nil {
		return nil, fmt.Errorf("the signature of the signed answer %w", err)
	}
	h, err := jws.ParseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("the header of the signed answer %w", err)
	}
	alg := jws.Canonical(h.Algorithm)
	switch {
	case !answerTypes.acceptsType(h.Type, h.HasType):
		return nil, fmt.Errorf("the signed answer has another typ, wanted %q", answerTypes.Types[0])
	case !slices.Contains(a.algorithms, alg):
		return nil, fmt.Errorf("the signed answer has an alg that is not in Issuer.Algorithms, wanted one of %q", a.algorithms)
	}
	_, inVain, err := signer(ctx, a.keys, hint(&h), nil, func(key *jwks.Key) (bool, error) {
		return jws.Verify(alg, key.Public(), compact.SigningInput, signature) == nil, nil
	})
	switch {
	case err == nil:
	case inVain > 0 && errors.Is(err, jwks.ErrKeyNotFound):
		return nil, errors.New("the signature of the answer is not the issuer's")
	default:
		return nil, err
	}
	return a.check(payload)
}

// check reads the proven payload. An oddity that a lenient reader passes over is
// what an answer about some token may hold, and says nothing about the endpoint.
func (a *answerVerifier) check(payload []byte) ([]byte, error) {
	var issuer string
	var audience []string
	var issuedAt time.Time
	var inner strictjson.Value
	var form error // of a member that is read here
	err := strictjson.Members(payload, func(name string, value strictjson.Value) error {
		var err error
		switch name {
		case "iss":
			issuer, err = value.String()
		case "aud":
			audience, err = value.Strings(nil)
		case "iat":
			issuedAt, err = value.Date()
		case "token_introspection":
			inner = value
		}
		if err != nil && form == nil {
			form = fmt.Errorf("has a member %s that %w", name, err)
		}
		return nil
	})
	if err != nil && strictjson.Lenient(payload) {
		return nil, introspection.AboutToken(fmt.Errorf("the signed answer %w", err))
	}
	switch err := cmp.Or(err, form); {
	case err != nil:
		return nil, fmt.Errorf("the signed answer %w", err)
	case issuer != a.issuer:
		return nil, errors.New("the signed answer is from another issuer")
	case !slices.Contains(audience, a.clientID):
		return nil, fmt.Errorf("the signed answer is for another client, wanted Issuer.SignedAnswersFor (%q) in its aud", a.clientID)
	case a.now().Sub(issuedAt).Abs() > answerAge+a.skew:
		return nil, fmt.Errorf("the signed answer is not of now, wanted an iat within %v", answerAge+a.skew)
	case inner == nil:
		return nil, errors.New("the signed answer has no token_introspection")
	}
	return inner, nil
}
