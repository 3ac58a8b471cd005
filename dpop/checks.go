package dpop

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// This page is the whole list of what a proof must pass, in order (RFC 9449 §4.3,
// §7.1, §11.1). What costs next to nothing comes first. Up to and including the nonce
// nothing is verified or written: garbage costs a twentieth of a signature at most, and
// whoever spends a proof holds its key.
//
//	 1  field       oneProof        exactly one DPoP field line; a comma anywhere is two that were joined
//	 2  size        oneProof        at most Config.MaxProofBytes, before anything is parsed
//	 3  parts       split           three, the compact form
//	 4  encoding    decode          strict base64url, one spelling for each value; header, claims and
//	                                signature when their turn comes
//	 5  json        read            strict, header and claims; what holds too many pieces, a long header,
//	                                and what is dear to read fail size
//	 6  typ         header          dpop+jwt, exactly
//	 7  alg         algorithm       on Config.Algorithms, which are asymmetric
//	 8  crit        header          no crit and no b64
//	 9  reference   header          no x5u, x5c, x5t or jku, nor in the jwk
//	10  jwk         jwk.check       public, without private members, in its one spelling, and one for alg;
//	                jwk.public      that it is a point or a modulus for alg is looked at after nonce, for no
//	                                token is bound to what is none
//	11  claims      claims.check    jti of 1 to 128 bytes, htm, htu and iat, of their types
//	12  htm         checkMethod     the request's method, in its case
//	13  iat         checkTime       at most MaxAge old and MaxAhead ahead
//	14  ath         checkHash       the hash of the token
//	15  jkt         checkThumbprint the jwk's thumbprint is the token's, in constant time
//	16  htu         checkURL        the request's URL, normalised, without query and fragment; the
//	                                dearest of these, so after what a stranger does not pass
//	17  nonce       checkNonce      one of ours, where Config.Nonces is set
//	18  signature   verify          by the jwk, under alg, once a turn has come
//	19  replay      remember        not seen before; last, so that only a good proof is spent
//
// A header that is byte for byte that of a proof whose signature was good passes
// encoding to jwk by memory, for what it says is the same.

// check makes the checks. nonce is what the answer should hand out.
func (v *Verifier) check(ctx context.Context, r *Request, spend bool) (nonce string, failed *Error) {
	raw, failed := v.oneProof(r.Proofs)
	if failed != nil {
		return "", failed
	}
	parts, failed := split(raw)
	if failed != nil {
		return "", failed
	}
	text := borrow()
	defer text.giveBack()
	h, known := v.headers.Get(parts.Header)
	var key jwk
	if !known {
		if h, failed = v.header(text, &key, parts.Header); failed != nil {
			return "", failed
		}
	}
	var c claims
	if failed := readClaims(text, &parts, r, &c); failed != nil {
		return "", failed
	}
	signature, failed := decode(text.signature[:0], parts.Signature)
	if failed != nil {
		return "", failed
	}
	now := v.now()
	if failed := checkMethod(&c, r); failed != nil {
		return "", failed
	}
	if failed := v.checkTime(&c, now); failed != nil {
		return "", failed
	}
	if failed := checkHash(&c, r); failed != nil {
		return "", failed
	}
	if failed := checkThumbprint(&h, r); failed != nil {
		return "", failed
	}
	if failed := checkURL(&c, r); failed != nil {
		return "", failed
	}
	nonce, failed = v.checkNonce(ctx, &c, &v.counters)
	if failed != nil {
		return nonce, failed
	}
	if !known {
		if h.key, failed = key.public(h.alg); failed != nil {
			return nonce, failed
		}
	}
	if failed := v.verify(ctx, &h, parts.SigningInput, signature, r.Source); failed != nil {
		return nonce, failed
	}
	if !known {
		v.headers.Put(parts.Header, h)
	}
	if !spend {
		return nonce, nil
	}
	return nonce, v.remember(ctx, &c, &h, r.Holder, now)
}

