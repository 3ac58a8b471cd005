package doctor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/doctor"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/redistest"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

// scripted is a Redis that answers as it is told, and "OK" to all else.
type scripted struct {
	answers map[string]any
	sent    []string
}

func (s *scripted) Do(_ context.Context, _ string, command ...string) (any, error) {
	s.sent = append(s.sent, command[0])
	answer := s.answers[command[0]]
	if err, failed := answer.(error); failed {
		return nil, err
	}
	return answer, nil
}

func (s *scripted) Session(ctx context.Context, key string, use func(fleet.Do) error) error {
	if err, failed := s.answers["session"].(error); failed {
		return err
	}
	return use(func(ctx context.Context, command ...string) (any, error) { return s.Do(ctx, key, command...) })
}

// withFleet is a file whose fleet goes by this configuration.
func withFleet(t *testing.T, cfg fleet.Config) *config.File {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name, cfg.Secrets = "orders", func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} }
	}
	shared, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shared.Close)
	return &config.File{Fleet: &config.Fleet{Fleet: shared, Config: cfg}}
}

const healthy = "redis_version:7.4.0\r\nrole:master\r\nconnected_slaves:0\r\naof_enabled:1\r\naof_last_write_status:ok\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"

func changed(pairs ...string) map[string]any {
	return map[string]any{"INFO": strings.NewReplacer(pairs...).Replace(healthy)}
}

