package fleet_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/redistest"
	"github.com/m2mguard/m2mguard/introspection"
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

// rights are those that docs/fleet.md names, and no others.
var rights = []string{"~{m2mguard:orders}:*", "~m2mguard:orders:*", "+eval", "+hset", "+hget", "+hlen", "+hdel", "+hscan",
	"+hincrby", "+hsetnx", "+xadd", "+xread", "+xrevrange", "+pexpire", "+type", "+del", "+exists", "+wait", "+auth", "+hello", "+ping", "+cluster|slots",
	"+set", "+get", "+mget", "+del", "+evalsha"}

func startWithUser(t *testing.T, more ...string) *redistest.Server {
	t.Helper()
	return startRedis(t, slices.Concat([]string{"--user", "orders", "on", ">password"}, rights, more)...)
}

// TestRightsAreDocumented: they and those of TestOtherRights are all that the page names.
func TestRightsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	_, text, _ = strings.Cut(text, "An ACL user needs `")
	text, rest, _ := strings.Cut(text, "`")
	if wanted := strings.ReplaceAll(strings.Join(rights, " "), ":orders", ":NAME"); text != wanted {
		t.Errorf("docs/fleet.md names the rights\n%s, and these tests use\n%s", text, wanted)
	}
	for _, more := range []string{"`+role`", "`+select`", "`+waitaof`"} {
		if !strings.Contains(rest, more) {
			t.Errorf("docs/fleet.md does not name %s", more)
		}
	}
}

// TestACLUser shares all that there is to share.
func TestACLUser(t *testing.T) {
	needsRedis(t)
	url := "redis://orders:password@" + startWithUser(t).Address
	a := open(t, url, func(c *fleet.Config) { c.ReplayTimeout = time.Second })
	bothRefuse(t, a, open(t, url, nil))
	if first, err := a.Replays().Remember(t.Context(), dpop.Seen{ID: [16]byte{1}}, time.Minute); err != nil || !first {
		t.Errorf("a proof: %v, %v", first, err)
	}
	answers, question := a.Answers(), introspection.SharedKey{1}
	if mine, err := answers.Lease(t.Context(), question, time.Second); err != nil || !mine {
		t.Errorf("a lease: %v, %v", mine, err)
	}
	if _, err := answers.Lease(t.Context(), question, 0); err != nil {
		t.Errorf("a lease that ends: %v", err)
	}
	for _, active := range []bool{true, false} {
		saved := introspection.SharedAnswer{Active: active, AskedAt: time.Now(), Keep: time.Minute, Bars: time.Minute, Data: []byte("answer")}
		if err := answers.Save(t.Context(), question, saved); err != nil {
			t.Errorf("an answer is saved: %v", err)
		}
	}
	if got, err := answers.Load(t.Context(), question); err != nil || string(got) != "answer" {
		t.Errorf("an answer is loaded: %q, %v", got, err)
	}
	other := open(t, url, func(c *fleet.Config) { c.Name = "payments"; c.RevokeTimeout = 300 * time.Millisecond })
	if _, err := other.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "batch"))); err == nil {
		t.Error("the user may write another deployment's keys, so that this test shows nothing")
	}
}

// startSentinel starts a sentinel that watches a primary as mymaster.
func startSentinel(t *testing.T, primary *redistest.Server, more ...string) string {
	t.Helper()
	host, port := primary.HostPort()
	address := freeAddress(t)
	_, own, _ := net.SplitHostPort(address)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	lines := append([]string{"port " + own, "bind 127.0.0.1", "sentinel monitor mymaster " + host + " " + port + " 1"}, more...)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := redistest.Program()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program, file, "--sentinel")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	up := &redistest.Server{Address: address}
	eventually(t, "the sentinel answers", func() bool { line, err := up.Do("PING"); return err == nil && line == "+PONG" })
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestOtherRights: by sentinels and with a database's number, a user needs one more.
func TestOtherRights(t *testing.T) {
	needsRedis(t)
	sentinel := func(t *testing.T, server *redistest.Server) string {
		return startSentinel(t, server) + "?master_set=mymaster"
	}
	database := func(_ *testing.T, server *redistest.Server) string { return server.Address + "/1" }
	for name, c := range map[string]struct {
		at    func(*testing.T, *redistest.Server) string
		right string
	}{
		"by sentinels":     {sentinel, "+role"},
		"another database": {database, "+select"},
	} {
		t.Run(name, func(t *testing.T) {
			var told events
			without := open(t, "redis://orders:password@"+c.at(t, startWithUser(t)), func(f *fleet.Config) { f.Observer = told.observer() })
			with := open(t, "redis://orders:password@"+c.at(t, startWithUser(t, c.right)), nil)
			eventually(t, "loaded with "+c.right, loaded(with))
			eventually(t, "told", func() bool { return told.has("NOPERM") && told.has(c.right[1:]) })
			if loaded(without)() {
				t.Errorf("it loads without %s, so that the page names too much", c.right)
			}
		})
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