// oneProof covers the header field and the size of what it holds.
func (v *Verifier) oneProof(lines []string) (raw string, failed *Error) {
	if len(lines) != 1 {
		return "", refuse(CheckField, fmt.Sprintf("there are %d DPoP field lines", len(lines)))
	}
	raw = lines[0]
	if len(raw) > v.maxProof {
		return "", refuse(CheckSize, fmt.Sprintf("the proof has %d bytes, wanted at most %d", len(raw), v.maxProof))
	}
	if strings.IndexByte(raw, ',') >= 0 {
		return "", refuse(CheckField, "the DPoP field holds a comma")
	}
	return raw, nil
}

// split covers the parts.
func split(raw string) (jws.Compact, *Error) {
	parts, ok := jws.Split(raw)
	if !ok {
		return jws.Compact{}, refuse(CheckParts, "the proof is not three parts with two dots between them")
	}
	return parts, nil
}

// header covers the first part, but for what its key comes to.
func (v *Verifier) header(text *text, key *jwk, part string) (h header, failed *Error) {
	if len(part) > maxHeaderChars {
		return header{}, refuse(CheckSize, fmt.Sprintf("the header has %d characters, wanted at most %d", len(part), maxHeaderChars))
	}
	decoded, failed := decodeJSON(text.header[:0], part)
	if failed != nil {
		return header{}, failed
	}
	var jose joseHeader
	if err := jose.read(decoded); err != nil {
		return header{}, jsonError("the header", err)
	}
	if jose.typ == nil || jose.typ[0] != '"' || !jose.typ.Is(proofType) {
		return header{}, &Error{check: CheckType, got: found(jose.typ), want: []string{proofType}}
	}
	alg, failed := v.algorithm(jose.alg)
	switch {
	case failed != nil:
		return header{}, failed
	case jose.critical:
		return header{}, refuse(CheckCritical, "the header holds crit or b64, and no extension is understood here")
	case jose.foreign:
		return header{}, refuse(CheckReference, "the header holds x5u, x5c, x5t or jku")
	}
	if failed := key.read(jose.jwk); failed != nil {
		return header{}, failed
	}
	if failed := key.check(alg, &text.key); failed != nil {
		return header{}, failed
	}
	return header{alg: alg, thumbprint: key.thumbprint()}, nil
}

func readClaims(text *text, parts *jws.Compact, r *Request, c *claims) *Error {
	most := min(maxClaimsChars, maxBothChars-len(parts.Header))
	if len(parts.Payload) > most+2*len(r.URL) {
		return refuse(CheckSize, fmt.Sprintf("the claims have %d characters, wanted at most %d beside this header, and two for each of the URL", len(parts.Payload), most))
	}
	decoded, failed := decodeJSON(text.part[:0], parts.Payload)
	if failed != nil {
		return failed
	}
	if err := c.read(decoded); err != nil {
		return jsonError("the second part", err)
	}
	return c.check()
}

func checkMethod(c *claims, r *Request) *Error {
	if c.htm != r.Method {
		return &Error{check: CheckMethod, got: []string{strings.Clone(c.htm)}, want: []string{r.Method}}
	}
	return nil
}

func checkURL(c *claims, r *Request) *Error {
	same, problem := sameURL(c.htu, r.URL)
	switch {
	case problem != "":
		return refuse(CheckURL, problem)
	case !same:
		return &Error{check: CheckURL, got: []string{strings.Clone(withoutQuery(c.htu))}, want: []string{withoutQuery(r.URL)}}
	}
	return nil
}

func (v *Verifier) checkTime(c *claims, now time.Time) *Error {
	switch age := now.Sub(c.iat); { // which ends at 292 years
	case c.iat.Before(now.Add(-v.maxAge)):
		return refuse(CheckIssuedAt, fmt.Sprintf("iat is %v old, wanted at most %v", age.Truncate(time.Millisecond), v.maxAge))
	case c.iat.After(now.Add(v.maxAhead)):
		return refuse(CheckIssuedAt, fmt.Sprintf("iat is %v ahead of our clock, wanted at most %v", age.Abs().Truncate(time.Millisecond), v.maxAhead))
	}
	return nil
}

