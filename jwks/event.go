package jwks

import (
	"context"
	"errors"
	"fmt"

	"github.com/m2mguard/m2mguard/observe"
)

// emit reports events, with no lock held.
func (s *KeySet) emit(ctx context.Context, events []*observe.Event) {
	for _, e := range events {
		s.config.Observer.Tell(ctx, e)
	}
}

// event makes an event. The caller holds mu.
func (s *KeySet) event(kind observe.Kind, cause error) *observe.Event {
	return &observe.Event{Kind: kind, Issuer: observe.Fact{Text: s.config.Issuer}, URL: s.address, Err: cause}
}

// mostSkipped is how many skipped keys of a fetch are reported one by one, of those
// that are somebody's mistake and of those that are not.
const mostSkipped = 8

// skipEvents reports keys that are skipped: the first ones, and how many more.
func (s *KeySet) skipEvents(skipped []skip) []*observe.Event {
	var events []*observe.Event
	var faulty, foreign int
	for _, k := range skipped {
		n := &faulty
		if errors.Is(k.reason, ErrNotForUs) {
			n = &foreign
		}
		if *n++; *n > mostSkipped {
			continue
		}
		e := s.event(observe.KeySkipped, k.reason)
		e.KeyID, e.Routine = k.id, n == &foreign
		events = append(events, e)
	}
	if faulty > mostSkipped {
		events = append(events, s.event(observe.KeySkipped, fmt.Errorf("and %d more keys that cannot be used", faulty-mostSkipped)))
	}
	if foreign > mostSkipped {
		e := s.event(observe.KeySkipped, fmt.Errorf("%w: so are %d more", ErrNotForUs, foreign-mostSkipped))
		e.Routine = true
		events = append(events, e)
	}
	return events
}

func names(keys []*Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.name().text)
	}
	return out
}
