package fleet_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/badlink"
	"github.com/m2mguard/m2mguard/fleet/internal/redistest"
	"github.com/m2mguard/m2mguard/revocation"
)

var (
	schedules = flag.Int("schedules", 8, "how many random schedules of faults TestFaults runs")
	firstSeed = flag.Uint64("seed", 0, "the first one's seed; 0 for a random one")
	side      = flag.Int("side", 2, "how many of them run side by side")
)

// needsRedis skips a test where there is no redis-server, unless one is called for.
func needsRedis(t *testing.T) {
	t.Helper()
	if _, err := redistest.Program(); err != nil {
		if os.Getenv("M2MGUARD_REDIS_SERVER") != "" {
			t.Fatal(err)
		}
		t.Skip("no redis-server on this machine (M2MGUARD_REDIS_SERVER names one)")
	}
}

func startRedis(t *testing.T, args ...string) *redistest.Server {
	t.Helper()
	server, err := redistest.Start(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

// TestFaults runs random schedules of what networks and stores do. No instance accepts
// what it once refused, unless it was lifted; all agree, and know that they are current,
// within a second after the last fault; and nothing for which Revoke returned is lost.
//
//	go test -run TestFaults -schedules 1000 -timeout 30m
func TestFaults(t *testing.T) {
	needsRedis(t)
	seed := *firstSeed
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	var slowest time.Duration
	var sums counts
	next := 0
	var running sync.WaitGroup
	for range *side {
		running.Go(func() {
			servers := [2]*redistest.Server{startRedis(t, "--appendonly", "yes", "--appendfsync", "no"), startRedis(t, "--appendonly", "yes", "--appendfsync", "no")}
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= *schedules || t.Failed() {
					return
				}
				s := &schedule{t: t, seed: seed + uint64(n), random: rand.New(rand.NewPCG(seed+uint64(n), 0)), servers: servers, name: fmt.Sprint("s", n), lifted: map[string]bool{}, mustRefuse: map[string]bool{}}
				took := s.run()
				mu.Lock()
				slowest = max(slowest, took)
				sums.add(&s.counts)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	t.Logf("%d schedules from seed %d: %+v; all agreed after %v at most", *schedules, seed, sums, slowest.Round(time.Millisecond))
}

// counts is what happened.
//
// Apart is in how many schedules an instance was told that another goes on holding
// something else: with faults twenty times as fast as usual, few.
type counts struct{ Revoked, Failed, Lifted, Faults, Apart int }

func (c *counts) add(o *counts) {
	c.Revoked, c.Failed, c.Lifted, c.Faults, c.Apart = c.Revoked+o.Revoked, c.Failed+o.Failed, c.Lifted+o.Lifted, c.Faults+o.Faults, c.Apart+o.Apart
}

const fleetSize, clientCount = 4, 12

type schedule struct {
	t       *testing.T
	seed    uint64
	name    string
	random  *rand.Rand
	servers [2]*redistest.Server
	primary int
	links   []*badlink.Link
	fleet   []*fleet.Fleet
	steps   []string
	counts
	told events

	mu         sync.Mutex
	lifted     map[string]bool // ever asked to be
	mustRefuse map[string]bool // Revoke returned
	revoking   sync.WaitGroup
}

func (s *schedule) run() (took time.Duration) {
	for n, server := range s.servers {
		if server.Run() {
			if _, err := server.Do("REPLICAOF", "NO", "ONE"); err != nil {
				s.t.Error(n, err)
			}
			_, _ = server.Do("FLUSHALL")
		}
	}
	for range fleetSize {
		link, err := badlink.New(s.servers[0].Address)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer link.Close()
		s.links = append(s.links, link)
		f := s.instance(link.Address)
		defer f.Close()
		s.fleet = append(s.fleet, f)
	}
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(watching) })
	for range 6 + s.random.IntN(10) {
		s.step()
		time.Sleep(time.Duration(s.random.IntN(25)) * time.Millisecond)
	}
	s.revoking.Wait()
	s.heal()
	began := time.Now()
	agreed := s.agree(began)
	took = time.Since(began)
	if s.told.has("though all was read again") {
		s.Apart++
	}
	stop()
	watch.Wait()
	if !agreed {
		s.t.Errorf("seed %d: not all agree a second after the last fault; steps: %q", s.seed, s.steps)
	}
	return took
}

func (s *schedule) instance(address string) *fleet.Fleet {
	f, err := fleet.New(fleet.Config{URL: "redis://" + address, Name: s.name, Secrets: secrets(secretA), RevokeTimeout: 400 * time.Millisecond, Observer: s.told.observer()})
	if err != nil {
		s.t.Error(err)
		panic(err)
	}
	f.Hurry(20)
	f.Revocations()
	return f
}

func (s *schedule) step() {
	link := s.random.IntN(fleetSize)
	client := fmt.Sprint("client-", s.random.IntN(clientCount))
	note := func(format string, values ...any) { s.steps = append(s.steps, fmt.Sprintf(format, values...)) }
	fault := func(format string, values ...any) { s.Faults++; note(format, values...) }
	switch s.random.IntN(20) {
	default:
		lift := s.random.IntN(6) == 0
		note("revoke %s by %d, lift: %v", client, link, lift)
		s.revoke(s.fleet[link], client, lift)
	case 0:
		fault("cut %d", link)
		s.links[link].Cut()
	case 1:
		fault("hold %d", link)
		s.links[link].Hold()
	case 2:
		fault("delay %d", link)
		s.links[link].Delay(time.Duration(s.random.IntN(20)) * time.Millisecond)
	case 3, 4:
		fault("drop %d", link)
		s.links[link].Drop()
	case 5, 6:
		note("heal %d", link)
		s.links[link].Heal()
	case 7:
		fault("repeat and reorder the log")
		s.scramble()
	case 8:
		fault("restart with data")
		s.servers[s.primary].Kill()
		s.check(s.servers[s.primary].Restart())
	case 9:
		fault("restart without data")
		s.servers[s.primary].Kill()
		s.check(s.servers[s.primary].Forget())
		s.check(s.servers[s.primary].Restart())
	case 10:
		fault("flush")
		_, err := s.servers[s.primary].Do("FLUSHALL")
		s.check(err)
	case 11, 12:
		s.failover(fault)
	}
}

func (s *schedule) check(err error) {
	if err != nil {
		s.t.Errorf("seed %d: %v", s.seed, err)
	}
}

// failover has the other server take over, empty or with what it was sent.
func (s *schedule) failover(fault func(string, ...any)) {
	old, other := s.servers[s.primary], s.servers[1-s.primary]
	if s.random.IntN(2) == 0 {
		fault("failover to an empty replica")
		_, err := other.Do("FLUSHALL")
		s.check(err)
	} else {
		fault("failover")
		host, port := old.HostPort()
		_, err := other.Do("REPLICAOF", host, port)
		s.check(err)
		time.Sleep(time.Duration(s.random.IntN(60)) * time.Millisecond)
		_, err = other.Do("REPLICAOF", "NO", "ONE")
		s.check(err)
	}
	s.primary = 1 - s.primary
	for _, link := range s.links {
		link.Target(other.Address)
	}
}

// scramble appends what the log has once more, in another order.
func (s *schedule) scramble() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.servers[s.primary].Address}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		s.check(err)
		return
	}
	defer client.Close()
	key := "{m2mguard:" + s.name + "}:log"
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	entries, err := client.Do(ctx, client.B().Xrange().Key(key).Start("-").End("+").Build()).AsXRange()
	if err != nil {
		return // there is none
	}
	s.random.Shuffle(len(entries), func(a, b int) { entries[a], entries[b] = entries[b], entries[a] })
	for _, e := range entries[:min(len(entries), 30)] {
		command := client.B().Arbitrary("XADD").Keys(key).Args("*")
		for name, value := range e.FieldValues {
			command = command.Args(name, value)
		}
		_ = client.Do(ctx, command.Build()).Error()
	}
}

