package httpauth

import (
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/validator"
)

// Failure is why a request was refused, and the answer that it gets. Its fields
// are for reading; one that a program makes itself, for refusals of its own, is
// answered by what they hold.
type Failure struct {
	// Err says which check failed, for logs and for errors.Is with validator's
	// sentinels. Clients get only what the other fields hold.
	Err *validator.Error
	// Status is the HTTP status: 400, 401, 403, 421, 429 or 503.
	Status int
	// Token is the good token that a 403 is about, to log or to limit its client,
	// or a policy's 503; else nil, because what a bad token says is nobody's word.
	// It is not part of the answer.
	Token *validator.Token `json:"-"`
	// Challenge is the value of WWW-Authenticate (RFC 6750 §3, RFC 9449 §7.1), which may
	// hold two challenges; empty for 421, 429, 503 and a policy's 403, because other
	// credentials would not help.
	Challenge string
	// RetryAfter is when to try again: whole seconds, at least one, with 429 and
	// 503, else zero.
	RetryAfter time.Duration
	// Nonce is the value of DPoP-Nonce (RFC 9449 §8.2); empty for none.
	Nonce string
	// Body is what the default rendering writes, as JSON.
	Body Body

	made     Body      // what json encodes
	json     []byte    // nil in a Failure that a program made itself
	prepared *prepared // nil unless Config.ErrorHandler has it
}

// prepared is a header as Config.ErrorHandler got it.
type prepared struct {
	header http.Header
	values map[string][]string // of the fields that Respond sets
}

// Body tells a client what was wrong, in the members of RFC 6749 §5.2.
type Body struct {
	// Error is the code of RFC 6750 §3.1, or of RFC 9449 §7.1 (invalid_dpop_proof,
	// use_dpop_nonce), or unauthorized (no token was sent), access_denied (the API's
	// policy says no), misdirected_request (421), too_many_requests (429) or
	// temporarily_unavailable (503), for which they have none.
	Error string `json:"error"`
	// Description is one constant sentence for each check, or for each way to
	// fail it.
	Description string `json:"error_description"`
}

// SetHeader sets the header fields of the answer that are not the body's:
// WWW-Authenticate, DPoP-Nonce, Retry-After and Cache-Control.
func (f *Failure) SetHeader(h http.Header) {
	for name, value := range f.fields() {
		h.Set(name, value)
	}
}

// fields yields what SetHeader sets, by names in the form in which a header has
// them.
func (f *Failure) fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		_ = yield("Cache-Control", "no-store") &&
			(f.Challenge == "" || yield("Www-Authenticate", f.Challenge)) &&
			(f.Nonce == "" || yield("Dpop-Nonce", f.Nonce)) &&
			(f.RetryAfter <= 0 || yield("Retry-After", strconv.FormatInt(int64(wholeSeconds(f.RetryAfter)/time.Second), 10)))
	}
}

// Respond writes the default answer. Called by Config.ErrorHandler, it leaves
// alone what was changed in the header before.
func (f *Failure) Respond(w http.ResponseWriter) {
	h := w.Header()
	for name, value := range f.fields() {
		f.set(h, name, value)
	}
	f.set(h, "Content-Type", "application/json")
	for _, name := range ofAnotherBody {
		if f.prepared == nil { // else they may be ErrorHandler's own
			h.Del(name)
		}
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusInternalServerError))
	_, _ = w.Write(f.body()) // the client may have gone
}

// ofAnotherBody are fields that a handler may have set before it found that it must
// refuse.
var ofAnotherBody = []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified"}

// prepare sets the header fields for Config.ErrorHandler, and notes what is
// there, so that Respond can tell what it changed.
func (f *Failure) prepare(h http.Header) {
	f.SetHeader(h)
	p := &prepared{header: h, values: map[string][]string{"Content-Type": slices.Clone(h["Content-Type"])}}
	for name := range f.fields() {
		p.values[name] = slices.Clone(h[name])
	}
	f.prepared = p
}

