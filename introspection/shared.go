package introspection

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/m2mguard/m2mguard/internal/typednil"
)

// Shared is a store of answers that instances share, for [Config].Shared. It keeps bytes
// that it need not understand: what they are worth, and until when, is judged by the
// Client that loads them, on its own clock. Implementations are safe for concurrent use.
//
// ctx ends after Config.SharedTimeout, and then a call must return. An error is the
// store's trouble, but for one of [ErrRejected]. Its text reaches logs.
type Shared interface {
	// Load returns what Save kept, or nil if there is nothing.
	Load(ctx context.Context, q SharedKey) ([]byte, error)
	// Save keeps an answer in place of what there was, as far as SharedAnswer says.
	Save(ctx context.Context, q SharedKey, a SharedAnswer) error
	// Lease says whether the caller is to ask the endpoint: it is true for one of those
	// who ask within keep, or until Save was called. With a keep of 0 the one for whom
	// it was true gives it back, and the result means nothing.
	Lease(ctx context.Context, q SharedKey, keep time.Duration) (mine bool, err error)
}

// SharedKey stands for one question: a token, who asks, and whom. It is a hash without
// a key, so a store that others can read must not show it: whoever guesses a token could
// look it up.
type SharedKey [sha256.Size]byte

// SharedAnswer is an answer as it is kept.
type SharedAnswer struct {
	_ [0]func()

	// Data is what Load returns: the answer with its times. It may say who has the
	// token, and what for.
	Data []byte
	// Active is whether the token is active. Answers that are not are what strangers
	// can cause at will, and must not push out others. Yet one takes the place of an
	// active answer about the same token at once.
	Active bool
	// AskedAt is when the endpoint was asked, by the clock of who saves. An active
	// answer must not take the place of an inactive one that was asked for later, nor
	// of one of about the same time, as far as clocks may differ.
	AskedAt time.Time
	// Keep is how long it may be loaded again.
	Keep time.Duration
	// Bars is how long an inactive answer keeps out active ones that were asked for
	// before it, where one was kept.
	Bars time.Duration
}

// ErrRejected is in an error of Load that concerns one entry and not the store: it was
// altered, or is of another place or another key. It counts as none and is reported.
var ErrRejected = errors.New("the entry was rejected")

// sharedFaults reports what is wrong with what concerns Shared.
func (c Config) sharedFaults() (faults []error) {
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("introspection: "+format, args...))
	}
	if c.SharedTimeout < 0 || c.SharedTimeout > maxSharedTimeout {
		add("Config.SharedTimeout is %v, wanted more than 0 and at most %v", c.SharedTimeout, maxSharedTimeout)
	}
	switch {
	case c.Shared == nil:
		if c.SharedAs != "" {
			add("Config.SharedAs is set without Config.Shared, wanted both or none")
		}
		return faults
	case typednil.Is(c.Shared):
		add("Config.Shared is a nil %T, wanted one that was made, or none", c.Shared)
	}
	if c.PositiveLifetime < 0 || c.CacheEntries < 0 {
		add("Config.Shared is set, but no active answer is kept: PositiveLifetime or CacheEntries says none")
	}
	if c.Introspector != nil && c.Issuer == "" {
		add("Config.Issuer is missing: with an Introspector it tells in Config.Shared whose answers they are")
	}
	if _, named := c.Auth.(interface{ clientID() string }); !named && c.SharedAs == "" {
		add("Config.SharedAs is missing: Config.Shared keeps answers apart by who asks, and Config.Auth has no client id")
	}
	return faults
}

// sharedLabel keeps these hashes apart from others.
const sharedLabel = "m2mguard shared answer 1"

// sharedBy is what the keys of all of a Client's questions begin with.
func (c *Config) sharedBy() []byte {
	id := ""
	if auth, named := c.Auth.(interface{ clientID() string }); named {
		id = auth.clientID()
	}
	form := "plain"
	if c.Answers != nil {
		form = "signed"
	}
	return appendTexts(nil, sharedLabel, form, c.Issuer, id, c.SharedAs)
}

// key is that of a question.
func (t *tier) key(endpoint, token string) (key SharedKey) {
	h := sha256.New()
	h.Write(t.by)
	h.Write(appendTexts(nil, endpoint))
	_, _ = io.WriteString(h, token) // a hash has no errors
	h.Sum(key[:0])
	return key
}

// appendTexts writes where each text ends, so that none begins another.
func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
	}
	return b
}
