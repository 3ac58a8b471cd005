package dpop_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// keptNonces keep what they are asked about, as a store does that has each used once.
type keptNonces struct{ asked []string }

func (*keptNonces) Nonce(context.Context) (string, error) { return "next", nil }

func (n *keptNonces) Judge(_ context.Context, nonce string) (dpop.Judgement, error) {
	for _, known := range n.asked {
		if known == nonce {
			return dpop.NonceBad, nil
		}
	}
	n.asked = append(n.asked, nonce)
	return dpop.NonceGood, nil
}

// TestNonceIsTheStoresToKeep: the memory of a proof is used again and wiped, and what a
// store of nonces got is not.
func TestNonceIsTheStoresToKeep(t *testing.T) {
	s := newSigner(t)
	nonces := new(keptNonces)
	v := newVerifier(t, func(c *dpop.Config) { c.Nonces = nonces })
	with := func(jti, nonce string) *dpop.Request {
		return s.request(s.sign(strings.TrimSuffix(s.claims(jti), "}") + `,"nonce":"` + nonce + `"}`))
	}
	for n, want := range []bool{true, false, false} {
		_, err := v.Verify(t.Context(), with(strings.Repeat("j", n+1), "used once"))
		if (err == nil) != want {
			t.Errorf("request %d: %v", n, err)
		}
	}
	if len(nonces.asked) != 1 || nonces.asked[0] != "used once" {
		t.Errorf("the store has %q", nonces.asked)
	}
}

// seenStore notes what it is asked to remember.
type seenStore struct{ seen []dpop.Seen }

func (s *seenStore) Remember(_ context.Context, p dpop.Seen, _ time.Duration) (bool, error) {
	s.seen = append(s.seen, p)
	return true, nil
}

// TestHolders: keys of one holder are counted together, and a proof is told by its key
// all the same.
func TestHolders(t *testing.T) {
	store := new(seenStore)
	v := newVerifier(t, func(c *dpop.Config) { c.Replays = store })
	one, two := newSigner(t), newSigner(t)
	for _, r := range []struct {
		by     *signer
		holder string
	}{{one, "a"}, {two, "a"}, {one, "b"}, {one, ""}, {two, ""}, {one, one.jkt}} {
		request := r.by.request(r.by.sign(r.by.claims("jti")))
		request.Holder = r.holder
		if _, err := v.Verify(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	s := store.seen
	if s[0].Holder != s[1].Holder || s[0].ID == s[1].ID || s[0].Holder == s[2].Holder || s[0].ID != s[2].ID || s[3].Holder == s[4].Holder || s[3].Holder == s[5].Holder {
		t.Errorf("%x", s)
	}
}

// TestTypedNil: a nil of some type is no default, and panics at its first call.
func TestTypedNil(t *testing.T) {
	for name, cfg := range map[string]dpop.Config{"Replays": {Replays: (*seenStore)(nil)}, "Nonces": {Nonces: (*keptNonces)(nil)}} {
		if _, err := dpop.New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequestAsJSON shows nothing of its proof.
func TestRequestAsJSON(t *testing.T) {
	const private = "s3cr3t"
	text, err := json.Marshal(&dpop.Request{Proofs: []string{private}, TokenHash: private, Thumbprint: private, Holder: private})
	if err != nil || strings.Contains(string(text), private) {
		t.Errorf("%s, %v", text, err)
	}
}

// hangingStore answers when its context ends, if at all.
type hangingStore struct{}

func (hangingStore) Remember(ctx context.Context, _ dpop.Seen, _ time.Duration) (bool, error) {
	<-ctx.Done()
	return true, ctx.Err()
}

// TestStoreThatHangs holds a request for a second.
func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		v := newVerifier(t, func(c *dpop.Config) { c.Replays = hangingStore{} })
		began := time.Now()
		if _, err := v.Verify(t.Context(), s.request(s.sign(s.claims("jti")))); !errors.Is(err, dpop.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}
