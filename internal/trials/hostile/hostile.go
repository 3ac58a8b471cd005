// Package hostile is a catalogue of tokens and requests that an enemy may send,
// and of odd ones that the standards call good, each with what must come of it
// and where that is written. The tests of validator and of the adapters run the
// same table; the package knows nothing of what it tests.
package hostile

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Scope is the scope of the route that tokens are tried on. An accepted token
// grants it unless its case says otherwise.
const Scope = "orders:read"

// MaxTokenBytes is the size of the longest token in the catalogue that is to be
// accepted.
const MaxTokenBytes = 16 << 10

// Now is when every token of the catalogue is judged, with ClockSkew.
func Now() time.Time { return time.Date(2026, time.June, 15, 12, 0, 0, 0, time.UTC) }

// ClockSkew is the clock skew that the cases at the edges of exp and nbf assume.
const ClockSkew = 30 * time.Second

// Config names the configuration that a case is for. All of them trust the
// catalogue's issuer for issuertest.Audience.
type Config string

// The configurations.
const (
	Plain        Config = "plain"           // keys, RS256, PS256, ES256 and EdDSA
	Every        Config = "every algorithm" // keys, and all ten algorithms
	Strict       Config = "rfc9068"         // keys, and the profile of RFC 9068
	Introspected Config = "introspection"   // introspection alone
	Both         Config = "both"            // keys for JWTs, introspection for opaque tokens
)

// Case is one token and what must come of it.
type Case struct {
	Name   string
	Cite   string // the standard, the vulnerability, or a library that takes it
	Config Config
	Token  string
	Want   string // the check that refuses it, "scope" for the route's; empty for none
	Scopes string // what an accepted token grants, in lexical order
}

// Request is one request and what must come of it on a route that needs Scope,
// under the configuration Plain.
type Request struct {
	Name   string
	Cite   string
	Header http.Header
	Query  string
	Form   string // if not empty, the request is a POST of it
	Want   string // as in Case
}

// Catalogue is all of it, with the issuer that the tokens are from.
type Catalogue struct {
	Issuer   *issuertest.Issuer
	Cases    []Case
	Requests []Request

	canary atomic.Int64
}

// New starts an issuer whose keys and introspection answers belong to the
// catalogue, and builds the cases. What it started ends with the test.
func New(t testing.TB) *Catalogue {
	t.Helper()
	c := &Catalogue{Issuer: issuertest.New(t)}
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.canary.Add(1)
		_, _ = w.Write(keySet()) // what an attacker would want to be read
	}))
	t.Cleanup(canary.Close)

	b := &builder{issuer: c.Issuer.URL(), canary: canary.URL, answers: make(map[string]answer)}
	for _, section := range sections {
		b.config = Plain
		section(b)
	}
	c.Cases = b.cases
	c.Requests = b.requests()
	c.Issuer.SetClock(Now)
	c.Issuer.SetJWKS(keySet(), nil)
	c.Issuer.SetFault(issuertest.Introspection, answering(b.answers))
	return c
}

// CanaryRequests is how often somebody followed a URL out of a token. It must
// stay 0.
func (c *Catalogue) CanaryRequests() int { return int(c.canary.Load()) }

// Hostile reports whether the case is one to be refused.
func (c Case) Hostile() bool { return c.Want != "" }

// sections are the parts of the catalogue, each in a file with others of its
// kind.
var sections = []func(*builder){
	(*builder).unsecured, (*builder).hmacWithPublicKey, (*builder).algorithmNames, (*builder).pairs,
	(*builder).keyIDs, (*builder).ownKeys, (*builder).critical, (*builder).publishedKeys,
	(*builder).ecdsaSignatures, (*builder).rsaSignatures, (*builder).edwardsSignatures, (*builder).movedSignatures,
	(*builder).base64Twins, (*builder).segments, (*builder).serializations, (*builder).sizes,
	(*builder).headerJSON, (*builder).payloadJSON, (*builder).foldedNames, (*builder).nesting,
	(*builder).expiry, (*builder).notBefore, (*builder).issuedAt, (*builder).claimTypes,
	(*builder).issuers, (*builder).audiences, (*builder).senderBound,
	(*builder).scopesOfAnotherForm, (*builder).scopeNearMisses,
	(*builder).types, (*builder).otherTokens, (*builder).requiredClaims,
	(*builder).introspectionAnswers, (*builder).noFallback,
	(*builder).goodAlgorithms, (*builder).goodHeaders, (*builder).goodTimes, (*builder).goodClaims,
	(*builder).goodScopes, (*builder).goodJSON, (*builder).goodOpaque,
}