// TestRedis: each thing that is looked at, by what Redis says of it.
func TestRedis(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	at := func(t time.Time) []any { return []any{fmt.Sprint(t.Unix()), "0"} }
	limited := "maxmemory:1000\r\nused_memory:%d\r\nmaxmemory_policy:%s\r\n"
	for name, test := range map[string]struct {
		answers map[string]any
		change  func(*fleet.Config)
		verdict doctor.Verdict
		what    string
		found   string
		do      string
	}{
		"good":                {changed(), nil, doctor.Good, "redis", "answers after", ""},
		"rights":              {changed(), nil, doctor.Good, "rights", "may be sent", ""},
		"no rights":           {map[string]any{"HSCAN": fleet.Refusal("NOPERM this user"), "MGET": fleet.Refusal("NOPERM this user"), "EVALSHA": fleet.Refusal("NOSCRIPT none")}, nil, doctor.Bad, "rights", "may not: HSCAN, MGET", "docs/fleet.md"},
		"no rights at all":    {map[string]any{"session": fleet.Refusal("NOPERM these keys")}, nil, doctor.Bad, "rights", "NOPERM these keys", "fleet.name"},
		"version":             {changed(), nil, doctor.Good, "version", "Redis 7.4.0", ""},
		"an older one":        {changed("7.4.0", "7.0.15"), nil, doctor.Good, "version", "Redis 7.0.15, which does not say", ""},
		"too old a one":       {changed("7.4.0", "6.0.16"), nil, doctor.Bad, "version", "Redis 6.0.16", "6.2 or later"},
		"Valkey":              {changed("redis_version:7.4.0", "redis_version:7.2.4\r\nvalkey_version:8.1.0"), nil, doctor.Good, "version", "Valkey 8.1.0", ""},
		"no INFO":             {map[string]any{"INFO": fleet.Refusal("NOPERM this user")}, nil, doctor.Doubtful, "settings", "may not send INFO", "+info"},
		"a file":              {changed(), nil, doctor.Good, "persistence", "append-only file is written", ""},
		"no file":             {changed("aof_enabled:1", "aof_enabled:0"), nil, doctor.Doubtful, "persistence", "no append-only file", "appendonly yes"},
		"a full disk":         {changed("status:ok", "status:err"), nil, doctor.Bad, "persistence", "cannot be written", "disk"},
		"alone":               {changed(), nil, doctor.Good, "replication", "primary, replicas: 0", ""},
		"a replica":           {changed("role:master", "role:slave"), nil, doctor.Bad, "replication", "is a replica", "primary"},
		"replicas":            {changed("slaves:0", "slaves:2"), nil, doctor.Doubtful, "replication", "replicas: 2; cut off", "min-replicas-to-write 1"},
		"guarded replicas":    {changed("slaves:0", "slaves:2\r\nmin_slaves_good_slaves:2"), nil, doctor.Good, "replication", "replicas: 2", ""},
		"too few of them":     {changed("slaves:0", "slaves:1"), func(c *fleet.Config) { c.Replicas = 2 }, doctor.Bad, "replication", "wants 2", "fleet.replicas"},
		"no limit":            {changed(), nil, doctor.Good, "memory", "no limit", ""},
		"a limit":             {changed("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", fmt.Sprintf(limited, 100, "noeviction")), nil, doctor.Good, "memory", "noeviction", ""},
		"nearly full":         {changed("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", fmt.Sprintf(limited, 950, "noeviction")), nil, doctor.Doubtful, "memory", "soon nothing", "more memory"},
		"a cache":             {changed("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", fmt.Sprintf(limited, 100, "allkeys-lru")), nil, doctor.Bad, "memory", "what is revoked is taken away", "noeviction"},
		"half a cache":        {changed("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", fmt.Sprintf(limited, 100, "volatile-lru")), nil, doctor.Doubtful, "memory", "seen proofs are taken away", "noeviction"},
		"the same clock":      {map[string]any{"TIME": at(now)}, nil, doctor.Good, "clock", "Redis' is 0s ahead", ""},
		"a clock behind":      {map[string]any{"TIME": at(now.Add(-7 * time.Second))}, nil, doctor.Doubtful, "clock", "7s behind ours", "NTP"},
		"a clock ahead":       {map[string]any{"TIME": at(now.Add(20 * time.Second))}, func(c *fleet.Config) { c.MaxClockSpread = 30 * time.Second }, doctor.Doubtful, "clock", "20s ahead of ours", "NTP"},
		"a clock near enough": {map[string]any{"TIME": at(now.Add(14 * time.Second))}, func(c *fleet.Config) { c.MaxClockSpread = 30 * time.Second }, doctor.Good, "clock", "14s ahead of ours", ""},
		"no TIME":             {map[string]any{"TIME": fleet.Refusal("NOPERM this user")}, nil, doctor.Good, "clock", "is not known", ""},
		"something else":      {map[string]any{"TIME": "noon"}, nil, doctor.Bad, "redis", "no time", "fleet.url"},
		"silence":             {map[string]any{"INFO": errors.New("it hangs")}, nil, doctor.Bad, "redis", "it hangs", "fleet.url"},
		"nobody":              {changed(), nil, doctor.Good, "instances", "none is up", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // with time that passes at once
				if test.answers["TIME"] == nil {
					test.answers["TIME"] = at(now)
				}
				cfg := fleet.Config{Conn: &scripted{answers: test.answers}}
				if test.change != nil {
					test.change(&cfg)
				}
				lines := doctor.Examine(t.Context(), withFleet(t, cfg), doctor.Options{Now: func() time.Time { return now }})
				expect(t, lines, test.verdict, test.what, test.found, test.do)
			})
		})
	}
}

// TestRightsAreThoseOfThePage: each that docs/fleet.md names is tried, but for what
// connecting needs.
func TestRightsAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "An ACL user needs `")
	text, _, _ = strings.Cut(text, "`")
	var want []string
	for _, right := range regexp.MustCompile(`\+([a-z|]+)`).FindAllStringSubmatch(text, -1) {
		if name := strings.ToUpper(right[1]); !slices.Contains([]string{"AUTH", "HELLO", "CLUSTER|SLOTS"}, name) {
			want = append(want, name)
		}
	}
	server := &scripted{answers: map[string]any{"TIME": []any{"0", "0"}}}
	synctest.Test(t, func(t *testing.T) {
		doctor.Examine(t.Context(), withFleet(t, fleet.Config{Conn: server}), doctor.Options{})
	})
	for _, name := range want {
		if !slices.Contains(server.sent, name) {
			t.Errorf("%s is not tried", name)
		}
	}
	for _, name := range server.sent {
		if !slices.Contains(append(want, "INFO", "TIME"), name) {
			t.Errorf("%s is sent, and docs/fleet.md does not name it", name)
		}
	}
}

