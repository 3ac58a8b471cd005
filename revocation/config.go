package revocation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/observe"
)

// Defaults of Config.
const (
	DefaultStaleAfter = 30 * time.Second
	DefaultClockSkew  = 30 * time.Second // validator's
	DefaultMaxEntries = 2_000_000

	defaultPollInterval = 5 * time.Second
)

// Bounds of Config.
const (
	minStaleAfter, maxStaleAfter = time.Second, 24 * time.Hour
	minPoll                      = 100 * time.Millisecond
	maxClockSkew                 = 5 * time.Minute
	minEntries, maxEntries       = 1_000, 20_000_000
	minSecret, maxSecrets        = 32, 2
)

// WhenStale is what happens to a token that nothing is held against, while the feed is
// older than Config.StaleAfter. What is held counts in any case.
type WhenStale uint8

// The policies.
const (
	// StaleByConfig is a route's: as Config.WhenStale says. There it is StaleGoOn.
	StaleByConfig WhenStale = iota
	// StaleGoOn lets it pass by what is held. Observer and Stats say that the feed is
	// stale. A feed's outage would else be one of each API behind it.
	StaleGoOn
	// StaleUnready lets it pass, too, and has Ready say no, so that a balancer takes
	// the instance out. Where one feed is everybody's, that is all of them at once. For
	// one route alone it is StaleGoOn.
	StaleUnready
	// StaleRefuse answers 503.
	StaleRefuse
	// StaleAskIssuer has the issuer asked about the token, as RequireFresh does, and
	// answers 503 where that cannot be. It needs an issuer that has Introspection.
	StaleAskIssuer
)

var staleNames = [...]string{"by config", "go on", "unready", "refuse", "ask issuer"}

// String is what the policy is called in words.
func (w WhenStale) String() string {
	if int(w) < len(staleNames) {
		return staleNames[w]
	}
	return fmt.Sprintf("WhenStale(%d)", uint8(w))
}

// Valid reports whether it is one of the policies. Others refuse.
func (w WhenStale) Valid() bool { return int(w) < len(staleNames) }

// Config is what a List is made by. The zero value of each field means its default.
type Config struct {
	_ [0]func()

	// File is the path of a file that the list is filled by, alone. It is looked at
	// every PollInterval, and read when its time, size or inode has changed: also where
	// a link on the way to it was replaced, as those of a mounted ConfigMap are. Replace
	// it as a whole, by renaming another one to its name. What cannot be read changes
	// nothing, and is told once to Observer; not with a path that never led anywhere, not
	// even to a folder other than the root, nor with a bare name such as revoked.json
	// until it was there: it may be a secret in the wrong place. docs/revocation.md has its form.
	// Empty: another feed calls Merge and Current.
	File string

	// PollInterval is how often File is looked at: at least 100 ms and at most half of
	// StaleAfter; default 5 s, or that half if it is less.
	PollInterval time.Duration

	// StaleAfter is how old the feed may be before WhenStale counts: 1 s to 24 h,
	// default 30 s. A file is as old as the last look at it that met no fault, whenever
	// it was written.
	StaleAfter time.Duration

	// WhenStale is what happens then. Default StaleGoOn.
	WhenStale WhenStale

	// AskIssuerAtStart has the issuer asked about each token before the list was
	// filled for the first time, instead of the answer 503; that stays where the issuer
	// cannot be asked.
	AskIssuerAtStart bool

	// DangerouslyServeAtStart lets tokens pass before the list was filled for the first
	// time: an instance that starts while its feed is away serves who was revoked.
	DangerouslyServeAtStart bool

	// DangerouslyPassUnnamed lets a token pass that names no client, or no subject,
	// while entries by client, or by subject, stand for its issuer that it is old enough
	// for. By default it is refused: nobody can tell that it is not that client's.
	DangerouslyPassUnnamed bool

	// Secrets returns what hashes of opaque tokens are made with (HashOpaque), of at
	// least 32 random bytes each: one, or two while they rotate. Entries of either
	// count, so keep the old one for as long as entries that were made with it. New
	// calls it once. Default none: opaque tokens cannot be revoked one by one.
	Secrets func() [][]byte

	// ClockSkew is how far an issuer's clock may be ahead of ours, for entries of
	// IssuedBefore without a time: at most 5 min, default 30 s; negative for none.
	ClockSkew time.Duration

	// MaxEntries is how many entries and remembered lifts are held, of about 40 bytes
	// each: 1,000 to 20,000,000, default 2,000,000. Nothing is forgotten to make room:
	// what finds none is an error of Merge.
	MaxEntries int

	// Observer is told what fails (observe.FeedFailed, FeedStale, FeedRecovered,
	// Unrevocable).
	Observer observe.Observer

	// Now is the clock that times of tokens and entries are held against; default
	// time.Now. How old the feed is goes by the monotonic clock.
	Now func() time.Time
}