// revoke revokes or lifts in the background, and notes what must hold from then on. A
// client that somebody lifts has no promise any more.
func (s *schedule) revoke(f *fleet.Fleet, client string, lift bool) {
	entry := revocation.Block(revocation.Client(issuer, client))
	if lift {
		entry = revocation.Lift(revocation.Client(issuer, client))
		s.mu.Lock()
		s.lifted[client] = true
		s.mu.Unlock()
	}
	s.revoking.Go(func() {
		_, err := f.Revoke(context.Background(), entry)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case err != nil:
			s.Failed++
		case lift:
			s.Lifted++
		default:
			s.Revoked++
			s.mustRefuse[client] = true
		}
	})
}

// watch sees each instance all the time.
func (s *schedule) watch(ctx context.Context) {
	var refused [fleetSize][clientCount]bool
	for ctx.Err() == nil {
		for n, f := range s.fleet {
			for c := range clientCount {
				client := fmt.Sprint("client-", c)
				is := refuses(f, client)
				s.mu.Lock()
				lifted := s.lifted[client]
				s.mu.Unlock()
				if refused[n][c] && !is && !lifted {
					s.t.Errorf("seed %d: instance %d accepts %s, which it refused; steps: %q", s.seed, n, client, s.steps)
				}
				refused[n][c] = is
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *schedule) heal() {
	for _, link := range s.links {
		link.Heal()
	}
}

// agree waits for all instances, and one that is new, to say the same; and that it is
// what was promised.
func (s *schedule) agree(began time.Time) bool {
	fresh := s.instance(s.servers[s.primary].Address)
	defer fresh.Close()
	all := append(slices.Clone(s.fleet), fresh)
	wrong := ""
	for late := false; ; late = time.Since(began) > time.Second {
		now := s.differs(all, began)
		if now == "" {
			if late {
				s.t.Errorf("seed %d: %s; all agreed after %v", s.seed, wrong, time.Since(began))
			}
			return !late
		}
		wrong = now
		if time.Since(began) > 10*time.Second {
			s.t.Errorf("seed %d: %s", s.seed, wrong)
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *schedule) differs(all []*fleet.Fleet, began time.Time) string {
	for n, f := range all {
		switch stats := f.Revocations().Stats(); {
		case !stats.Loaded:
			return fmt.Sprintf("instance %d is not loaded", n)
		case stats.Age > time.Since(began):
			return fmt.Sprintf("instance %d is current as of %v ago, before the last fault ended", n, stats.Age)
		}
	}
	for c := range clientCount {
		client := fmt.Sprint("client-", c)
		var verdicts []bool
		for _, f := range all {
			verdicts = append(verdicts, refuses(f, client))
		}
		promised := s.mustRefuse[client] && !s.lifted[client]
		if slices.Contains(verdicts, !verdicts[0]) || promised && !verdicts[0] {
			return fmt.Sprintf("%s is refused: %v, promised: %v", client, verdicts, promised)
		}
	}
	return ""
}
