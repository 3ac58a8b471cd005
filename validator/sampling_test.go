package validator_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestSampledHits: an observer that times requests is told of each proof and of one
// hit in so many, and of no more.
func TestSampledHits(t *testing.T) {
	const hits = 1000
	for name, tc := range map[string]struct {
		observer    observe.Observer
		least, most int  // hits that are told
		timed       bool // is each of those told
	}{
		"none":              {observe.Observer{}, 0, 0, false},
		"each":              {observe.Observer{SampleHits: 1}, hits, hits, true},
		"one in ten":        {observe.Observer{SampleHits: 10}, 20, 300, true}, // 100 in the mean, and this is eight times its deviation
		"all, and none":     {observe.Observer{Accepted: true}, hits, hits, false},
		"nearly none":       {observe.Observer{SampleHits: math.MaxInt32}, 0, 0, true},
		"a negative number": {observe.Observer{SampleHits: -1}, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			var seen events
			tc.observer.Event = seen.observe
			v := newValidator(t, keysOf(iss), func(c *validator.Config) { c.Observer = tc.observer })
			raw, asks := iss.Token(issuertest.Claims{}), tc.observer.Accepted || tc.timed
			for range hits + 1 {
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			}
			wantOutcome(t, "missing")(v.Verify(t.Context(), ""))
			wantOutcome(t, "exp")(v.Verify(t.Context(), iss.Bad(issuertest.Expired, issuertest.Claims{})))
			ways := map[observe.Way]int{}
			for _, e := range seen.of(observe.Accepted) {
				ways[e.Way]++
				if (e.Took > 0) != tc.timed {
					t.Fatalf("%s took %v", e.Way, e.Took)
				}
			}
			if n := ways[observe.ByCache]; n < tc.least || n > tc.most {
				t.Errorf("told of %d hits of %d, wanted %d to %d", n, hits, tc.least, tc.most)
			}
			if proven := ways[observe.BySignature] == 1; proven != asks {
				t.Errorf("told of the proof: %v, wanted %v", proven, asks)
			}
			refused := seen.of(observe.Refused)
			if len(refused) != 2 || refused[0].Took != 0 || (refused[1].Took > 0) != tc.timed { // nothing was proven of what is missing
				t.Errorf("refusals: %+v", refused)
			}
		})
	}
}

// TestUsedScopes are those of the rule that the token has, in the rule's words.
func TestUsedScopes(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	var seen events
	v := newValidator(t, keysOf(iss), func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: seen.observe}
		c.Issuers[0].Profile.WildcardSuffix = ":*"
	})
	raw := iss.Token(issuertest.Claims{Scope: "orders:read stock:* other"})
	for _, names := range [][]string{nil, {"orders:read"}, {"a", "stock:read", "b", "orders:read", "c"}, {"a"}} {
		if _, err := v.VerifyRequest(t.Context(), &validator.Request{Token: raw, Scopes: names}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var used [][]string
	for _, e := range seen.of(observe.Accepted) {
		used = append(used, e.Used)
	}
	if diff := cmp.Diff([][]string{nil, {"orders:read"}, {"stock:read", "orders:read"}, {}}, used); diff != "" {
		t.Error(diff)
	}
}

// TestWatch: the observer gets the validator when it is made, and hears once of its
// end; of one that cannot be made it hears nothing.
func TestWatch(t *testing.T) {
	var made []*validator.Validator
	ended := 0
	cfg := validator.Config{Observer: observe.Observer{
		Event: func(context.Context, *observe.Event) {},
		Watch: func(subject any) func() {
			made = append(made, subject.(*validator.Validator))
			return func() { ended++ }
		},
	}}
	if _, err := validator.New(cfg); err == nil || len(made) != 0 {
		t.Errorf("error %v, and %d were made", err, len(made))
	}
	cfg.Issuers = []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"api"}}}
	v, err := validator.New(cfg)
	if err != nil || len(made) != 1 || made[0] != v || ended != 0 {
		t.Fatalf("error %v, made %v, ended %d times", err, made, ended)
	}
	v.Close()
	v.Close()
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}

// TestTookCountsWaiting: what the issuer takes is part of it.
func TestTookCountsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		iss.SetFault(issuertest.Introspection, issuertest.Slow(time.Second))
		var seen events
		v := newOpaque(t, iss, func(c *validator.Config) { c.Observer = observe.Observer{SampleHits: 1024, Event: seen.observe} })
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
		if told := seen.of(observe.Accepted); len(told) != 1 || told[0].Took < time.Second || told[0].Way != observe.ByIntrospection {
			t.Errorf("%+v", told)
		}
	})
}
