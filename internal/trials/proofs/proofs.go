// Package proofs is a catalogue of DPoP proofs (RFC 9449) that an enemy may send, and
// of odd ones that the standards call good, each with what must come of it and where
// that is written. The tests of dpop, of validator and of the adapters run the same
// table; the package knows nothing of what it tests.
package proofs

import (
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Where almost all requests of the catalogue go, and how.
const (
	Base   = "https://api.example.test"
	Path   = "/orders"
	URL    = Base + Path
	Method = "GET"
)

// Now is when the proofs are judged, but those of RFCs.
func Now() time.Time { return time.Date(2026, time.June, 15, 12, 0, 0, 0, time.UTC) }

// Config names the configuration that a case is for.
type Config string

// The configurations.
const (
	Plain     Config = "plain"      // all defaults
	OnlyES256 Config = "ES256 only" // that algorithm alone
	Nonces    Config = "nonces"     // nonces are asked for, GoodNonce and EndingNonce are good
	Example   Config = "example"    // all defaults, for the examples of RFCs
)

// The nonces of the configuration Nonces. NextNonce is handed out.
const (
	GoodNonce   = "good-nonce"
	EndingNonce = "ending-nonce"
	NextNonce   = "next-nonce"
)

// Case is one request and what must come of it.
type Case struct {
	Name   string
	Cite   string // the standard, the vulnerability, or a public issue
	Config Config
	Now    time.Time
	Want   string   // the check that refuses it; empty for none
	Prior  []string // proofs that are sent before, one a request, and must be good
	Proofs []string // the field lines

	Method, URL string
	Token       string
	Thumbprint  string // the token's cnf.jkt
}

// TokenHash is what ath must be.
func (c Case) TokenHash() string { return hashOf(c.Token) }

// Hostile reports whether the case is one to be refused.
func (c Case) Hostile() bool { return c.Want != "" }

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// All builds the catalogue. tokenFor makes an access token that is bound to a
// thumbprint; it is asked once for each.
func All(tokenFor func(thumbprint string) string) []Case {
	b := &builder{tokenFor: tokenFor, tokens: make(map[string]string), config: Plain}
	for _, section := range sections {
		b.config = Plain
		section(b)
	}
	return b.cases
}

var sections = []func(*builder){
	(*builder).fields, (*builder).sizes, (*builder).parts, (*builder).encodings, (*builder).headerJSON, (*builder).claimsJSON,
	(*builder).types, (*builder).algorithms, (*builder).critical, (*builder).references,
	(*builder).noKeys, (*builder).privateKeys, (*builder).curveKeys, (*builder).rsaKeys, (*builder).unfitKeys,
	(*builder).claimForms, (*builder).methods, (*builder).urls, (*builder).times, (*builder).tokenHashes, (*builder).thumbprints,
	(*builder).nonces, (*builder).signatures, (*builder).replays, (*builder).examples,
	(*builder).goodAlgorithms, (*builder).goodHeaders, (*builder).goodClaims, (*builder).goodURLs, (*builder).goodRepeats,
}