// fromFile reads a file about a real Redis, with doctor's own way there.
func fromFile(t *testing.T, fleet string) *config.File {
	t.Helper()
	t.Setenv("FLEET", strings.Repeat("s", 32))
	t.Setenv("REDIS", "password")
	f, err := config.Read(strings.NewReader("issuers: [{url: http://127.0.0.1:1, audience: [x]}]\nrevocations: fleet\nfleet: {name: orders, secrets: [{env: FLEET}], " + fleet + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// TestRealRedis: what a real one says, to a user who may do everything and to one who may
// do what docs/fleet.md lists; and who is up, also with another secret.
func TestRealRedis(t *testing.T) {
	rights := []string{"--user", "orders", "on", ">password", "~{m2mguard:orders}:*", "~m2mguard:orders:*", "+eval", "+hset", "+hget", "+hlen", "+hdel", "+hscan",
		"+hincrby", "+hsetnx", "+xadd", "+xread", "+xrevrange", "+pexpire", "+type", "+del", "+exists", "+wait", "+auth", "+hello", "+ping", "+cluster|slots", "+set", "+get", "+mget", "+evalsha"}
	address := redistest.Start(t, append(rights, "--appendonly", "yes", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")...)
	up := withFleet(t, fleet.Config{URL: "redis://" + address}).Fleet
	up.Revocations()
	waitFor(t, up.Revocations())
	revoke := func(issuer string) {
		t.Helper()
		if _, err := up.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "x"))); err != nil {
			t.Fatal(err)
		}
	}
	revoke("http://127.0.0.1:1")
	before := fromFile(t, "url: 'redis://"+address+"'")
	lines := doctor.Examine(t.Context(), before, doctor.Options{})
	before.Close()
	expect(t, lines, doctor.Good, "rights", "may be sent", "")
	expect(t, lines, doctor.Good, "version", "dis", "")
	expect(t, lines, doctor.Good, "persistence", "append-only", "")
	expect(t, lines, doctor.Good, "replication", "primary", "")
	expect(t, lines, doctor.Bad, "memory", "allkeys-lru", "noeviction")
	expect(t, lines, doctor.Good, "clock", "ours", "")
	expect(t, lines, doctor.Good, "list", "entries: 1", "")
	expect(t, lines, doctor.Good, "instances", "1 up", "")
	expect(t, lines, doctor.Good, "secrets", "are those", "")
	revoke("http://127.0.0.1:1/")
	stranger := withFleet(t, fleet.Config{URL: "redis://" + address, Name: "orders", Secrets: func() [][]byte { return [][]byte{bytes.Repeat([]byte("t"), 32)} }})
	waitFor(t, stranger.Fleet.Revocations())
	lines = doctor.Examine(t.Context(), fromFile(t, "url: 'redis://"+address+"', user: orders, password: {env: REDIS}"), doctor.Options{})
	expect(t, lines, doctor.Good, "rights", "may be sent", "")
	expect(t, lines, doctor.Doubtful, "settings", "INFO", "+info")
	expect(t, lines, doctor.Good, "instances", "1 up", "")
	expect(t, lines, doctor.Bad, "secrets", "another secret", "fleet.secrets")
	expect(t, lines, doctor.Doubtful, "list", "entries: 2, of which 1 are about issuers", "misspelt")
}

func waitFor(t *testing.T, list *revocation.List) {
	t.Helper()
	for changed := list.Changed(); !list.Stats().Loaded; changed = list.Changed() {
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatal("the list was not filled")
		}
	}
}

// TestRedisAway: it is said at once, with why.
func TestRedisAway(t *testing.T) {
	lines := doctor.Examine(t.Context(), fromFile(t, "url: 'redis://127.0.0.1:1'"), doctor.Options{})
	expect(t, lines, doctor.Bad, "redis", "connection refused", "fleet.url")
	expect(t, lines, doctor.Bad, "list", "Redis does not answer", "before this one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lines = doctor.Examine(ctx, fromFile(t, "url: 'redis://cache.invalid:6379', user: orders, password: {env: REDIS}"), doctor.Options{})
	expect(t, lines, doctor.Doubtful, "tls", "password goes to cache.invalid:6379 in clear", "rediss://")
}
