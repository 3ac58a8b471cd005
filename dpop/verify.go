package dpop

import (
	"context"
	"sync"
)

// Verify checks the proof of one request, whose token must have been proven, and
// spends it. The error is an *Error, and matches one of the sentinels; ctx bounds the
// wait for a turn and the calls of the store.
func (v *Verifier) Verify(ctx context.Context, r *Request) (Result, error) {
	return v.verdict(ctx, r, true)
}

// Check is Verify without its last line: it spends nothing, and a proof that was seen
// before passes. It lets nobody in by itself. It is for what has to be known before a
// proof is spent, and for the second gate in the way of one request.
func (v *Verifier) Check(ctx context.Context, r *Request) (Result, error) {
	return v.verdict(ctx, r, false)
}

func (v *Verifier) verdict(ctx context.Context, r *Request, spend bool) (Result, error) {
	if v == nil || v.headers == nil {
		return Result{}, errNotMade
	}
	nonce, failed := v.check(ctx, r, spend)
	if failed != nil {
		return Result{Nonce: nonce}, failed
	}
	return Result{Nonce: nonce}, nil
}

// text is room for the parts of one proof, used again, so that a flood costs no
// memory, and wiped, so that a dump of it shows no proof.
type text struct {
	header, part []byte // of which the second holds claims
	signature    []byte
	key          [keyRoom]byte
}

// Rooms for what almost all proofs hold; larger ones are made for the occasion.
const (
	headerRoom    = maxHeaderChars * 3 / 4
	partRoom      = 1 << 10
	signatureRoom = 512
)

var texts = sync.Pool{New: func() any {
	return &text{header: make([]byte, 0, headerRoom), part: make([]byte, 0, partRoom), signature: make([]byte, 0, signatureRoom)}
}}

func borrow() *text { return texts.Get().(*text) }

func (t *text) giveBack() {
	clear(t.header[:cap(t.header)])
	clear(t.part[:cap(t.part)])
	clear(t.signature[:cap(t.signature)])
	texts.Put(t)
}
