package introspection

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"sync"
	"time"
)

const (
	// controlEvery is how often a control is asked about at most.
	controlEvery = time.Second
	// judgement is how long a failed call waits for a control's answer.
	judgement = 3 * controlEvery
	// mostControls is how many tokens are at hand as controls.
	mostControls = 8
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

	mu        sync.Mutex
	events    uint64 // numbers what happens, so that "after" needs no clock
	known     []control
	well      []evidence // the latest of each credential, newest last
	refused   []uint64   // the last controls that failed
	troubleAt time.Time
	trouble   uint64 // when a request about a token last seen active failed last
	askedAt   time.Time
	asking    bool
	changed   chan struct{} // closed when something above has changed
}

// control is a token that was active.
type control struct {
	key      cacheKey
	endpoint string
	sealed   []byte
	exp      time.Time // on the clock of Config.Now; zero for none
}

// evidence is that the endpoint was well for a credential.
type evidence struct {
	as credential
	at uint64 // when the request was sent
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
	return &controls{seal: seal, changed: make(chan struct{})}
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

// active is told of an active answer.
func (s *controls) active(f *flight, sent evidence, exp time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for i, e := range s.well {
		if e.as == sent.as {
			s.well[i].at, found = max(e.at, sent.at), true
		}
	}
	if !found {
		if s.well = append(s.well, sent); len(s.well) > 4 {
			s.well = s.well[1:]
		}
	}
	s.drop(f.key)
	s.known = append(s.known, control{f.key, f.endpoint, s.seal.Seal(nil, nil, []byte(f.token), f.key[:]), exp})
	if len(s.known) > mostControls {
		s.known = append(s.known[:0], s.known[1:]...)
	}
	s.change()
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
			s.known = append(s.known[:i], s.known[i+1:]...)
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
func (s *controls) atHand(key cacheKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pick(key, now) != nil
}

// pick is the newest control that is another token than the one in question.
func (s *controls) pick(key cacheKey, now time.Time) *control {
	for i := len(s.known) - 1; i >= 0; i-- {
		k := &s.known[i]
		if k.key != key && (k.exp.IsZero() || now.Before(k.exp)) {
			return k
		}
	}
	return nil
}

// wellSince reports whether a control was active that was asked about as the
// given credential after the event.
func (s *controls) wellSince(as credential, event uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(as, event) == wellAsSame || as == "" && s.find(as, event) == well
}

func (s *controls) find(as credential, event uint64) finding {
	found := unknown
	if n := len(s.refused); n > 0 {
		event = max(event, s.refused[n-1]) // what was well before then is not any more
	}
	for _, e := range s.well {
		if e.at <= event {
			continue
		}
		found = well
		if e.as == as && as != "" {
			return wellAsSame
		}
	}
	return found
}

// consult waits for what controls say of k's failure, or for credentials that
// rotate.
func (c *Client) consult(ctx context.Context, k *call, f *failed) finding {
	s := c.controls
	enough := 2 // one control may have been revoked a moment ago
	if k.lane == c.renewals {
		enough = 1 // k's own token was active, too
	}
	late := time.NewTimer(judgement)
	defer late.Stop()
	rotation := c.awaitRotation(f)
	var followed <-chan struct{}
	if rotation != nil {
		followed = rotation.done
	}
	for {
		if rotation != nil && isDone(followed) {
			if rotation.followed {
				return rotated
			}
			rotation, followed = nil, nil
		}
		now := time.Now()
		s.mu.Lock()
		found := s.find(f.as, f.event)
		refused := 0
		for _, at := range s.refused {
			if at > f.event {
				refused++
			}
		}
		next := s.pick(k.flight.key, c.cfg.Now())
		if found == unknown && (refused >= enough || refused > 0 && next == nil && !s.asking) {
			found = refusedToo
		}
		if found >= well || rotation == nil && (found != unknown || next == nil && !s.asking) {
			s.mu.Unlock()
			return found
		}
		wait := s.askedAt.Add(controlEvery).Sub(now)
		if wait <= 0 && !s.asking && next != nil {
			s.asking, s.askedAt = true, now
			c.askControl(*next)
		}
		asking, changed := s.asking, s.changed
		s.mu.Unlock()
		var turn <-chan time.Time
		if !asking && next != nil {
			timer := time.NewTimer(wait)
			defer timer.Stop() // a few at most, within judgement
			turn = timer.C
		}
		select {
		case <-changed:
		case <-followed:
		case <-turn:
		case <-late.C:
			return unknown
		case <-ctx.Done():
			return unknown
		}
		if _, shut := c.gate.enter(time.Now()); shut > 0 && rotation == nil {
			return refusedToo
		}
		// It goes on when nobody waits for the token any more: a caller that gives up
		// must not turn a failure that is its token's own into the endpoint's.
	}
}

// askControl asks about a control, for whoever waits for it. It is called with
// the controls locked.
func (c *Client) askControl(k control) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		c.controls.asking = false
		return
	}
	go func() {
		defer end()
		token, err := c.controls.seal.Open(nil, nil, k.sealed, k.key[:])
		if err == nil {
			_, err = c.ask(ctx, k.endpoint, k.key, string(token), demand{fresh: true, now: true, control: true})
		}
		s := c.controls
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asking = false
		if e, ok := err.(*UnavailableError); ok && e.endpoint { // our own bounds say nothing
			s.drop(k.key)
			s.events++
			if s.refused = append(s.refused, s.events); len(s.refused) > 2 {
				s.refused = s.refused[1:]
			}
		}
		s.change()
	}()
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
