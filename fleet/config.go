package fleet

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// Bounds of Config.
const (
	maxName = 64
	// minSecret is what a secret must have to be nobody's guess, and maxSecrets how many
	// live at a time while they rotate.
	minSecret, maxSecrets = 32, 2

	defaultRevokeTimeout               = 5 * time.Second
	minRevokeTimeout, maxRevokeTimeout = 100 * time.Millisecond, 5 * time.Minute
	mostReplicas                       = 16

	defaultClockSpread                 = 10 * time.Second
	maxClockSpread                     = time.Minute
	defaultReplayTimeout               = 50 * time.Millisecond
	minReplayTimeout, maxReplayTimeout = time.Millisecond, time.Second

	minProofs, maxProofs = 1_000, 100_000_000 // as dpop.NewMemory's
)

// Config is what New goes by. The zero value of each field but Name, Secrets and one of
// URL and Conn means its default.
type Config struct {
	_ [0]func()

	// URL is where Redis (6.2 or later) or Valkey is, as redis://, rediss:// (TLS) or
	// unix://, with an ACL user's name and password if it has one:
	//
	//	rediss://orders:password@cache.internal:6380/0
	//	redis://node1:6379?addr=node2:6379&addr=node3:6379                      a cluster's nodes
	//	redis://sentinel1:26379?addr=sentinel2:26379&master_set=mymaster        sentinels, and the primary's name
	//
	// Whether it is a cluster is found out.
	URL string

	// TLS is for a rediss URL whose server a private CA vouches for, or that wants a
	// certificate of ours. Default the system's CAs and the URL's host.
	TLS *tls.Config

	// Conn is another client of Redis, instead of URL. Close leaves it open.
	Conn Conn

	// Name is the deployment's: instances of one name and secret share what they have,
	// whatever else lives in the same Redis. 1 to 64 letters, digits, '-', '_' and '.'.
	// All of its keys begin with {m2mguard:Name} or m2mguard:Name.
	Name string

	// Secrets are one or two of at least 32 random bytes each, the same for all of a
	// deployment. The first one seals, and both open. To rotate, let the new one be
	// second everywhere, then first, and take the old one out once what it sealed was
	// written anew (docs/fleet.md). It is called often and must answer from memory. The
	// hash of an opaque token (OpaqueToken) goes by what it returns when New is called.
	Secrets func() [][]byte

	// Revocations says how the list of Revocations does: what is stale and what happens
	// then, how much it holds, and what tokens without a name are. File and Secrets are
	// not to be set; Observer and Now are those below where it has none.
	Revocations revocation.Config

	// Replicas is how many replicas must hold an entry before Revoke goes on: 0 to 16,
	// default 0. The receipt says how many hold it in any case.
	Replicas int

	// RevokeTimeout bounds Revoke where its context does not end before: 100 ms to 5 min,
	// default 5 s.
	RevokeTimeout time.Duration

	// MaxClockSpread is by how much the clocks of any two instances may differ: at most
	// 1 min, default 10 s. A seen proof is kept for as much longer, and an answer that
	// was asked for before a revocation is told by it. One that differs by a minute more
	// has its heartbeats not heard, which is told: it counts as one that fell silent. Redis'
	// own clock need agree with nobody's. More than 10 s is for proofs and revoked answers: package introspection
	// takes no answer of a clock that is further ahead, and reports it
	// (observe.SharedRejected).
	MaxClockSpread time.Duration

	// ReplayTimeout bounds what Replays waits for Redis: 1 ms to 1 s, default 50 ms,
	// which is many times what one nearby takes.
	ReplayTimeout time.Duration

	// MaxProofs is how many live proofs this instance remembers beside Redis, which bounds
	// what clients can have Redis hold, too, of at most 170 bytes each there: 1,000 to 100,000,000, of 48 bytes each at most;
	// default 1,000,000. With defaults each lives for 100 s, so that is 10,000 requests with
	// a proof a second. When that is nearly full, whoever holds most is refused (503) before
	// others, as by dpop.Memory.
	MaxProofs int

	// DangerouslyReplaysAlone lets a proof pass while Redis is away if this instance has
	// not seen it. What is lost: during an outage of Redis, which whoever reaches it can
	// cause, a stolen proof is good once on each instance. Without it, requests with a
	// proof are answered 503 meanwhile.
	DangerouslyReplaysAlone bool

	// Observer is told what fails: observe.FeedFailed, once a minute at most for each kind
	// of fault as long as it lasts, whatever its words are, and observe.ReplaysFailed, once
	// until observe.ReplaysRecovered. What Answers meet is told to introspection.Config.Observer.
	Observer observe.Observer

	// Now is the clock that sequence numbers and what expires go by; default time.Now.
	Now func() time.Time
}

