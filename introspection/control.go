package introspection

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// controlEvery is how often a control is asked about at most.
	controlEvery = time.Second
	// judgement is how long a failed call waits for a control's answer.
	judgement = 3 * controlEvery
	// mostControls is how many tokens are at hand as controls.
	mostControls = 8
	// fewControls is from how many on none is taken that was served from memory.
	fewControls = 4
)

// controls tell an endpoint that is in trouble from one that fails for a token.
//
// A control is a token that the endpoint called active. When a request about
// another token failed, the control is asked about after it: if that is answered
// active, by the same credentials, the failure was about the other token. Any
// active answer that was asked for after the failure serves as well, so that a
// busy endpoint needs no request for this.
//
// Asking again takes the token's text, so a few are held, sealed under a key of
// this process, and given up when they expire, are inactive or are refused.
type controls struct {
	seal cipher.AEAD
	few  atomic.Bool // there are less than fewControls

	mu        sync.Mutex
	events    uint64 // numbers what happens, so that "after" needs no clock
	known     []control
	well      []evidence // the latest of each credential, newest last
	refused   []uint64   // the last controls that failed
	troubleAt time.Time
	trouble   uint64 // when a request about a token last seen active failed last
	flapped   time.Time
	askedAt   time.Time
	asking    bool
	judging   map[string]int // calls that wait for a finding, by source
	judged    int            // of them all
	changed   chan struct{}  // closed when something above has changed
}

// control is a token that was active.
type control struct {
	key      cacheKey
	endpoint string // that called it active
	source   string // who brought it
	sealed   []byte
	exp      time.Time // on the clock of Config.Now; zero for none
}

// evidence is that the endpoint was well for a credential.
type evidence struct {
	endpoint string
	as       credential
	at       uint64 // when the request was sent
}

// finding is what controls say of a failure.
type finding int

const (
	unknown    finding = iota // no control at hand, or none was answered in time
	refusedToo                // controls failed as well
	well                      // a control was active, but perhaps as another client
	wellAsSame                // by the same credentials
	rotated                   // there are other credentials by now
)

func newControls() *controls {
	var key [32]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("introspection: " + err.Error()) // a key of 32 bytes is one
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("introspection: " + err.Error())
	}
	s := &controls{seal: seal, changed: make(chan struct{}), judging: make(map[string]int)}
	s.few.Store(true)
	return s
}

// happens numbers an event.
func (s *controls) happens() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	return s.events
}

// failed numbers a failure, and reports whether known tokens failed last, too.
func (s *controls) failed(known bool) (event uint64, suspect bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	suspect = s.trouble > 0
	for _, e := range s.well {
		if e.at > s.trouble {
			suspect = false
		}
	}
	if known {
		s.trouble, s.troubleAt = s.events, time.Now()
	}
	return s.events, suspect
}

// unsure reports whether a known token failed not long ago, so that one failure is
// no word on its token yet.
func (s *controls) unsure() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.troubleAt.IsZero() && time.Since(s.troubleAt) < judgement
}

// flaps is told of a token that was active at the second try.
func (s *controls) flaps() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flapped = time.Now()
}

// flapping reports whether good tokens have failed of late and not failed when
// they were asked about again: then failing twice proves nothing either.
func (s *controls) flapping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.flapped.IsZero() && time.Since(s.flapped) < judgement
}

// active is told of an active answer.
func (s *controls) active(k *call, sent evidence, exp time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for i, e := range s.well {
		if e.as == sent.as && e.endpoint == sent.endpoint {
			s.well[i].at, found = max(e.at, sent.at), true
		}
	}
	if !found {
		if s.well = append(s.well, sent); len(s.well) > 4 {
			s.well = s.well[1:]
		}
	}
	s.add(k.flight.endpoint, k.flight.key, k.flight.token, k.source, exp)
	s.change()
}

// offer is told of a token that was served from memory, and takes it where there
// are hardly any others.
func (s *controls) offer(endpoint string, key cacheKey, token, source string, exp time.Time) {
	if s.few.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add(endpoint, key, token, source, exp)
	}
}

// add takes a token in the place of the oldest of the source with most, so that no
// one client's tokens are all that there is.
func (s *controls) add(endpoint string, key cacheKey, token, source string, exp time.Time) {
	s.drop(key)
	s.known = append(s.known, control{key, endpoint, strings.Clone(source), s.seal.Seal(nil, nil, []byte(token), key[:]), exp})
	if len(s.known) > mostControls {
		of := make(map[string]int, len(s.known))
		most := 0
		for _, k := range s.known {
			of[k.source]++
			most = max(most, of[k.source])
		}
		oldest := slices.IndexFunc(s.known, func(k control) bool { return of[k.source] == most })
		s.known = slices.Delete(s.known, oldest, oldest+1)
	}
	s.few.Store(len(s.known) < fewControls)
}

// sources reports whether the controls are of several sources.
func (s *controls) severalSources() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.known, func(k control) bool { return k.source != s.known[0].source })
}

// forget gives a token up as a control.
func (s *controls) forget(key cacheKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
}

func (s *controls) drop(key cacheKey) {
	for i := range s.known {
		if s.known[i].key == key {
			s.known = slices.Delete(s.known, i, i+1)
			s.few.Store(len(s.known) < fewControls)
			return
		}
	}
}

func (s *controls) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wake lets those who wait for a finding look again.
func (s *controls) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change()
}

// atHand reports whether there is a control for a token that failed.
func (s *controls) atHand(k *call, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pick(k, now) != nil
}

// pick is the newest control that is another token than the one in question, of
// another source if there is one.
func (s *controls) pick(k *call, now time.Time) (found *control) {
	for i := len(s.known) - 1; i >= 0; i-- {
		c := &s.known[i]
		if c.key == k.flight.key || !c.exp.IsZero() && !now.Before(c.exp) {
			continue
		}
		if c.source != k.source {
			return c
		}
		if found == nil {
			found = c
		}
	}
	return found
}

// find is what is known of the endpoint for a credential, from after an event.
func (s *controls) find(endpoint string, as credential, event uint64) finding {
	found := unknown
	if n := len(s.refused); n > 0 {
		event = max(event, s.refused[n-1]) // what was well before then is not any more
	}
	for _, e := range s.well {
		if e.at <= event || e.endpoint != endpoint {
			continue
		}
		found = well
		if e.as == as && as != "" {
			return wellAsSame
		}
	}
	return found
}
