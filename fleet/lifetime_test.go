package fleet_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

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
	outcome := func(client string) revocation.Outcome {
		var m revocation.Marks
		list.Mark(&m, &revocation.Token{Issuer: issuer, Client: client, Subject: client, ID: "1", IssuedAt: cut})
		return list.Check(&m, revocation.StaleByConfig).Outcome()
	}
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
