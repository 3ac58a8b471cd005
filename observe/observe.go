// Package observe is how this library is watched: one form of observer, one kind
// of event and one kind of operation, whatever part of it has something to tell.
// It imports nothing, and what it hands out holds no token, no proof, no secret
// and no key.
//
//	v, err := validator.New(validator.Config{
//		Issuers: issuers,
//		Observer: observe.Join(validator.LogEvents(nil), observe.Observer{
//			Accepted: true,
//			Event: func(ctx context.Context, e *observe.Event) {
//				requests.Add(ctx, 1, e.Kind, e.Check, e.Issuer.Text, e.Way)
//			},
//		}),
//	})
//
// An observer alone takes the place of the default log, in which a wrong audience
// shows: [Join] has both.
package observe

import "context"

// Observer is what is told. The zero value is told nothing. Its functions are
// called from many goroutines at once, without locks held, on the way of a request
// or in the background: they must be quick, must not block, and must not call what
// waits for them, such as a Close.
type Observer struct {
	_ [0]func()

	// Event is told of refused requests, of what concerns an issuer, and, if
	// Accepted says so, of accepted requests. The context is the request's, or for
	// what happens in the background one of its own. The Event is the caller's
	// again when the function returns: keep a copy (*e), never the pointer.
	Event func(context.Context, *Event)

	// Accepted asks for accepted requests, too. They are most of what happens.
	Accepted bool

	// SampleHits asks how long requests take (Event.Took): each whose token had to be
	// proven, and one in so many of those that were accepted by a proof from before,
	// which is a matter of less than a microsecond. It is told of these even without
	// Accepted. 0 asks for none, and 1 for each.
	SampleHits int

	// Watch is called with what this observer was given to, when that is made, so that
	// its figures can be read now and then: a *validator.Validator or a
	// *revocation.List, by their methods Stats. What it returns is called once when
	// that is closed; nil is ignored.
	Watch func(subject any) (end func())

	// Start is called before each call that touches a network, or may: fetching a key
	// set, reading an issuer's metadata, introspection, the Resolver, and what instances
	// share, which are answers, seen proofs and Fleet.Revoke. It returns the context
	// that the call goes on with, and what is called with its outcome when it has ended.
	// A nil context is ignored, and so is a nil function.
	Start func(context.Context, Operation) (context.Context, func(error))
}

// Tell tells o of e, if it wants to be told of events. It is for the packages of
// this library.
func (o *Observer) Tell(ctx context.Context, e *Event) {
	if o.Event != nil && (e.Kind != Accepted || o.Accepted || o.SampleHits > 0 && e.Took > 0) {
		o.Event(ctx, e)
	}
}

// Offer lets o watch a subject, and returns what must be called once when that is
// closed. It is for the packages of this library.
func (o *Observer) Offer(subject any) (end func()) {
	if o.Watch != nil {
		if end := o.Watch(subject); end != nil {
			return end
		}
	}
	return func() {}
}

// Begin tells o that a call begins, and returns the context that it goes on with,
// and what must be called when it has ended. It is for the packages of this
// library.
func (o *Observer) Begin(ctx context.Context, op Operation) (context.Context, func(error)) {
	if o.Start == nil {
		return ctx, nobody
	}
	if op.Cause != nil {
		op.Cause = context.WithoutCancel(op.Cause)
	}
	within, ended := o.Start(ctx, op)
	if within == nil {
		within = ctx
	}
	if ended == nil {
		ended = nobody
	}
	return within, ended
}

func nobody(error) {}

// Join returns an observer that stands for several: each is told what it asks
// for, in this order, and operations end in the reverse order. A log and a meter
// go together so. Of several that sample hits, the one that asks for most of them
// decides for all.
func Join(observers ...Observer) Observer {
	var joined Observer
	var events, starts, watches []Observer
	for _, o := range observers {
		if o.Event != nil {
			events = append(events, o)
			joined.Accepted = joined.Accepted || o.Accepted
			if o.SampleHits > 0 && (joined.SampleHits == 0 || o.SampleHits < joined.SampleHits) {
				joined.SampleHits = o.SampleHits
			}
		}
		if o.Start != nil {
			starts = append(starts, o)
		}
		if o.Watch != nil {
			watches = append(watches, o)
		}
	}
	if len(events) == 1 {
		joined.Event = events[0].Event
	} else if len(events) > 1 {
		joined.Event = func(ctx context.Context, e *Event) {
			for i := range events {
				events[i].Tell(ctx, e)
			}
		}
	}
	if len(starts) == 1 {
		joined.Start = starts[0].Start
	} else if len(starts) > 1 {
		joined.Start = func(ctx context.Context, op Operation) (context.Context, func(error)) {
			ends := make([]func(error), len(starts))
			for i := range starts {
				ctx, ends[i] = starts[i].Begin(ctx, op)
			}
			return ctx, func(err error) {
				for i := len(ends) - 1; i >= 0; i-- {
					ends[i](err)
				}
			}
		}
	}
	if len(watches) > 0 {
		joined.Watch = func(subject any) func() {
			ends := make([]func(), len(watches))
			for i := range watches {
				ends[i] = watches[i].Offer(subject)
			}
			return func() {
				for i := len(ends) - 1; i >= 0; i-- {
					ends[i]()
				}
			}
		}
	}
	return joined
}
