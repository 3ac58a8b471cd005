package conformance

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// PublicURL is what clients call the API by, where proofs of possession are checked.
const PublicURL = "https://api.example.com"

// Driver is an adapter under test.
type Driver interface {
	// Can reports whether there can be such a request: whether the adapter has the gate
	// of its route, and groups, and whether the protocol and the client that asks can
	// send it. [Request.Plain] is the answer where HTTP's own must stay out.
	Can(q *Request) bool
	// Serve starts an API that ends with the test.
	Serve(t testing.TB, s *Setup) API
}

// Setup is what an API is made of.
type Setup struct {
	Validator *validator.Validator
	Routes    []Route
	PublicURL string // that the adapter is configured with; "" for none
	// Certificates has the server end TLS itself, and ask for certificates, of which no
	// authority is known (tls.RequestClientCert).
	Certificates bool
}

// API is a server and a client of it.
type API interface {
	// Target is what a proof of possession for q must be for: method and whole URL.
	Target(q *Request) (method, url string)
	// Ask sends q and returns what came back.
	Ask(t testing.TB, q *Request) Answer
}

// Request is what is asked.
type Request struct {
	Route         Route
	Method        string   // "" for what the protocol does as a rule, GET in HTTP; else HTTP's own
	Query, Form   string   // HTTP's own
	Authorization []string // field lines
	Proofs        []string // DPoP field lines
	Certificate   *tls.Certificate
}

// Plain reports whether q holds nothing of HTTP's own, and no value that gRPC's
// metadata cannot (printable ASCII, without a space at either end).
func (q *Request) Plain() bool {
	if q.Method != "" || q.Query != "" || q.Form != "" {
		return false
	}
	for _, line := range q.Authorization {
		for _, c := range []byte(line) {
			if c < ' ' || c > '~' {
				return false
			}
		}
	}
	return true
}

// Answer is what came back. A driver fills in what its protocol has.
type Answer struct {
	Status    int    // HTTP's; 0 in a protocol that goes by Code
	Code      uint32 // gRPC's and Connect's
	Error     string // as Want.Error; "" in an answer without a body (HEAD)
	Sentence  string
	Challenge string // several are joined by a line feed, which no want holds
	Nonce     string
	Retry     time.Duration // 0 for none
	Said      string
}

// Case is a request and what every adapter answers.
type Case struct {
	Name          string
	Route         string // by its name; "" means orders
	Method        string // "" means any that has no body
	Query, Form   string
	Authorization []string
	Proofs        []Proof
	Certificate   *tls.Certificate
	Replay        bool               // the request is sent twice: let in, and then as Want says
	Want          Want               // of Require
	Holds         string             // scopes of the good token that Want refuses
	Bound         bool               // its token is bound, and proven
	At            map[Gate]Want      // of gates that answer otherwise than these rules have it
	Before        func(t *testing.T) // changes the state
}

// Proof is a proof of possession for a request. What is zero is as it should be.
type Proof struct {
	Key    crypto.Signer
	Claims issuertest.ProofClaims
	Line   string // in the place of a proof
}

// at is the verdict of a gate, from that of Require.
func (c *Case) at(g Gate, proofs bool) Want {
	if w, ok := c.At[g]; ok {
		return w
	}
	w := c.Want
	passes := w.Status == 200 || w.Status == 403
	switch {
	case g == Bound && passes && !c.Bound && proofs:
		return boundWanted.in("orders:read", "Bearer", "DPoP")
	case g == Bound && passes && !c.Bound:
		return boundWanted
	case g == Optional && c.Authorization == nil:
		return nobody
	case g == Report && w.Check == validator.CheckRevoked, g == Report && w.Status == 200:
	case g == Report && w.Status == 403:
		return letIn(c.Holds).with(w.Nonce)
	case g == Report:
		return nobody.with(w.Nonce)
	}
	return w
}

// Run asks an adapter the whole list.
func Run(t *testing.T, d Driver) {
	asked := 0
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			w := s.start(t)
			setup := &Setup{Validator: w.validator, PublicURL: w.publicURL, Certificates: w.certificates, Routes: slices.DeleteFunc(routes(w.validator), func(r Route) bool {
				return !d.Can(&Request{Route: r})
			})}
			api := d.Serve(t, setup)
			for _, c := range s.cases(w) {
				t.Run(c.Name, func(t *testing.T) {
					if c.Before != nil {
						c.Before(t)
					}
					asked += c.ask(t, w, d, api, setup.Routes)
				})
			}
		})
	}
	t.Logf("asked %d times", asked)
}

// ask asks at each gate, and returns how often.
func (c *Case) ask(t *testing.T, w *world, d Driver, api API, routes []Route) (asked int) {
	methods := []string{c.Method}
	if c.Method == "" {
		methods = append(methods, http.MethodHead)
	}
	for _, route := range routes {
		if route.Name != cmp.Or(c.Route, "orders") {
			continue
		}
		for _, method := range methods {
			q := &Request{Route: route, Method: method, Query: c.Query, Form: c.Form, Authorization: c.Authorization, Certificate: c.Certificate}
			if !d.Can(q) {
				continue
			}
			for _, p := range c.Proofs {
				q.Proofs = append(q.Proofs, p.line(api, q))
			}
			if c.Replay {
				first := api.Ask(t, q)
				if first.Status != 200 && (first.Status != 0 || first.Code != 0) {
					t.Errorf("%s %s: the first of two is answered %+v", method, route.Path(), first)
				}
			}
			w.forget()
			got := api.Ask(t, q)
			asked++
			c.compare(t, w, q, got)
		}
	}
	return asked
}

func (p Proof) line(api API, q *Request) string {
	if p.Key == nil {
		return p.Line
	}
	method, url := api.Target(q)
	claims := p.Claims
	claims.Method, claims.URL = cmp.Or(claims.Method, method), cmp.Or(claims.URL, url)
	return issuertest.Proof(p.Key, claims)
}

// compare says where an answer is not as it should be, and whether the observer was
// told why.
func (c *Case) compare(t *testing.T, w *world, q *Request, got Answer) {
	t.Helper()
	want := c.at(q.Route.Gate, w.publicURL != "")
	differs := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s %s: %s is %v, wanted %v", q.Method, q.Route.Path(), what, got, want)
	}
	if got.Status != 0 && got.Status != want.Status {
		differs("the status", got.Status, want.Status)
	}
	if got.Status == 0 && got.Code != want.Code() {
		differs("the code", got.Code, want.Code())
	}
	if q.Method != http.MethodHead {
		for _, text := range []struct{ what, got, want string }{
			{"the error", got.Error, want.Error}, {"the sentence", got.Sentence, want.Sentence}, {"what the handler says", got.Said, want.Said},
		} {
			if text.got != text.want {
				differs(text.what, text.got, text.want)
			}
		}
	}
	if got.Challenge != want.Challenge {
		differs("the challenge", got.Challenge, want.Challenge)
	}
	if got.Nonce != want.Nonce {
		differs("the nonce", got.Nonce, want.Nonce)
	}
	if want.Retry() && got.Retry < time.Second || !want.Retry() && got.Retry != 0 {
		differs("when to try again", got.Retry, want.Retry())
	}
	heard := event{want.Check, false}
	if q.Route.Gate == Report && want.Status == http.StatusOK {
		heard = event{c.Want.Check, c.Want.Check != ""}
	}
	if told := w.told(); heard.check != "" && !slices.Contains(told, heard) {
		differs("what the observer heard", told, heard)
	}
}
