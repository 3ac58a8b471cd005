package fleet_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/redistest"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/revocation"
)

// own has a node of a cluster serve these slots. Redis 6.2 takes no ranges.
func own(t *testing.T, node *redistest.Server, first, last int) {
	t.Helper()
	for first <= last {
		command := []string{"CLUSTER", "ADDSLOTS"}
		for ; first <= last && len(command) < 2000; first++ {
			command = append(command, strconv.Itoa(first))
		}
		if line, err := node.Do(command...); err != nil || line != "+OK" {
			t.Fatal(line, err)
		}
	}
}

// TestCluster has the slots spread over the nodes of a real cluster.
func TestCluster(t *testing.T) {
	needsRedis(t)
	for name, count := range map[string]int{"one node": 1, "three nodes": 3} {
		t.Run(name, func(t *testing.T) {
			var nodes []*redistest.Server
			for n := range count {
				node := startRedis(t, "--cluster-enabled", "yes")
				own(t, node, n*16384/count, (n+1)*16384/count-1)
				if n > 0 {
					host, port := node.HostPort()
					if line, err := nodes[0].Do("CLUSTER", "MEET", host, port); err != nil || line != "+OK" {
						t.Fatal(line, err)
					}
				}
				nodes = append(nodes, node)
			}
			for _, node := range nodes {
				within(t, 20*time.Second, "the cluster is up", func() bool { return clusterIsUp(t, node, count) })
			}
			url := "redis://" + nodes[0].Address
			change := func(c *fleet.Config) { c.ReplayTimeout = time.Second }
			a, b := open(t, url, change), open(t, url, change)
			bothRefuse(t, a, b)
			sharesAll(t, a, b)
		})
	}
}

func clusterIsUp(t *testing.T, node *redistest.Server, nodes int) bool {
	t.Helper()
	conn, end := fleet.Dial(t, node.Address)
	defer end()
	got, err := conn.Do(t.Context(), "x", "CLUSTER", "SLOTS")
	slots, _ := got.([]any)
	if err != nil || len(slots) != nodes {
		return false
	}
	line, err := node.Do("GET", "x")
	return err == nil && (line == "$-1" || line[:6] == "-MOVED")
}

// within is eventually for what takes longer.
func within(t *testing.T, how time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(how); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, how)
		}
	}
}

// sharesAll has one instance take what another has put into Redis.
func sharesAll(t *testing.T, a, b *fleet.Fleet) {
	t.Helper()
	one, other := a.Replays(), b.Replays()
	store, same := a.Answers(), b.Answers()
	for n := range byte(20) { // of many slots
		p := dpop.Seen{ID: [16]byte{1, n}}
		if first, err := one.Remember(t.Context(), p, time.Minute); err != nil || !first {
			t.Errorf("a proof: %v, %v", first, err)
		}
		if first, err := other.Remember(t.Context(), p, time.Minute); err != nil || first {
			t.Errorf("a proof that was seen: %v, %v", first, err)
		}
		q := introspection.SharedKey{n}
		if err := store.Save(t.Context(), q, introspection.SharedAnswer{Active: true, AskedAt: time.Now(), Keep: time.Minute, Data: []byte("answer")}); err != nil {
			t.Errorf("an answer is saved: %v", err)
		}
		if got, err := same.Load(t.Context(), q); err != nil || string(got) != "answer" {
			t.Errorf("an answer is loaded: %q, %v", got, err)
		}
	}
}

// TestTLS is with certificates on both sides, of a private CA.
func TestTLS(t *testing.T) {
	needsRedis(t)
	folder := t.TempDir()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cache"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile := write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", key)
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	server, err := redistest.Start(t.TempDir(), "--tls-port", port, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certFile, "--tls-auth-clients", "yes")
	switch {
	case err != nil && (strings.Contains(err.Error(), "Bad directive") || strings.Contains(err.Error(), "Failed finding TLS support")):
		t.Skip("this server was built without TLS")
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	secure := func(certificates ...tls.Certificate) func(*fleet.Config) {
		return func(c *fleet.Config) {
			c.TLS = &tls.Config{RootCAs: roots, Certificates: certificates}
			c.ReplayTimeout = time.Second
		}
	}
	a, b := open(t, "rediss://"+address, secure(pair)), open(t, "rediss://"+address, secure(pair))
	bothRefuse(t, a, b)
	sharesAll(t, a, b)
	for name, change := range map[string]func(*fleet.Config){"no certificate of ours": secure(), "the system's CAs": nil} {
		if other := open(t, "rediss://"+address, change); func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := other.Revoke(ctx, revocation.Block(revocation.Client(issuer, "x")))
			return err == nil
		}() {
			t.Errorf("%s: it was revoked", name)
		}
	}
}

// TestSentinelFailover: the primary dies, sentinels have the replica take its place, and
// all go on there by themselves.
func TestSentinelFailover(t *testing.T) {
	needsRedis(t)
	primary, replica := startRedis(t), startRedis(t)
	host, port := primary.HostPort()
	if line, err := replica.Do("REPLICAOF", host, port); err != nil || line != "+OK" {
		t.Fatal(line, err)
	}
	url := "redis://" + startSentinel(t, primary, "sentinel down-after-milliseconds mymaster 500", "sentinel failover-timeout mymaster 3000") + "?master_set=mymaster"
	a, b := open(t, url, nil), open(t, url, func(c *fleet.Config) { c.Replicas = 1; c.RevokeTimeout = 2 * time.Second })
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
	within(t, 15*time.Second, "a replica holds it", func() bool {
		receipt, err := b.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "before")))
		return err == nil && receipt.Replicas == 1
	})
	within(t, 15*time.Second, "the sentinel knows the replica", func() bool {
		conn, end := fleet.Dial(t, sentinelOf(url))
		defer end()
		got, err := conn.Do(t.Context(), "mymaster", "SENTINEL", "REPLICAS", "mymaster")
		list, _ := got.([]any)
		return err == nil && len(list) == 1
	})
	primary.Kill()
	began := time.Now()
	within(t, 30*time.Second, "revoked after the failover", func() bool {
		_, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "after")))
		return err == nil
	})
	eventually(t, "both refuse", func() bool { return refuses(a, "after") && refuses(b, "after") && refuses(b, "before") })
	eventually(t, "current", func() bool {
		return a.Revocations().Stats().Age < 300*time.Millisecond && b.Revocations().Stats().Age < 300*time.Millisecond
	})
	t.Logf("%v after the primary was killed", time.Since(began).Round(time.Millisecond))
	c := open(t, url, nil)
	eventually(t, "a new one refuses", func() bool { return refuses(c, "before") && refuses(c, "after") })
}

func sentinelOf(url string) string {
	return url[len("redis://") : len(url)-len("?master_set=mymaster")]
}
