package introspection

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Result is the endpoint's answer about one token. It is immutable: many
// callers share it.
type Result struct {
	active  bool
	claims  []byte
	askedAt time.Time
	until   time.Time // zero: not to be served again
	exp     time.Time // zero: the answer has none, or is inactive
	signed  []byte    // as it came, on its way to Config.Shared; nil else
}

// Active reports whether the endpoint called the token active. The caller still
// checks what the answer says: exp, nbf, iss and aud.
func (r *Result) Active() bool { return r.active }

// Claims returns a copy of the answer: one strict JSON object, with active
// among its members. An inactive answer is {"active":false}, whatever else the
// endpoint said (RFC 7662 §2.2 wants nothing else said).
func (r *Result) Claims() []byte { return bytes.Clone(r.claims) }

// AskedAt returns when the request was sent: what the endpoint learned later,
// a revocation say, is not in the answer. If another instance asked, it is as long
// ago as it can be, where clocks differ by ten seconds at most.
func (r *Result) AskedAt() time.Time { return r.askedAt }

// ValidUntil returns the end of the result's lifetime, on the clock of
// [time.Now]; whoever keeps a result longer lets revoked tokens pass longer
// than configured. It is zero for a result that must not be kept at all, and
// in the past for one that only Config.StaleIfError still serves.
func (r *Result) ValidUntil() time.Time { return r.until }

// client names the client that the token was issued to, for telling apart what clients'
// answers take: client_id (RFC 7662 §2.2), or sub where there is none, or nobody.
func (r *Result) client() string {
	var values [2]strictjson.Value
	strictjson.Value(r.claims).Pick([]string{"client_id", "sub"}, values[:])
	for _, value := range values {
		if name, err := value.String(); err == nil && name != "" {
			return name
		}
	}
	return ""
}

// inactiveClaims is all that an inactive answer says, so that a flood of them
// costs no memory for what they say.
var inactiveClaims = []byte(`{"active":false}`)

var (
	errNoActive = errors.New("has no member active")
	errActive   = errors.New("has a member active that is not true or false")
)

// unreadable is an answer that a lenient reader takes, but for something in it
// that a strict one does not, or for its exp. Clients have a say in answers (RFC
// 9396 echoes what they send), so it is about one token, and not the endpoint.
type unreadable struct{ error }

func (e unreadable) Unwrap() error { return e.error }

// decode reads an answer (RFC 7662 §2.2), which must be one strict JSON object
// with a boolean active, whatever its content type says. Of a signed answer (RFC
// 9701) it gets what Config.Answers proved; one that nobody asked for is no JSON
// object. endless lists the exp that stand for none (Config.NoExpiry). The errors
// hold nothing of the body.
func decode(body []byte, endless []string) (*Result, error) {
	r := new(Result)
	var exp strictjson.Value
	found := false
	err := strictjson.Members(body, func(name string, value strictjson.Value) (err error) {
		switch name {
		case "active":
			found = true
			if r.active, err = value.Bool(); err != nil {
				return errActive
			}
		case "exp":
			exp = value
		}
		return nil
	})
	switch {
	case err == strictjson.ErrNotObject:
		return nil, notObject(body)
	case err == errActive:
		return nil, err
	case err != nil && strictjson.Lenient(body):
		return nil, unreadable{err}
	case err != nil:
		return nil, err
	case !found:
		return nil, errNoActive
	case !r.active:
		r.claims = inactiveClaims
		return r, nil
	}
	if exp != nil && !slices.Contains(endless, string(exp)) {
		if r.exp, err = exp.Date(); err != nil {
			return nil, unreadable{fmt.Errorf("has a member exp that %w", err)}
		}
	}
	r.claims = bytes.Clone(body)
	return r, nil
}

// notObject is strictjson.ErrNotObject, and what could be seen of the reason.
func notObject(body []byte) error {
	if why := strictjson.Why(body, nil); why != "" {
		return fmt.Errorf("%w: %s", strictjson.ErrNotObject, why)
	}
	return strictjson.ErrNotObject
}
