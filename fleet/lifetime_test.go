package fleet_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/badlink"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestLifetimeRises: what an instance has dropped because all that it matched had
// expired comes back from Redis, when tokens of the issuer live for longer than it knew.
func TestLifetimeRises(t *testing.T) {
	server := miniredis.RunT(t)
	a := start(t, server.Addr(), nil)
	list := a.Revocations()
	list.Serves(issuer, time.Hour)
	eventually(t, "loaded", loaded(a))
	cut := time.Now().Add(-2 * time.Hour)
	if _, err := a.Revoke(t.Context(), revocation.IssuedBefore(revocation.Client(issuer, "batch"), cut)); err != nil {
		t.Fatal(err)
	}
	if n := list.Stats().Entries; n != 0 {
		t.Fatalf("%d entries are held, wanted it to be dropped", n)
	}
	outcome := func(client string) revocation.Outcome { return outcomeOf(a, client, cut) }
	list.Serves(issuer, 0)
	if got := outcome("batch"); got == revocation.Passes {
		t.Error("a revoked token passes")
	}
	eventually(t, "complete again", func() bool { return list.Stats().Incomplete == 0 })
	if got := outcome("batch"); got != revocation.Revoked {
		t.Errorf("outcome %d of a revoked token", got)
	}
	if got := outcome("reports"); got != revocation.Passes {
		t.Errorf("outcome %d of another client's token", got)
	}
}

func outcomeOf(f *fleet.Fleet, client string, issued time.Time) revocation.Outcome {
	var m revocation.Marks
	f.Revocations().Mark(&m, &revocation.Token{Issuer: issuer, Client: client, Subject: client, ID: "1", IssuedAt: issued})
	return f.Revocations().Check(&m, revocation.StaleByConfig).Outcome()
}

// TestLifetimeRisesOverALoss: what was dropped here, and Redis has lost before tokens came
// to live for longer, lets no revoked token pass; another instance that holds it has all
// be right again.
func TestLifetimeRisesOverALoss(t *testing.T) {
	for name, take := range map[string]func(*miniredis.Miniredis) error{
		"all": func(s *miniredis.Miniredis) error { s.FlushAll(); return nil },
		"the entry": func(s *miniredis.Miniredis) error {
			fields, err := s.HKeys(setKey)
			for _, at := range fields {
				s.HDel(setKey, at)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			link, err := badlink.New(server.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer link.Close()
			var told events
			a := startTidy(t, server.Addr(), 100*time.Millisecond, func(c *fleet.Config) { c.Observer = told.observer() })
			a.Revocations().Serves(issuer, time.Hour)
			b := start(t, link.Address, nil) // drops nothing, since it does not know for how long they live
			eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
			cut := time.Now().Add(-2 * time.Hour)
			if _, err := a.Revoke(t.Context(), revocation.IssuedBefore(revocation.Client(issuer, "batch"), cut)); err != nil {
				t.Fatal(err)
			}
			isCurrent := func(when time.Time) func() bool {
				return func() bool { return a.Revocations().Stats().Age < time.Since(when) }
			}
			eventually(t, "a knows what stands", isCurrent(time.Now()))
			link.Cut()
			if err := take(server); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a has read what is left", isCurrent(time.Now()))
			a.Revocations().Serves(issuer, 0)
			eventually(t, "told", func() bool { return told.has("Redis has lost such entries") || a.Revocations().Stats().Incomplete == 0 })
			eventually(t, "a has read it all again", isCurrent(time.Now().Add(300*time.Millisecond)))
			if got := outcomeOf(a, "batch", cut); got == revocation.Passes {
				t.Error("a revoked token passes")
			}
			link.Heal()
			eventually(t, "complete again", func() bool { return a.Revocations().Stats().Incomplete == 0 })
			if got := outcomeOf(a, "batch", cut); got != revocation.Revoked {
				t.Errorf("outcome %d of a revoked token", got)
			}
		})
	}
}
