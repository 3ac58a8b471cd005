package fleet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

// open makes an instance at a URL, of which a client finds out what it is.
func open(t *testing.T, url string, change func(*fleet.Config)) *fleet.Fleet {
	t.Helper()
	cfg := fleet.Config{URL: url, Name: "orders", Secrets: secrets(secretA)}
	if change != nil {
		change(&cfg)
	}
	f, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.Hurry(10)
	f.Revocations()
	return f
}

// bothRefuse revokes at one of two instances.
func bothRefuse(t *testing.T, a, b *fleet.Fleet) fleet.Receipt {
	t.Helper()
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "batch")))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both refuse", func() bool { return refuses(a, "batch") && refuses(b, "batch") })
	eventually(t, "current", func() bool { return b.Revocations().Stats().Age < 300*time.Millisecond })
	return receipt
}

// TestCluster has all slots on one node of a real cluster.
func TestCluster(t *testing.T) {
	needsRedis(t)
	server := startRedis(t, "--cluster-enabled", "yes")
	if _, err := server.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster is up", func() bool { line, err := server.Do("GET", "x"); return err == nil && line == "$-1" })
	bothRefuse(t, open(t, "redis://"+server.Address, nil), open(t, "redis://"+server.Address, nil))
}

// TestACLUser has the rights that docs/fleet.md names, and no others.
func TestACLUser(t *testing.T) {
	needsRedis(t)
	server := startRedis(t, "--user", "orders", "on", ">password", "~{m2mguard:orders}:*", "~m2mguard:orders:*", "+eval", "+hset", "+hget", "+hlen", "+hdel", "+hscan",
		"+hincrby", "+hsetnx", "+xadd", "+xread", "+xrevrange", "+pexpire", "+exists", "+wait", "+auth", "+hello", "+ping", "+cluster|slots")
	url := "redis://orders:password@" + server.Address
	bothRefuse(t, open(t, url, nil), open(t, url, nil))
	other := open(t, url, func(c *fleet.Config) { c.Name = "payments"; c.RevokeTimeout = 300 * time.Millisecond })
	if _, err := other.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "batch"))); err == nil {
		t.Error("the user may write another deployment's keys, so that this test shows nothing")
	}
}

// TestReplicas: the receipt counts them, and Config.Replicas wants them.
func TestReplicas(t *testing.T) {
	needsRedis(t)
	primary, replica := startRedis(t), startRedis(t)
	a, b := open(t, "redis://"+primary.Address, nil), open(t, "redis://"+primary.Address, nil)
	if receipt := bothRefuse(t, a, b); receipt.Replicas != 0 {
		t.Errorf("%d replicas hold it, wanted none", receipt.Replicas)
	}
	strict := open(t, "redis://"+primary.Address, func(c *fleet.Config) { c.Replicas = 1 })
	entry := revocation.Block(revocation.Client(issuer, "strict"))
	if receipt, err := strict.Revoke(t.Context(), entry); !errors.Is(err, fleet.ErrUnacknowledged) {
		t.Errorf("no replica: %+v, %v; wanted ErrUnacknowledged", receipt, err)
	}
	host, port := primary.HostPort()
	if _, err := replica.Do("REPLICAOF", host, port); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a replica holds it", func() bool {
		receipt, err := strict.Revoke(t.Context(), entry)
		return err == nil && receipt.Replicas == 1
	})
}
