package introspection

import (
	"context"
	"time"
)

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
		found := s.find(k.flight.endpoint, f.as, f.event)
		refused := 0
		for _, at := range s.refused {
			if at > f.event {
				refused++
			}
		}
		next := s.pick(k, c.cfg.Now())
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
			c.askControl(*next, k.flight.endpoint)
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
		if _, shut := c.gate.enter(time.Now()); shut != nil && rotation == nil {
			return refusedToo
		}
		// It goes on when nobody waits for the token any more: a caller that gives up
		// must not turn a failure that is its token's own into the endpoint's.
	}
}

// askControl asks an endpoint about a control, for whoever waits for it. It is
// called with the controls locked.
func (c *Client) askControl(k control, endpoint string) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		c.controls.asking = false
		return
	}
	go func() {
		defer end()
		var r *Result
		token, err := c.controls.seal.Open(nil, nil, k.sealed, k.key[:])
		if err == nil {
			key := k.key
			if k.endpoint != endpoint { // it has moved since
				key = c.results.key(endpoint, string(token))
			}
			r, err = c.ask(ctx, endpoint, key, string(token), demand{source: k.source, fresh: true, now: true, control: true})
		}
		s := c.controls
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asking = false
		e, failed := err.(*UnavailableError)
		failed = failed && (e.endpoint || e.asked) // our own bounds say nothing
		if failed && e.asked || r != nil && k.endpoint != endpoint {
			s.drop(k.key)
		}
		if failed {
			s.events++
			if s.refused = append(s.refused, s.events); len(s.refused) > 2 {
				s.refused = s.refused[1:]
			}
		}
		s.change()
	}()
}

// mayJudge admits a call to those that wait for a finding, unless they are many and
// its source has more of them than others. Who is admitted must leave.
func (s *controls) mayJudge(source string, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine := s.judging[source] + 1; s.judged >= 2*most || s.judged >= most && mine*len(s.judging) > s.judged {
		return false
	}
	s.judging[source]++
	s.judged++
	return true
}

func (s *controls) hasJudged(source string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judged--
	if s.judging[source]--; s.judging[source] == 0 {
		delete(s.judging, source)
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
