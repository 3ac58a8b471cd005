package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// TestProofsPassOnce: 100 proofs, each sent to 20 instances at once, whose clocks are up
// to ten seconds apart.
func TestProofsPassOnce(t *testing.T) {
	const instances, proofs = 20, 100
	servers(t, func(t *testing.T, address string) {
		var fleets []*dpop.Verifier
		for n := range instances {
			off := time.Duration(n)*10*time.Second/(instances-1) - 5*time.Second
			now := func() time.Time { return time.Now().Add(off) }
			f := member(t, address, func(c *fleet.Config) { c.Now, c.ReplayTimeout = now, time.Second })
			fleets = append(fleets, verifier(t, f, now))
		}
		k := newKey(t)
		var passed, replayed [proofs]atomic.Int64
		var sending sync.WaitGroup
		for p := range proofs {
			request := k.proof(t, fmt.Sprintf("proof-%d", p), time.Now())
			for n, v := range fleets {
				sending.Go(func() {
					// A turn, or Redis on a busy machine, may not come in time. Nobody knows
					// then, and such a proof may be spent: it is sent by itself.
					_, err := v.Verify(context.Background(), request)
					var refused *dpop.Error
					switch {
					case err == nil:
						passed[p].Add(1)
					case errors.As(err, &refused) && refused.Check() == dpop.CheckReplay:
						replayed[p].Add(1)
					default:
						t.Errorf("proof %d at instance %d: %v", p, n, err)
					}
				})
			}
			if p%10 == 9 {
				sending.Wait()
			}
		}
		sending.Wait()
		once := 0
		for p := range proofs {
			if passed[p].Load() == 1 && replayed[p].Load() == instances-1 {
				once++
			} else {
				t.Errorf("proof %d passed %d times and was refused %d times", p, passed[p].Load(), replayed[p].Load())
			}
		}
		t.Logf("%d of %d proofs passed exactly once on %d instances", once, proofs, instances)
	})
}

