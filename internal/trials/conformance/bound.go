package conformance

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// about is a challenge of one scheme where proofs are checked and metadata served.
func about(scheme, code, sentence, needs string) string {
	text := scheme + strings.TrimPrefix(challenge(code, sentence, needs), "Bearer")
	text += `, resource_metadata="` + PublicURL + `/.well-known/oauth-protected-resource"`
	if scheme == "DPoP" {
		v, err := dpop.New(dpop.Config{})
		if err != nil {
			panic(err) // the zero Config is good
		}
		text += `, algs="` + strings.Join(v.Algorithms(), " ") + `"`
	}
	return text
}

// in is a verdict with the challenge of a scheme, and that of others which would do, for
// a route that needs these scopes.
func (w Want) in(needs, scheme string, others ...string) Want {
	code := w.Error
	if code == "unauthorized" {
		code = ""
	}
	w.Challenge = about(scheme, code, w.Sentence, needs)
	for _, other := range others {
		w.Challenge += ", " + about(other, "", "", needs)
	}
	return w
}

func badProof(sentence string) Want {
	return Want{Status: 401, Error: "invalid_dpop_proof", Check: validator.CheckProof, Sentence: sentence}.in("orders:read", "DPoP")
}

// keys are the client's, and another one's.
func keys() (mine, other crypto.Signer) {
	return testdata.PrivateKey("p256-a"), testdata.PrivateKey("p256-b")
}

func dpopToken(token string) []string { return []string{"DPoP " + token} }

// bind is a token that is bound to the client's key.
func (w *world) bind(c issuertest.Claims) string {
	mine, _ := keys()
	c.JWKThumbprint = issuertest.Thumbprint(mine.Public())
	return w.token(w.iss, c)
}

// proven is a case with one proof for its token.
func proven(name, token string, change func(*Proof), want Want) Case {
	mine, _ := keys()
	p := Proof{Key: mine, Claims: issuertest.ProofClaims{Token: token}}
	if change != nil {
		change(&p)
	}
	return Case{Name: name, Authorization: dpopToken(token), Proofs: []Proof{p}, Want: want, Bound: true}
}

// proofs are about tokens bound to a key, and bearer tokens beside them.
func proofs(w *world) []Case {
	mine, other := keys()
	good, plain := w.bind(read), w.token(w.iss, read)
	both := w.bind(issuertest.Claims{Scope: "orders:read orders:write"})
	poor := w.bind(issuertest.Claims{})
	claims := issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(mine.Public())}
	const needs = "orders:read"
	replayed := proven("replayed", good, nil, badProof("The DPoP proof was used before."))
	replayed.Replay = true
	twoGates := proven("group and route, and one proof", both, nil, letIn("orders:read orders:write"))
	twoGates.Route = "group/write"
	two := proven("two proofs", good, nil, badProof("The request must carry exactly one DPoP proof."))
	two.Proofs = append(two.Proofs, two.Proofs...)
	unproven := func(name string, authorization []string, want Want) Case {
		return Case{Name: name, Authorization: authorization, Want: want}
	}
	request := badRequest
	asDPoP := proven("a bearer token as DPoP", plain, nil, invalidToken(validator.CheckBinding, "The access token is not bound to a key, and must be sent as a bearer token.").in(needs, "DPoP", "Bearer"))
	asDPoP.At = map[Gate]Want{Bound: boundWanted.in(needs, "DPoP", "Bearer")}
	return []Case{
		unproven("no header", nil, unauthorized.in(needs, "Bearer", "DPoP")),
		unproven("another scheme", []string{"Basic dTpw"}, unauthorized.in(needs, "Bearer", "DPoP")),
		unproven("a bearer token", bearer(plain), letIn("orders:read")),
		unproven("a bound token as a bearer token", bearer(good), invalidToken(validator.CheckBinding, boundSentence).in(needs, "DPoP")),
		unproven("no proof", dpopToken(good), badProof("The request must carry exactly one DPoP proof.")),
		unproven("a scheme without a token", []string{"DPoP"}, request.in(needs, "Bearer")),
		unproven("two words for a token", []string{"DPoP a b"}, request.in(needs, "DPoP")),
		unproven("two fields", []string{"DPoP " + good, "Bearer " + good}, request.in(needs, "Bearer")),

		proven("good", good, nil, letIn("orders:read")),
		proven("good, with the next proof", good, nil, letIn("orders:read")),
		twoGates,
		replayed,
		two,
		proven("no proof but a word", good, func(p *Proof) { *p = Proof{Line: "proof"} }, badProof("The DPoP proof is not a signed JWT.")),
		proven("for another method", good, func(p *Proof) { p.Claims.Method = "PATCH" }, badProof("The DPoP proof is for another HTTP method.")),
		proven("for another path", good, func(p *Proof) { p.Claims.URL = PublicURL + "/elsewhere" }, badProof("The DPoP proof is for another URL.")),
		proven("for another host", good, func(p *Proof) { p.Claims.URL = "https://evil.example/" }, badProof("The DPoP proof is for another URL.")),
		proven("for another token", good, func(p *Proof) { p.Claims.Token = plain }, badProof("The DPoP proof is for another access token, or for none.")),
		proven("by another key", good, func(p *Proof) { p.Key = other }, Want{Status: 401, Error: "invalid_token", Check: validator.CheckBinding, Sentence: "Invalid DPoP key binding"}.in(needs, "DPoP")),
		proven("too few scopes", poor, nil, insufficientScope(needs).in(needs, "DPoP")),
		proven("expired", w.bad(w.iss, issuertest.Expired, claims), nil, w.expired().in(needs, "DPoP", "Bearer")),
		asDPoP,
	}
}

