package dpop

import (
	"context"
	"fmt"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/quote"
)

// ExplainOptions is what an explanation goes by. The zero value asks nobody, and goes by
// Config.Now.
type ExplainOptions struct {
	_ [0]func()

	// Network allows to ask Config.Nonces where it is no [Sealed], as Verify does.
	Network bool
	// At is when the proof is looked at; zero for now.
	At time.Time
}

// Step is one line of the list of checks, or some that are one function's.
type Step struct {
	// Name is of the line: a Check, or "header" for those of the first part.
	Name string
	// Check is which one failed, or the line's own.
	Check Check
	// Err is why it failed; nil if it did not.
	Err *Error
	// NotReached is why it was not made; empty if it was.
	NotReached string
	// Found is what passed, and Wanted and Fix are Err's, each in words; empty for
	// nothing to say. None holds more of a proof than Err does.
	Found, Wanted, Fix string
}

// Explain makes the checks that [Verifier.Verify] makes, and goes on behind the first
// one that fails: the first step with an Err has Verify's check, unless Verify finds the
// proof spent, which only spending it tells. It lets nobody in, and spends and remembers
// nothing. Each call may cost a signature.
func (v *Verifier) Explain(ctx context.Context, r *Request, o ExplainOptions) []Step {
	if v == nil || v.headers == nil {
		return []Step{stepOf("unavailable", CheckUnavailable, "", "", errNotMade)}
	}
	now := o.At
	if now.IsZero() {
		now = v.now()
	}
	var e explanation
	text := borrow()
	defer text.giveBack()

	var raw string
	var parts jws.Compact
	field := e.do("field", CheckField, "", func() (_ string, failed *Error) {
		raw, failed = v.oneProof(r.Proofs)
		return fmt.Sprintf("one of %d bytes", len(raw)), failed
	})
	whole := e.do("parts", CheckParts, unless(field, "there is not one proof to look at"), func() (string, *Error) {
		var failed *Error
		parts, failed = split(raw)
		return "", failed
	})
	stop := unless(whole, "there are no parts to look at")

	var h header
	var key jwk
	headed := e.do("header", CheckJWK, stop, func() (found string, failed *Error) {
		h, failed = v.header(text, &key, parts.Header)
		return "alg " + quote.Value(h.alg), failed
	})
	var c claims
	read := e.do("claims", CheckClaims, stop, func() (string, *Error) { return "", readClaims(text, &parts, r, &c) })
	var signature []byte
	encoded := e.do("encoding", CheckEncoding, stop, func() (_ string, failed *Error) {
		signature, failed = decode(text.signature[:0], parts.Signature)
		return "of the signature", failed
	})
	stop = unless(read, "the claims cannot be read")
	e.do("htm", CheckMethod, stop, func() (string, *Error) { return quote.Value(r.Method), checkMethod(&c, r) })
	e.do("iat", CheckIssuedAt, stop, func() (string, *Error) {
		return now.Sub(c.iat).Truncate(time.Second).String() + " old", v.checkTime(&c, now)
	})
	e.do("ath", CheckTokenHash, stop, func() (string, *Error) { return "", checkHash(&c, r) })
	headless := unless(headed, "the header is refused")
	e.do("jkt", CheckThumbprint, headless, func() (string, *Error) { return "", checkThumbprint(&h, r) })
	e.do("htu", CheckURL, stop, func() (string, *Error) { return quote.Value(withoutQuery(r.URL)), checkURL(&c, r) })
	if v.nonces != nil {
		switch {
		case stop != "" || !v.outside:
		case !o.Network:
			stop = "it is for the store of nonces to say, and nobody is asked"
		case e.failed:
			stop = "it is for the store of nonces to say, which is not asked about a proof that is wrong already"
		}
		e.do("nonce", CheckNonce, stop, func() (string, *Error) {
			_, failed := v.checkNonce(ctx, &c, new(counters))
			return "", failed
		})
	}
	fits := e.do("key", CheckJWK, headless, func() (_ string, failed *Error) {
		h.key, failed = key.public(h.alg)
		return "", failed
	})
	stop = headless
	switch {
	case stop != "":
	case !fits:
		stop = "there is no key to verify it by"
	case !encoded:
		stop = "it cannot be read"
	}
	e.do("signature", CheckSignature, stop, func() (string, *Error) {
		return "by the jwk", v.verify(ctx, &h, parts.SigningInput, signature, r.Source)
	})
	e.do("replay", CheckReplay, "only spending the proof tells whether it was seen before", nil)
	return e.steps
}

type explanation struct {
	steps  []Step
	failed bool // some step did
}

// do makes a check, unless something is in its way, and reports whether it passed.
func (e *explanation) do(name string, usual Check, inTheWay string, check func() (found string, failed *Error)) bool {
	var found string
	var failed *Error
	if inTheWay == "" {
		found, failed = check()
	}
	e.failed = e.failed || failed != nil
	e.steps = append(e.steps, stepOf(name, usual, inTheWay, found, failed))
	return inTheWay == "" && failed == nil
}

func stepOf(name string, usual Check, inTheWay, found string, failed *Error) Step {
	s := Step{Name: name, Check: usual, NotReached: inTheWay, Found: found, Err: failed}
	if failed != nil {
		s.Check, s.Found, s.Wanted, s.Fix = failed.check, failed.found(), failed.wanted(), checks[failed.check].fix
	}
	return s
}

func unless(done bool, why string) string {
	if done {
		return ""
	}
	return why
}