// set sets a header field, unless h is what Config.ErrorHandler got and the
// field is no longer as it was then.
func (f *Failure) set(h http.Header, name, value string) {
	if p := f.prepared; p != nil && reflect.ValueOf(h).Pointer() == reflect.ValueOf(p.header).Pointer() {
		if was, known := p.values[name]; known && !slices.Equal(was, h[name]) {
			return
		}
	}
	h.Set(name, value)
}

// body is Body, encoded.
func (f *Failure) body() []byte {
	if f.json != nil && f.Body == f.made {
		return f.json
	}
	return f.Body.encode()
}

func (b Body) encode() []byte {
	text, err := json.Marshal(b)
	if err != nil {
		panic("httpauth: " + err.Error()) // two strings
	}
	return append(text, '\n') // as encoders in frameworks end it
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
	case e.Check() == validator.CheckHost:
		a.status, a.body.Error = http.StatusMisdirectedRequest, "misdirected_request"
	case errors.Is(e, validator.ErrInvalidRequest):
		a.status = http.StatusBadRequest
	case errors.Is(e, validator.ErrInvalidToken):
		a.status = http.StatusUnauthorized
	case errors.Is(e, validator.ErrInsufficientScope):
		a.status = http.StatusForbidden
	case errors.Is(e, validator.ErrDenied):
		a.status, a.body.Error = http.StatusForbidden, "access_denied"
	case errors.Is(e, validator.ErrThrottled):
		a.status, a.body.Error = http.StatusTooManyRequests, "too_many_requests"
	default:
		a.status, a.body.Error = http.StatusServiceUnavailable, "temporarily_unavailable"
	}
	if a.challenges() {
		a.challenge = challenge(realm, e, needs)
	}
	a.json = a.body.encode()
	return a
}

// challenges reports whether other credentials would help.
func (a *answer) challenges() bool {
	switch a.status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return true
	}
	return a.status == http.StatusForbidden && a.body.Error != "access_denied"
}

// retryable reports whether the same token may be accepted later.
func (a *answer) retryable() bool {
	return a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable
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
func (rt *Route) failure(host string, shown *validator.Request, e *validator.Error, accepted validator.Accepted) *Failure {
	a := rt.missingScope
	if e.Check() != validator.CheckScope {
		a = rt.middleware.answer(e)
	}
	f := complete(a, e, accepted.Token)
	f.Nonce = cmp.Or(e.Nonce(), accepted.Nonce)
	if c := rt.middleware.challenger(); !c.plain() && a.challenges() {
		f.Challenge = c.write(host, shown, a, e, rt.gate.Rule.Needs())
	}
	return f
}

func complete(a *answer, e *validator.Error, token *validator.Token) *Failure {
	f := &Failure{Err: e, Status: a.status, Token: token, Challenge: a.challenge, Body: a.body, made: a.body, json: a.json}
	if a.retryable() {
		f.RetryAfter = wholeSeconds(e.RetryAfter())
	}
	return f
}

// answer is what e is answered with on every route. There are as many answers as
// sentences, a few for some checks, and each is built when it is first needed.
func (m *Middleware) answer(e *validator.Error) *answer {
	key := answerKey{e.Check(), e.Description()}
	if a := m.answers.of(key); a != nil {
		return a
	}
	return m.answers.add(key, newAnswer(m.realm, e, ""))
}

// answers are read without a lock, and copied when one is added. A sync.Map would be
// compiled again by every package that imports this one, as generic types of fields are.
type answers struct {
	mu    sync.Mutex // held while one is added
	known atomic.Pointer[map[answerKey]*answer]
}

// of returns the answer that is known, or nil.
func (s *answers) of(key answerKey) *answer {
	known := s.known.Load()
	if known == nil {
		return nil
	}
	return (*known)[key]
}

// add keeps an answer, and returns the one that was kept first.
func (s *answers) add(key answerKey, a *answer) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.of(key); first != nil {
		return first
	}
	more := map[answerKey]*answer{key: a}
	if known := s.known.Load(); known != nil {
		maps.Copy(more, *known)
	}
	s.known.Store(&more)
	return a
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
