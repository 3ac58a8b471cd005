package config

import (
	"context"
	"slices"
	"sync"

	"github.com/m2mguard/m2mguard/observe"
)

// mostTold bounds what notes remember, in faults.
const mostTold = 20

// notes are what something tells that fails, each fault once.
type notes struct {
	mu     sync.Mutex
	events []observe.Event
	onward observe.Observer
	first  chan struct{} // is closed by the first fault; nil while nobody waits
}

// observer is who writes them.
func (n *notes) observer() observe.Observer { return observe.Observer{Event: n.note} }

func (n *notes) note(ctx context.Context, e *observe.Event) {
	n.mu.Lock()
	if e.Err != nil && len(n.events) < mostTold && !slices.ContainsFunc(n.events, func(other observe.Event) bool {
		return other.Kind == e.Kind && other.Err.Error() == e.Err.Error()
	}) {
		n.events = append(n.events, *e)
		if n.first != nil && len(n.events) == 1 {
			close(n.first)
		}
	}
	onward := n.onward
	n.mu.Unlock()
	onward.Tell(ctx, e)
}

// pass has o told what was told, and what will be.
func (n *notes) pass(o observe.Observer) {
	n.mu.Lock()
	n.onward = o
	before := slices.Clone(n.events)
	n.mu.Unlock()
	for _, e := range before {
		o.Tell(context.Background(), &e)
	}
}

// all is what the faults say.
func (n *notes) all() (texts []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if text := e.Err.Error(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// any is closed when there is a fault.
func (n *notes) any() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.first == nil {
		n.first = make(chan struct{})
		if len(n.events) > 0 {
			close(n.first)
		}
	}
	return n.first
}