// A URL may hold a password.
var (
	_ fmt.Formatter  = Config{}
	_ slog.LogValuer = Config{}
)

// String names the deployment.
func (c Config) String() string { return "fleet.Config of " + c.Name }

// Format prints what String returns, whatever the verb is.
func (c Config) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.String()) }

// LogValue is what log/slog writes.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// complete fills in defaults.
func (c *Config) complete() {
	c.RevokeTimeout = cmp.Or(c.RevokeTimeout, defaultRevokeTimeout)
	c.MaxClockSpread = cmp.Or(c.MaxClockSpread, defaultClockSpread)
	c.ReplayTimeout = cmp.Or(c.ReplayTimeout, defaultReplayTimeout)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Revocations.Now == nil {
		c.Revocations.Now = c.Now
	}
	if o := c.Revocations.Observer; o.Event == nil && o.Start == nil && o.Watch == nil {
		c.Revocations.Observer = c.Observer
	}
}

// faults are all that is wrong but for what URL and Revocations say.
func (c *Config) faults() error {
	var faults []error
	fault := func(format string, values ...any) {
		faults = append(faults, fmt.Errorf("fleet: Config."+format, values...))
	}
	switch {
	case c.URL == "" && c.Conn == nil:
		fault("URL and Conn are empty, wanted one of them: where Redis is")
	case c.URL != "" && c.Conn != nil:
		fault("URL is set beside Conn, wanted one of them")
	case c.TLS != nil && !strings.HasPrefix(c.URL, "rediss:"):
		fault("TLS is set, and URL is no rediss://, wanted both or none")
	}
	switch {
	case c.Name == "" || len(c.Name) > maxName:
		fault("Name has %d characters, wanted 1 to %d", len(c.Name), maxName)
	case strings.ContainsFunc(c.Name, func(r rune) bool { return !isNameLetter(r) }):
		fault("Name is %q, wanted letters, digits, '-', '_' and '.' alone", c.Name)
	}
	if c.Secrets == nil {
		fault("Secrets is nil, wanted one or two secrets of %d random bytes", minSecret)
	} else {
		faults = append(faults, secretFaults(c.Secrets()))
	}
	if c.Revocations.File != "" {
		fault("Revocations.File is set, wanted none: Redis fills this list")
	}
	if c.Revocations.Secrets != nil {
		fault("Revocations.Secrets is set, wanted none: they are derived from Config.Secrets")
	}
	if c.Replicas < 0 || c.Replicas > mostReplicas {
		fault("Replicas is %d, wanted 0 to %d", c.Replicas, mostReplicas)
	}
	if c.RevokeTimeout < minRevokeTimeout || c.RevokeTimeout > maxRevokeTimeout {
		fault("RevokeTimeout is %v, wanted %v to %v", c.RevokeTimeout, minRevokeTimeout, maxRevokeTimeout)
	}
	if c.MaxClockSpread < 0 || c.MaxClockSpread > maxClockSpread {
		fault("MaxClockSpread is %v, wanted more than 0 and at most %v", c.MaxClockSpread, maxClockSpread)
	}
	if c.ReplayTimeout < minReplayTimeout || c.ReplayTimeout > maxReplayTimeout {
		fault("ReplayTimeout is %v, wanted %v to %v", c.ReplayTimeout, minReplayTimeout, maxReplayTimeout)
	}
	if c.MaxProofs != 0 && (c.MaxProofs < minProofs || c.MaxProofs > maxProofs) {
		fault("MaxProofs is %d, wanted %d to %d, or 0 for a million", c.MaxProofs, minProofs, maxProofs)
	}
	return errors.Join(faults...)
}

func isNameLetter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.'
}