// proofsOnly are about an issuer of which bound tokens alone are accepted.
func proofsOnly(w *world) []Case {
	good, plain := w.bind(read), w.token(w.iss, read)
	const needs = "orders:read"
	return []Case{
		{Name: "no header", Want: unauthorized.in(needs, "DPoP")},
		{Name: "a bearer token", Authorization: bearer(plain), Want: boundWanted.in(needs, "DPoP")},
		{Name: "a bound token as a bearer token", Authorization: bearer(good), Want: invalidToken(validator.CheckBinding, boundSentence).in(needs, "DPoP")},
		proven("good", good, nil, letIn("orders:read")),
		proven("too few scopes", w.bind(issuertest.Claims{}), nil, insufficientScope(needs).in(needs, "DPoP")),
	}
}

func nonces(w *world) []Case {
	good := w.bind(read)
	wanted := Want{Status: 401, Error: "use_dpop_nonce", Check: validator.CheckNonce, Sentence: "The DPoP proof must hold the nonce of this API."}.in("orders:read", "DPoP").with(nextNonce)
	nonce := func(text string) func(*Proof) { return func(p *Proof) { p.Claims.Nonce = text } }
	short := proven("a nonce near its end, and too few scopes", w.bind(issuertest.Claims{}), nonce(endingNonce), insufficientScope("orders:read").in("orders:read", "DPoP").with(nextNonce))
	return []Case{
		proven("none", good, nil, wanted),
		proven("another", good, nonce("made-up"), wanted),
		proven("good", good, nonce(goodNonce), letIn("orders:read")),
		proven("near its end", good, nonce(endingNonce), letIn("orders:read").with(nextNonce)),
		short,
		{Name: "a bearer token", Authorization: bearer(w.token(w.iss, read)), Want: letIn("orders:read")},
	}
}

func whileStoreDown(w *world) []Case {
	down := unavailable
	down.Sentence = "The DPoP proof cannot be checked right now."
	return []Case{
		proven("good", w.bind(read), nil, down),
		{Name: "a bearer token", Authorization: bearer(w.token(w.iss, read)), Want: letIn("orders:read")},
	}
}

// certified are two clients' certificates, and the claims of a token that is bound to the
// first one's.
func certified() (mine, other *tls.Certificate, claims issuertest.Claims) {
	one, two := issuertest.ClientCertificate("orders-sync"), issuertest.ClientCertificate("billing")
	leaf, err := x509.ParseCertificate(one.Certificate[0])
	if err != nil {
		panic(err) // it was just made
	}
	return &one, &two, issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(leaf)}
}

const otherSentence = "The access token is bound to another sender than the one that shows it."

func certificates(w *world) []Case {
	mine, other, claims := certified()
	bound, plain := bearer(w.token(w.iss, claims)), bearer(w.token(w.iss, read))
	return []Case{
		{Name: "its certificate", Authorization: bound, Certificate: mine, Want: letIn("orders:read"), Bound: true},
		{Name: "another", Authorization: bound, Certificate: other, Want: invalidToken(validator.CheckBinding, otherSentence), Bound: true},
		{Name: "none", Authorization: bound, Want: invalidToken(validator.CheckBinding, boundSentence), Bound: true},
		{Name: "too few scopes", Route: "export", Authorization: bound, Certificate: mine, Want: insufficientScope("orders:read orders:export"), Holds: "orders:read", Bound: true},
		{Name: "a bearer token", Authorization: plain, Certificate: other, Want: letIn("orders:read")},
	}
}

// proofsAndCertificates are about a token that is bound to a key and to a certificate.
func proofsAndCertificates(w *world) []Case {
	mine, other, claims := certified()
	token := w.bind(claims)
	show := func(name string, certificate *tls.Certificate, want Want) Case {
		c := proven(name, token, nil, want)
		c.Certificate = certificate
		return c
	}
	unproven := show("no proof", mine, badProof("The request must carry exactly one DPoP proof."))
	unproven.Proofs = nil
	return []Case{
		show("both", mine, letIn("orders:read")),
		show("another certificate", other, invalidToken(validator.CheckBinding, otherSentence).in("orders:read", "DPoP", "Bearer")),
		show("no certificate", nil, invalidToken(validator.CheckBinding, boundSentence).in("orders:read", "DPoP", "Bearer")),
		unproven,
	}
}