// What a flood of proofs by another key meets, made once.
var (
	errNoATH    = refuse(CheckTokenHash, "the proof has no ath, as one for a token endpoint has none")
	errATH      = refuse(CheckTokenHash, "ath is not the hash of the token")
	errOtherKey = refuse(CheckThumbprint, "the thumbprint of the proof's key is not the token's cnf.jkt")
)

// checkHash covers ath. An empty hash of a token is nobody's.
func checkHash(c *claims, r *Request) *Error {
	switch {
	case !c.hasATH:
		return errNoATH
	case c.ath == "" || c.ath != r.TokenHash:
		return errATH
	}
	return nil
}

// checkThumbprint covers whose key it is.
func checkThumbprint(h *header, r *Request) *Error {
	if subtle.ConstantTimeCompare(h.thumbprint[:], []byte(r.Thumbprint)) != 1 {
		return errOtherKey
	}
	return nil
}

// checkNonce judges the nonce, and returns the next one where it is to be handed out.
// What comes of it is counted in counts.
func (v *Verifier) checkNonce(ctx context.Context, c *claims, counts *counters) (next string, failed *Error) {
	if v.nonces == nil {
		return "", nil
	}
	judgement := NonceBad
	var err error
	if c.nonce != "" {
		within, end := v.bounded(ctx)
		judgement, err = v.nonces.Judge(within, strings.Clone(c.nonce)) // whose memory is wiped
		end()
	}
	if err != nil {
		counts.undecided.Add(1)
		return "", unavailable("the nonce cannot be judged", err)
	}
	if judgement == NonceGood {
		counts.noncesGood.Add(1)
		return "", nil
	}
	within, end := v.bounded(ctx)
	defer end()
	next, err = v.nonces.Nonce(within)
	switch {
	case judgement == NonceEnding: // without a next one it is still good
		counts.noncesGood.Add(1)
		return next, nil
	case err != nil:
		counts.undecided.Add(1)
		return "", unavailable("there is no nonce to hand out", err)
	case c.nonce == "":
		counts.noncesMissing.Add(1)
		return next, refuse(CheckNonce, "the proof has no nonce")
	}
	counts.noncesBad.Add(1)
	return next, refuse(CheckNonce, "the nonce of the proof is unknown, or no longer good")
}

// verify verifies the signature, once a turn has come.
func (v *Verifier) verify(ctx context.Context, h *header, input string, signature []byte, source string) *Error {
	if ctx.Err() != nil { // nobody waits for the answer
		return noTurn(ctx, context.Cause(ctx))
	}
	pool := v.slots.Of(h.key)
	turn, err := pool.Acquire(ctx, source)
	if err != nil {
		return noTurn(ctx, err)
	}
	defer pool.Release(turn)
	if err := jws.Verify(h.alg, h.key, input, signature); err != nil {
		return refuse(CheckSignature, "the signature "+err.Error())
	}
	return nil
}

// storeWait is how long a store of the user's may take.
const storeWait = time.Second

// bounded is a context that ends within storeWait, where something else than this
// process's memory is asked.
func (v *Verifier) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if !v.outside {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, storeWait)
}

// remember spends the proof. It is kept for as long as its iat may be accepted, and as
// much longer as our clock may be set back without a proof being good twice.
func (v *Verifier) remember(ctx context.Context, c *claims, h *header, holder string, now time.Time) *Error {
	keep := c.iat.Add(v.maxAge+v.maxAhead).Sub(now) + time.Second
	within, end := v.bounded(ctx)
	defer end()
	first, err := v.replays.Remember(within, seen(&h.thumbprint, c.jti, holder), keep)
	switch {
	case err != nil:
		v.counters.undecided.Add(1)
		return unavailable("the store of seen proofs", err)
	case !first:
		v.counters.replayed.Add(1)
		return refuse(CheckReplay, "the proof was seen before")
	}
	v.counters.first.Add(1)
	return nil
}
