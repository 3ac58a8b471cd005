package contender_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelWarn) // key sets are fetched and change all the time
	os.Exit(m.Run())
}

func newFixture(t testing.TB, algorithm string) *fixture.Fixture {
	t.Helper()
	f, err := fixture.New(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// verifiers are all that verify JWTs, ours with and without its cache.
func verifiers(t testing.TB, f *fixture.Fixture) map[string]*contender.Contender {
	t.Helper()
	list := make(map[string]*contender.Contender)
	add := func(name string, c *contender.Contender, err error) {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		list[name] = c
	}
	c, err := contender.M2MGuard(f, nil)
	add("m2mguard", c, err)
	c, err = contender.M2MGuard(f, contender.NoCache)
	add("m2mguard without cache", c, err)
	peers, err := contender.Peers(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		add(p.Name, p, nil)
	}
	return list
}

// Nobody may be measured doing less than the job.
func TestEveryVerifierDoesTheJob(t *testing.T) {
	for _, algorithm := range fixture.Algorithms {
		f := newFixture(t, algorithm)
		bad := map[string]string{"another scope": f.Token(issuertest.Claims{Algorithm: algorithm, Scope: "orders:write"})}
		for _, kind := range []issuertest.Bad{
			issuertest.Tampered, issuertest.OtherKey, issuertest.UnknownKey, issuertest.Expired, issuertest.NotYetValid,
			issuertest.WrongIssuer, issuertest.WrongAudience, issuertest.AlgNone, issuertest.AlgHS256, issuertest.Malformed,
		} {
			bad[kind.String()] = f.Bad(kind, f.Claims())
		}
		for name, c := range verifiers(t, f) {
			t.Run(algorithm+"/"+name, func(t *testing.T) {
				good := f.Good()
				for range 2 {
					if err := c.Allows(t.Context(), good); err != nil {
						t.Errorf("a good token: %v", err)
					}
				}
				for kind, raw := range bad {
					if c.Allows(t.Context(), raw) == nil {
						t.Errorf("accepted a token that is bad: %s", kind)
					}
				}
			})
		}
	}
}

func TestPrimitivesVerify(t *testing.T) {
	for _, algorithm := range fixture.Algorithms {
		f := newFixture(t, algorithm)
		good := f.Good()
		header, rest, _ := strings.Cut(good, ".")
		tampered := header + "." + "A" + rest[1:]
		foreign := f.Bad(issuertest.OtherKey, f.Claims())
		for name, make := range map[string]func(*fixture.Fixture, string) (func() error, error){
			"bare": contender.Bare, "through jwx": contender.Primitive,
		} {
			t.Run(algorithm+"/"+name, func(t *testing.T) {
				for raw, want := range map[string]bool{good: true, tampered: false, foreign: false} {
					verify, err := make(f, raw)
					if err != nil {
						t.Fatal(err)
					}
					if got := verify() == nil; got != want {
						t.Errorf("verified: %v, wanted %v", got, want)
					}
				}
			})
		}
	}
}

// The ASN.1 form of an ECDSA signature depends on leading zeros and high bits,
// which one signature in a few has.
func TestBareECDSAOnManySignatures(t *testing.T) {
	f := newFixture(t, "ES256")
	for _, raw := range f.Distinct(600) {
		verify, err := contender.Bare(f, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryIntrospectorDoesTheJob(t *testing.T) {
	f := newFixture(t, "RS256")
	ours, err := contender.M2MGuardOpaque(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := contender.Zitadel(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*contender.Contender{ours, theirs} {
		t.Cleanup(c.Close)
		t.Run(c.Name, func(t *testing.T) {
			good := f.Opaque(f.Claims())
			for range 2 {
				if err := c.Allows(t.Context(), good); err != nil {
					t.Errorf("a good token: %v", err)
				}
			}
			if c.Allows(t.Context(), f.Opaque(issuertest.Claims{Scope: "orders:write"})) == nil {
				t.Error("accepted a token of another scope")
			}
			for _, kind := range issuertest.OpaqueBads() {
				if kind == issuertest.SenderBound {
					continue // rs.Introspect shows no cnf
				}
				if c.Allows(t.Context(), f.BadOpaque(kind, f.Claims())) == nil {
					t.Errorf("accepted a token that is bad: %v", kind)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range fixture.Algorithms {
		f := newFixture(b, algorithm)
		raw := f.Good()
		for name, c := range verifiers(b, f) {
			b.Run(algorithm+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Allows(b.Context(), raw); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for name, make := range map[string]func(*fixture.Fixture, string) (func() error, error){
			"bare": contender.Bare, "primitive through jwx": contender.Primitive,
		} {
			verify, err := make(f, raw)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(algorithm+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := verify(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRejected(b *testing.B) {
	f := newFixture(b, "RS256")
	for name, c := range verifiers(b, f) {
		if err := c.Allows(b.Context(), f.Good()); err != nil {
			b.Fatal(err)
		}
		for _, rejection := range f.Rejections() {
			b.Run(name+"/"+rejection.Name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if c.Allows(b.Context(), rejection.Token) == nil {
						b.Fatal("a bad token was accepted")
					}
				}
			})
		}
	}
}
