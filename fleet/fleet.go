package fleet

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// Fleet is what instances of one deployment share, as one of them sees it. It is safe
// for concurrent use, and made with New.
type Fleet struct {
	config Config
	keys   *keys
	conn   Conn
	own    *redis // nil where the user brought conn
	list   *revocation.List
	feed   *feed
	opaque [][]byte // what opaque tokens are hashed with, for as long as this lives
}

// New compiles a configuration. Its error holds all faults; New does no I/O. Close ends
// what it begins.
func New(cfg Config) (*Fleet, error) {
	f := &Fleet{config: cfg, conn: cfg.Conn}
	c := &f.config
	c.complete()
	faults := []error{c.faults()}
	if c.URL != "" {
		var err error
		if f.own, err = newRedis(c.URL, c.TLS); err != nil {
			faults = append(faults, err)
		} else {
			f.conn = f.own
		}
	}
	rules := c.Revocations
	rules.File, rules.Secrets = "", nil
	// The list needs the keys, and they the right secrets: one that nobody sees tells
	// what is wrong with the rest.
	trial := rules
	trial.Observer = observe.Observer{}
	if list, err := revocation.New(trial); err != nil {
		faults = append(faults, fmt.Errorf("fleet: Config.Revocations: %w", err))
	} else {
		list.Close()
	}
	err := errors.Join(faults...)
	if err != nil {
		return nil, err
	}
	if f.keys, err = newKeys(c.Name, c.Secrets); err != nil {
		return nil, err
	}
	for _, d := range f.keys.ring.Load().of[forOpaque] {
		f.opaque = append(f.opaque, d.key)
	}
	rules.Secrets = func() [][]byte { return f.opaque }
	if f.list, err = revocation.New(rules); err != nil {
		return nil, fmt.Errorf("fleet: Config.Revocations: %w", err)
	}
	f.feed = newFeed(f)
	return f, nil
}

// ring is what the secrets are now. Where they are none, that is told once in a while.
func (f *Fleet) ring() *keyring {
	ring, err := f.keys.now()
	if err != nil {
		f.feed.tell("secrets", fmt.Errorf("%w; the ones before go on counting", err))
	}
	return ring
}

// OpaqueToken is one opaque token as Revoke's target. It is known by a hash of it alone,
// by the first secret of when New was called: that is one which the list goes by, too,
// whatever Config.Secrets returns since.
func (f *Fleet) OpaqueToken(issuer, token string) revocation.Target {
	return revocation.OpaqueToken(issuer, revocation.HashOpaque(f.opaque[0], issuer, token))
}

// Revocations is the list for validator.Config, filled from Redis from the first call
// on, until Close.
func (f *Fleet) Revocations() *revocation.List {
	f.feed.start()
	return f.list
}

// Conn is the client that Config.URL or Config.Conn says, for who looks at the Redis that
// it leads to. It ends with Close.
func (f *Fleet) Conn() Conn { return f.conn }

var (
	_ fmt.Formatter  = (*Fleet)(nil)
	_ slog.LogValuer = (*Fleet)(nil)
)

// String names the deployment.
func (f *Fleet) String() string { return "fleet " + f.config.Name }

// Format prints what String returns, whatever the verb is.
func (f *Fleet) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, f.String()) }

// LogValue is what log/slog writes.
func (f *Fleet) LogValue() slog.Value { return slog.StringValue(f.String()) }

// Close ends what New, Revocations and Revoke began, and first the list, which lets
// nobody in any more. It says to the others that this instance has gone, if Redis answers; where one takes connections
// and is silent, Close takes up to 3 s.
func (f *Fleet) Close() {
	f.feed.close()
	if f.own != nil {
		f.own.close()
	}
}

// warm has the connection be made, so that the first request that needs Redis does not
// wait for that, too. Where it fails, the next one tries again.
func (f *Fleet) warm() {
	if f.own != nil {
		f.own.dial()
	}
}

// slotKey names what belongs to the deployment as a whole and lives in one slot of a
// cluster, so that one script may change several.
func (f *Fleet) slotKey(what string) string { return "{m2mguard:" + f.config.Name + "}:" + what }

// spreadKey names one of many, which are spread over a cluster's slots.
func (f *Fleet) spreadKey(kind, name string) string {
	return "m2mguard:" + f.config.Name + ":" + kind + ":" + name
}