// New compiles a configuration. Its error holds all faults; New does no I/O. Where
// File is set, a goroutine reads it, until Close.
func New(cfg Config) (*List, error) {
	l := &List{config: cfg}
	c := &l.config
	c.StaleAfter = orDefault(c.StaleAfter, DefaultStaleAfter)
	c.PollInterval = orDefault(c.PollInterval, min(defaultPollInterval, c.StaleAfter/2))
	c.WhenStale = orDefault(c.WhenStale, StaleGoOn)
	c.ClockSkew = max(0, orDefault(c.ClockSkew, DefaultClockSkew))
	c.MaxEntries = orDefault(c.MaxEntries, DefaultMaxEntries)
	var secrets [][]byte
	if c.Secrets != nil {
		secrets = c.Secrets()
	}
	for _, secret := range secrets {
		secret = slices.Clone(secret)
		l.hashes = append(l.hashes, func(issuer, token string) string { return HashOpaque(secret, issuer, token) })
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := c.faults(secrets); err != nil {
		return nil, err
	}
	l.generation.Store(generationStep | uint64(unloaded))
	l.homes, l.lives = map[Key]uint32{}, map[Key]uint32{}
	empty := &shard{}
	for n := range l.shards {
		l.shards[n].Store(empty)
	}
	l.unwatch = sync.OnceFunc(c.Observer.Offer(l))
	if c.File != "" {
		ctx, cancel := context.WithCancel(context.Background())
		l.stop = cancel
		l.running.Go(func() { newWatch(l).run(ctx) })
	}
	return l, nil
}

func (c *Config) faults(secrets [][]byte) error {
	var faults []error
	fault := func(format string, values ...any) {
		faults = append(faults, fmt.Errorf("revocation: Config."+format, values...))
	}
	if c.StaleAfter < minStaleAfter || c.StaleAfter > maxStaleAfter {
		fault("StaleAfter is %v, wanted %v to %v", c.StaleAfter, minStaleAfter, maxStaleAfter)
	} else if c.PollInterval < minPoll || c.PollInterval > c.StaleAfter/2 {
		fault("PollInterval is %v, wanted %v to %v, half of StaleAfter: else each look at the file comes too late", c.PollInterval, minPoll, c.StaleAfter/2)
	}
	if !c.WhenStale.Valid() {
		fault("WhenStale is %d, wanted StaleGoOn, StaleUnready, StaleRefuse or StaleAskIssuer", c.WhenStale)
	}
	if c.AskIssuerAtStart && c.DangerouslyServeAtStart {
		fault("AskIssuerAtStart is set beside DangerouslyServeAtStart, wanted one of the two")
	}
	if c.ClockSkew > maxClockSkew {
		fault("ClockSkew is %v, wanted at most %v", c.ClockSkew, maxClockSkew)
	}
	if c.MaxEntries < minEntries || c.MaxEntries > maxEntries {
		fault("MaxEntries is %d, wanted %d to %d", c.MaxEntries, minEntries, maxEntries)
	}
	if len(secrets) > maxSecrets || c.Secrets != nil && len(secrets) == 0 {
		fault("Secrets returns %d, wanted 1 or %d: the one that new entries are made with, and the one before", len(secrets), maxSecrets)
	}
	for n, secret := range secrets {
		if len(secret) < minSecret {
			fault("Secrets returns one of %d bytes, wanted at least %d random ones", len(secret), minSecret)
		}
		if n > 0 && slices.Equal(secret, secrets[0]) {
			fault("Secrets returns the same twice, wanted two or one")
		}
	}
	return errors.Join(faults...)
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
