package revocation_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// TestNewReportsAllFaults by field, with what is wanted.
func TestNewReportsAllFaults(t *testing.T) {
	for name, c := range map[string]struct {
		config revocation.Config
		want   []string
	}{
		"StaleAfter":  {revocation.Config{StaleAfter: time.Millisecond}, []string{"Config.StaleAfter is 1ms, wanted 1s to 24h0m0s"}},
		"long":        {revocation.Config{StaleAfter: 25 * time.Hour}, []string{"Config.StaleAfter is 25h0m0s"}},
		"poll":        {revocation.Config{PollInterval: 20 * time.Second}, []string{"Config.PollInterval is 20s, wanted 100ms to 15s, half of StaleAfter"}},
		"busy":        {revocation.Config{PollInterval: time.Millisecond}, []string{"Config.PollInterval is 1ms"}},
		"policy":      {revocation.Config{WhenStale: 9}, []string{"Config.WhenStale is 9"}},
		"start":       {revocation.Config{AskIssuerAtStart: true, DangerouslyServeAtStart: true}, []string{"AskIssuerAtStart is set beside DangerouslyServeAtStart"}},
		"skew":        {revocation.Config{ClockSkew: time.Hour}, []string{"Config.ClockSkew is 1h0m0s, wanted at most 5m0s"}},
		"entries":     {revocation.Config{MaxEntries: 10}, []string{"Config.MaxEntries is 10, wanted 1000 to 20000000"}},
		"many":        {revocation.Config{MaxEntries: 1 << 30}, []string{"Config.MaxEntries is 1073741824"}},
		"no secret":   {revocation.Config{Secrets: func() [][]byte { return nil }}, []string{"Config.Secrets returns 0, wanted 1 or 2"}},
		"secrets":     {revocation.Config{Secrets: secrets('a', 'b', 'c')}, []string{"Config.Secrets returns 3"}},
		"a short one": {revocation.Config{Secrets: func() [][]byte { return [][]byte{[]byte("hush")} }}, []string{"Config.Secrets returns one of 4 bytes, wanted at least 32 random ones"}},
		"the same":    {revocation.Config{Secrets: secrets('a', 'a')}, []string{"Config.Secrets returns the same twice"}},
		"several":     {revocation.Config{File: "x", StaleAfter: -1, WhenStale: 9, MaxEntries: -1}, []string{"StaleAfter is -1ns", "WhenStale is 9", "MaxEntries is -1"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := revocation.New(c.config)
			if err == nil || l != nil {
				t.Fatal("there is no fault")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, wanted %q", err, want)
				}
			}
			if strings.Count(err.Error(), "revocation: ") != len(c.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestNewCopies its configuration.
func TestNewCopies(t *testing.T) {
	secret := slices.Repeat([]byte{'a'}, 32)
	l := newList(t, revocation.Config{Secrets: func() [][]byte { return [][]byte{secret} }})
	hash := revocation.HashOpaque(secret, example, "token")
	clear(secret)
	tell(t, l, 1, revocation.Block(revocation.OpaqueToken(example, hash)))
	if v := ask(l, &revocation.Token{Issuer: example, Opaque: "token", Client: "c", Subject: "c"}); v.Outcome() != revocation.Revoked {
		t.Error(v)
	}
}

// TestShortBounds: the poll follows StaleAfter.
func TestShortBounds(t *testing.T) {
	l, err := revocation.New(revocation.Config{StaleAfter: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	l.Close()
}
