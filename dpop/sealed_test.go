package dpop_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// clock is set by hand.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func secret(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

func sealed(t *testing.T, cfg dpop.SealedConfig) *dpop.Sealed {
	t.Helper()
	s, err := dpop.NewSealed(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func nonceOf(t *testing.T, s *dpop.Sealed) string {
	t.Helper()
	nonce, err := s.Nonce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return nonce
}

func wantJudgement(t *testing.T, s *dpop.Sealed, nonce string, want dpop.Judgement) {
	t.Helper()
	if got, err := s.Judge(t.Context(), nonce); err != nil || got != want {
		t.Errorf("judged %v, %v, wanted %v", got, err, want)
	}
}

func TestSealedNonces(t *testing.T) {
	c := &clock{time.Unix(1781524800, 0)}
	s := sealed(t, dpop.SealedConfig{Now: c.Now})
	nonce := nonceOf(t, s)
	if !regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{20,256}$`).MatchString(nonce) {
		t.Errorf("%q is not of NQCHAR (RFC 9449 §8.1)", nonce)
	}
	if again := nonceOf(t, s); again != nonce {
		t.Error("two nonces at one moment: a flood would have us seal without end")
	}
	start := c.now
	for _, step := range []struct {
		after time.Duration
		want  dpop.Judgement
	}{
		{0, dpop.NonceGood}, {199 * time.Second, dpop.NonceGood}, {200 * time.Second, dpop.NonceEnding}, {299 * time.Second, dpop.NonceEnding},
		{300 * time.Second, dpop.NonceBad}, {time.Hour, dpop.NonceBad}, {-30 * time.Second, dpop.NonceGood}, {-31 * time.Second, dpop.NonceBad},
	} {
		c.now = start.Add(step.after)
		wantJudgement(t, s, nonce, step.want)
	}
	c.now = start.Add(time.Second)
	next := nonceOf(t, s)
	if next == nonce {
		t.Error("one nonce for ever")
	}
	for _, other := range []string{"", next[1:], next + "A", strings.ToLower(next), next[:47] + "=", "A" + next[1:], strings.Repeat("A", 48), nonce[:24] + next[24:]} {
		if other != next {
			wantJudgement(t, s, other, dpop.NonceBad)
		}
	}
	wantJudgement(t, sealed(t, dpop.SealedConfig{Now: c.Now}), next, dpop.NonceBad) // another process
}

// TestRotatingSecrets in a fleet of two, of which one is told later.
func TestRotatingSecrets(t *testing.T) {
	c := &clock{time.Unix(1781524800, 0)}
	one, two := [][]byte{secret('a')}, [][]byte{secret('a')}
	a := sealed(t, dpop.SealedConfig{Now: c.Now, Secrets: func() [][]byte { return one }})
	b := sealed(t, dpop.SealedConfig{Now: c.Now, Secrets: func() [][]byte { return two }})
	old := nonceOf(t, a)
	wantJudgement(t, b, old, dpop.NonceGood)
	one = [][]byte{secret('a'), secret('b')}
	two = [][]byte{secret('b'), secret('a')}
	wantJudgement(t, b, old, dpop.NonceEnding)
	fresh := nonceOf(t, b)
	wantJudgement(t, a, fresh, dpop.NonceEnding)
	wantJudgement(t, b, fresh, dpop.NonceGood)
	one, two = [][]byte{secret('b')}, [][]byte{secret('b')}
	wantJudgement(t, a, old, dpop.NonceBad)
	wantJudgement(t, a, fresh, dpop.NonceGood)
	one = nil
	if _, err := a.Judge(t.Context(), fresh); err == nil {
		t.Error("no secrets, and a judgement")
	}
	if _, err := a.Nonce(t.Context()); err == nil {
		t.Error("no secrets, and a nonce")
	}
}

func TestNewSealedRefuses(t *testing.T) {
	for want, cfg := range map[string]dpop.SealedConfig{
		"Lifetime is 1s":          {Lifetime: time.Second},
		"Lifetime is 2h0m0s":      {Lifetime: 2 * time.Hour},
		"Lifetime is -1ns":        {Lifetime: -1},
		"returns 0 secrets":       {Secrets: func() [][]byte { return nil }},
		"returns 5 secrets":       {Secrets: func() [][]byte { return make([][]byte, 5) }},
		"a secret of 31 bytes":    {Secrets: func() [][]byte { return [][]byte{secret('s')[:31]} }},
		"in place 1, wanted at l": {Secrets: func() [][]byte { return [][]byte{secret('s'), nil} }},
	} {
		if _, err := dpop.NewSealed(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sss") {
			t.Errorf("%v, wanted %q", err, want)
		}
	}
}