// TestProofsAreKeptLongEnough: at the last moment at which the slowest clock takes a
// proof, it is still known; a moment later nobody takes it.
func TestProofsAreKeptLongEnough(t *testing.T) {
	server := miniredis.RunT(t)
	begun := time.Now().Truncate(time.Second) // as iat is
	var passed time.Duration
	clock := func(off time.Duration) func() time.Time {
		return func() time.Time { return begun.Add(passed + off) }
	}
	fast, slow := clock(5*time.Second), clock(-5*time.Second)
	by := func(now func() time.Time) *dpop.Verifier {
		v, err := dpop.New(dpop.Config{Replays: member(t, server.Addr(), patient).Replays(), Now: now, MaxAhead: -1})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first, last := by(fast), by(slow)
	request := newKey(t).proof(t, "proof", begun)
	if _, err := first.Verify(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	passed = 65*time.Second - time.Millisecond // 60 s by the slow clock
	server.FastForward(passed)
	var refused *dpop.Error
	if _, err := last.Verify(t.Context(), request); !errors.As(err, &refused) || refused.Check() != dpop.CheckReplay {
		t.Errorf("at the last moment: %v", err)
	}
	passed += 2 * time.Second
	if _, err := last.Verify(t.Context(), request); !errors.As(err, &refused) || refused.Check() != dpop.CheckIssuedAt {
		t.Errorf("later: %v", err)
	}
}

// TestProofsWhileSecretsRotate: instances that have one secret in common share what they
// have seen.
func TestProofsWhileSecretsRotate(t *testing.T) {
	server := miniredis.RunT(t)
	var members []*dpop.Verifier
	for _, all := range [][][]byte{{oneSecret, oldSecret}, {oldSecret, oneSecret}, {oneSecret}, {twoSecret, oneSecret}, {oneSecret, twoSecret}} {
		members = append(members, verifier(t, member(t, server.Addr(), func(c *fleet.Config) { patient(c); withSecrets(all...)(c) }), time.Now))
	}
	k := newKey(t)
	for n := range members {
		request := k.proof(t, fmt.Sprintf("proof-%d", n), time.Now())
		for m := range members {
			_, err := members[(n+m)%len(members)].Verify(t.Context(), request)
			if (err == nil) != (m == 0) {
				t.Errorf("first sent to %d, then to %d more: %v", n, m, err)
			}
		}
	}
}

// TestProofsWithoutRedis: what happens is what was chosen, within the time-out.
func TestProofsWithoutRedis(t *testing.T) {
	down := errors.New("connection refused")
	for name, tc := range map[string]struct {
		does  func(context.Context, []string) (any, error)
		costs time.Duration
	}{
		"away":     {func(context.Context, []string) (any, error) { return nil, down }, 0},
		"hanging":  {func(ctx context.Context, _ []string) (any, error) { <-ctx.Done(); return nil, ctx.Err() }, 50 * time.Millisecond},
		"nonsense": {func(context.Context, []string) (any, error) { return int64(1), nil }, 0},
	} {
		for _, alone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, alone %v", name, alone), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &wire{does: tc.does}
					var told []observe.Kind
					var calls []string
					f := member(t, "", func(c *fleet.Config) {
						c.Conn, c.DangerouslyReplaysAlone = w, alone
						c.Observer.Event = func(_ context.Context, e *observe.Event) { told = append(told, e.Kind) }
						c.Observer.Start = func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
							return ctx, func(err error) {
								late := errors.Is(err, context.DeadlineExceeded)
								calls = append(calls, fmt.Sprintf("%s: fails %v, late %v", op.Kind, err != nil, late))
							}
						}
					})
					replays := f.Replays()
					ask := func(id byte) (bool, time.Duration, error) {
						began := time.Now()
						first, err := replays.Remember(t.Context(), dpop.Seen{ID: [16]byte{id}}, time.Minute)
						return first, time.Since(began), err
					}
					first, took, err := ask(1)
					if first != alone || (err == nil) != alone || took != tc.costs {
						t.Errorf("it is the first: %v after %v, %v", first, took, err)
					}
					if first, _, err = ask(1); first || err != nil {
						t.Errorf("what was seen here is the first: %v, %v", first, err)
					}
					_, took, _ = ask(2)
					if wanted := tc.costs; alone && took != 0 || !alone && took != wanted {
						t.Errorf("the next one took %v", took)
					}
					<-time.After(time.Second)
					w.become(func(context.Context, []string) (any, error) { return "OK", nil })
					if first, _, err := ask(3); !first || err != nil {
						t.Errorf("when it is back: %v, %v", first, err)
					}
					if want := []observe.Kind{observe.ReplaysFailed, observe.ReplaysRecovered}; !slices.Equal(told, want) {
						t.Errorf("told %q, wanted %q", told, want)
					}
					want := []string{fmt.Sprintf("remember proof: fails true, late %v", tc.costs > 0), "remember proof: fails false, late false"}
					if !alone { // else the second proof was not asked about
						want = slices.Insert(want, 0, want[0])
					}
					if !slices.Equal(calls, want) {
						t.Errorf("calls %q, wanted %q", calls, want)
					}
				})
			})
		}
	}
}

// TestProofsSeenHereAskNobody, and what Redis holds of others tells nobody, and is spread
// over a cluster's slots.
func TestProofsSeenHereAskNobody(t *testing.T) {
	var names []string
	w := &wire{does: func(_ context.Context, command []string) (any, error) {
		names = append(names, command[1])
		return "OK", nil
	}}
	replays := member(t, "", func(c *fleet.Config) { c.Conn = w }).Replays()
	seen := dpop.Seen{ID: [16]byte([]byte("0123456789abcdef")), Holder: [16]byte([]byte("holder-of-proofs"))}
	for n := range 10 {
		first, err := replays.Remember(t.Context(), seen, time.Minute)
		if err != nil || first != (n == 0) {
			t.Fatalf("time %d: %v, %v", n, first, err)
		}
	}
	if len(names) != 1 {
		t.Fatalf("Redis was asked %d times, wanted once", len(names))
	}
	if strings.Contains(names[0], encode(seen.ID[:])) || strings.ContainsAny(names[0], "{}") {
		t.Errorf("the name is %q", names[0])
	}
}

