package httpauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/validator"
)

// Failure is why a request was refused, and the answer that it gets. Its fields
// are for reading.
type Failure struct {
	// Err says which check failed, for logs and for errors.Is with validator's
	// sentinels. Clients get only what the other fields hold.
	Err *validator.Error
	// Status is the HTTP status: 400, 401, 403 or 503.
	Status int
	// Challenge is the value of WWW-Authenticate (RFC 6750 §3); empty for 503,
	// because other credentials would not help.
	Challenge string
	// RetryAfter is when to try again: whole seconds, at least one, with 503,
	// else zero.
	RetryAfter time.Duration
	// Body is what the default rendering writes, as JSON.
	Body Body

	json []byte // Body encoded
}

// Body tells a client what was wrong, in the members of RFC 6749 §5.2.
type Body struct {
	// Error is the code of RFC 6750 §3.1, or unauthorized (no token was sent) or
	// temporarily_unavailable (503), for which the RFC has none.
	Error string `json:"error"`
	// Description is one constant sentence for each check, or for each way to
	// fail it.
	Description string `json:"error_description"`
}

// SetHeader sets the header fields of the answer that are not the body's:
// WWW-Authenticate, Retry-After and Cache-Control.
func (f *Failure) SetHeader(h http.Header) {
	h.Set("Cache-Control", "no-store")
	if f.Challenge != "" {
		h.Set("WWW-Authenticate", f.Challenge)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(f.RetryAfter/time.Second), 10))
	}
}

// Respond writes the default answer.
func (f *Failure) Respond(w http.ResponseWriter) {
	f.SetHeader(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	_, _ = w.Write(f.json) // the client may have gone
}

// answer is what is constant about a failure.
type answer struct {
	status    int
	challenge string
	body      Body
	json      []byte
}

func newAnswer(realm string, e *validator.Error, needs string) *answer {
	a := &answer{body: Body{Error: e.Code(), Description: e.Description()}}
	switch {
	case errors.Is(e, validator.ErrMissingToken):
		a.status, a.body.Error = http.StatusUnauthorized, "unauthorized"
	case errors.Is(e, validator.ErrInvalidRequest):
		a.status = http.StatusBadRequest
	case errors.Is(e, validator.ErrInvalidToken):
		a.status = http.StatusUnauthorized
	case errors.Is(e, validator.ErrInsufficientScope):
		a.status = http.StatusForbidden
	default:
		a.status, a.body.Error = http.StatusServiceUnavailable, "temporarily_unavailable"
	}
	if a.status != http.StatusServiceUnavailable {
		a.challenge = challenge(realm, e, needs)
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		panic("httpauth: " + err.Error()) // two strings
	}
	a.json = append(text, '\n') // as encoders in frameworks end it
	return a
}

// challenge writes the challenge of RFC 6750 §3. None of the values needs
// escaping: the realm was checked, descriptions are constants, and RFC 6749
// §3.3 keeps '"' and '\' out of scopes.
func challenge(realm string, e *validator.Error, needs string) string {
	var b strings.Builder
	b.WriteString(`Bearer realm="` + realm + `"`)
	if e.Code() != "" {
		b.WriteString(`, error="` + e.Code() + `", error_description="` + e.Description() + `"`)
	}
	if needs != "" {
		b.WriteString(`, scope="` + needs + `"`)
	}
	return b.String()
}

// quotable reports whether s can stand in a quoted-string without escapes, by
// the narrow set of RFC 6750 §3: %x20-21 / %x23-5B / %x5D-7E.
func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// failure completes the constant answer with what is this request's own.
func (rt *Route) failure(e *validator.Error) *Failure {
	a := rt.missingScope
	if e.Check() != validator.CheckScope {
		a = rt.middleware.answer(e)
	}
	f := &Failure{Err: e, Status: a.status, Challenge: a.challenge, Body: a.body, json: a.json}
	if f.Status == http.StatusServiceUnavailable {
		f.RetryAfter = wholeSeconds(e.RetryAfter())
	}
	return f
}

// answer is what e is answered with on every route. There are as many answers as
// sentences, a few for some checks, and each is built when it is first needed.
func (m *Middleware) answer(e *validator.Error) *answer {
	key := answerKey{e.Check(), e.Description()}
	a, ok := m.answers.Load(key)
	if !ok {
		a, _ = m.answers.LoadOrStore(key, newAnswer(m.realm, e, ""))
	}
	return a.(*answer)
}

type answerKey struct {
	check    validator.Check
	sentence string
}

// wholeSeconds rounds up to what Retry-After can say (RFC 9110 §10.2.3), and
// never says "at once".
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}