// TestProofsAreBounded: no more are remembered than was asked for, and Redis is asked
// about no more.
func TestProofsAreBounded(t *testing.T) {
	for _, most := range []int{1_000, 5_000} {
		w := &wire{does: func(context.Context, []string) (any, error) { return "OK", nil }}
		replays := member(t, "", func(c *fleet.Config) { c.Conn, c.MaxProofs = w, most }).Replays()
		passed := 0
		var refused error
		for n := range 6_000 {
			id := [16]byte{byte(n), byte(n >> 8)}
			first, err := replays.Remember(t.Context(), dpop.Seen{ID: id, Holder: id}, time.Hour)
			if first {
				passed++
			} else if refused = err; !strings.Contains(fmt.Sprint(err), "(fleet.Config.MaxProofs)") {
				t.Fatalf("proof %d: %v", n, err)
			}
		}
		if passed > most || passed < most*9/10 || w.calls != passed || refused == nil {
			t.Errorf("%d of %d passed, Redis was asked %d times: %v", passed, most, w.calls, refused)
		}
	}
}

func TestNonces(t *testing.T) {
	ours := member(t, "127.0.0.1:1", nil).Nonces()
	nonce, err := ours.Nonce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*fleet.Config)
		want   dpop.Judgement
	}{
		"another instance":        {nil, dpop.NonceGood},
		"one with a newer secret": {withSecrets(twoSecret, oneSecret), dpop.NonceEnding},
		"one without this secret": {withSecrets(twoSecret), dpop.NonceBad},
		"another deployment":      {func(c *fleet.Config) { c.Name = "reports" }, dpop.NonceBad},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := member(t, "127.0.0.1:1", tc.change).Nonces().Judge(t.Context(), nonce)
			if err != nil || got != tc.want {
				t.Errorf("it is judged %d, %v, wanted %d", got, err, tc.want)
			}
		})
	}
}

// well is a Conn of a Redis that has seen no proof.
type well struct{ nowhere }

func (well) Do(context.Context, string, ...string) (any, error) { return "OK", nil }

// TestMaxProofs: this instance's own memory ends where it was said to, and the error
// names what to change.
func TestMaxProofs(t *testing.T) {
	for name, most := range map[string]int{"1,000": 1000, "3,000": 3000} {
		t.Run(name, func(t *testing.T) {
			f, err := fleet.New(fleet.Config{Conn: well{}, Name: "orders", Secrets: secrets(secretA), MaxProofs: most})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, passed := f.Replays(), 0
			for err == nil && passed <= most {
				p := dpop.Seen{ID: [16]byte{byte(passed >> 8), byte(passed)}}
				copy(p.Holder[:], p.ID[:]) // each its own
				if _, err = r.Remember(t.Context(), p, time.Minute); err == nil {
					passed++
				}
			}
			if passed > most || passed < most*9/10 {
				t.Errorf("%d proofs pass, wanted %d or few less", passed, most)
			}
			if err == nil || !strings.Contains(err.Error(), "fleet.Config.MaxProofs") {
				t.Errorf("the error is %v, wanted Config.MaxProofs in it", err)
			}
		})
	}
}

// TestSecretsThatFailAreTold, whatever they are asked for; those before go on counting.
func TestSecretsThatFailAreTold(t *testing.T) {
	for name, use := range map[string]func(context.Context, *fleet.Fleet) error{
		"replays": func(ctx context.Context, f *fleet.Fleet) error {
			_, err := f.Replays().Remember(ctx, dpop.Seen{}, time.Minute)
			return err
		},
		"nonces": func(ctx context.Context, f *fleet.Fleet) error { _, err := f.Nonces().Nonce(ctx); return err },
		"answers": func(ctx context.Context, f *fleet.Fleet) error {
			_, err := f.Answers().Lease(ctx, introspection.SharedKey{}, time.Second)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var told events
			var gone atomic.Bool
			returned := func() [][]byte {
				if gone.Load() {
					return nil
				}
				return [][]byte{secretA}
			}
			f, err := fleet.New(fleet.Config{Conn: well{}, Name: "orders", Secrets: returned, Observer: told.observer()})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			gone.Store(true)
			for range 3 {
				if err := use(t.Context(), f); err != nil {
					t.Errorf("the secrets before do not count: %v", err)
				}
			}
			if len(told.told) != 1 || !told.has("Config.Secrets returns 0") {
				t.Errorf("told %q, wanted once that there are none", told.told)
			}
		})
	}
}
