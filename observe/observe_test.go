package observe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/observe"
)

// journal is an observer that writes down what it is told.
type journal struct {
	name  string
	lines *[]string
}

func (j journal) write(line string) { *j.lines = append(*j.lines, j.name+": "+line) }

func (j journal) event(_ context.Context, e *observe.Event) { j.write(string(e.Kind)) }

type outer struct{}

func (j journal) start(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
	within, _ := ctx.Value(outer{}).(string)
	j.write(string(op.Kind) + " within " + within)
	return context.WithValue(ctx, outer{}, within+j.name), func(err error) { j.write("ended, " + err.Error()) }
}

// TestJoin: each gets what it asks for, and nothing else.
func TestJoin(t *testing.T) {
	failed := errors.New("failed")
	for name, tc := range map[string]struct {
		make func(a, b journal) []observe.Observer
		want []string
	}{
		"none": {func(a, b journal) []observe.Observer { return nil }, nil},
		"nobody, and one that asks for all": {func(a, b journal) []observe.Observer {
			return []observe.Observer{{}, {Event: a.event, Accepted: true, Start: a.start}}
		}, []string{"a: token refused", "a: token accepted", "a: discover within ", "a: ended, failed"}},
		"one that does not ask": {func(a, b journal) []observe.Observer {
			return []observe.Observer{{Event: a.event}}
		}, []string{"a: token refused"}},
		"one that asks beside one that does not": {func(a, b journal) []observe.Observer {
			return []observe.Observer{{Event: a.event}, {Event: b.event, Accepted: true}}
		}, []string{"a: token refused", "b: token refused", "b: token accepted"}},
		"one that asks, but has no function": {func(a, b journal) []observe.Observer {
			return []observe.Observer{{Event: a.event}, {Accepted: true}}
		}, []string{"a: token refused"}},
		"two that time": {func(a, b journal) []observe.Observer {
			return []observe.Observer{{Start: a.start}, {Start: b.start}}
		}, []string{"a: discover within ", "b: discover within a", "b: ended, failed", "a: ended, failed"}},
		"one that returns nothing": {func(a, b journal) []observe.Observer {
			nothing := func(context.Context, observe.Operation) (context.Context, func(error)) { return nil, nil }
			return []observe.Observer{{Start: nothing}, {Start: b.start}}
		}, []string{"b: discover within ", "b: ended, failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			joined := observe.Join(tc.make(journal{"a", &got}, journal{"b", &got})...)
			joined.Tell(t.Context(), &observe.Event{Kind: observe.Refused})
			joined.Tell(t.Context(), &observe.Event{Kind: observe.Accepted})
			ctx, ended := joined.Begin(t.Context(), observe.Operation{Kind: observe.Discover})
			if ctx == nil {
				t.Fatal("there is no context to go on with")
			}
			ended(failed)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestJoinedSampling: who samples is told of what was sampled, at the rate of who asks
// for most, and who does not is told of nothing by that.
func TestJoinedSampling(t *testing.T) {
	var got []string
	a, b := journal{"a", &got}, journal{"b", &got}
	joined := observe.Join(observe.Observer{Event: a.event, SampleHits: 100}, observe.Observer{Event: b.event}, observe.Observer{SampleHits: 1}, observe.Observer{Event: a.event, SampleHits: 1000})
	if joined.Accepted || joined.SampleHits != 100 {
		t.Errorf("joined: accepted %v, one hit in %d", joined.Accepted, joined.SampleHits)
	}
	joined.Tell(t.Context(), &observe.Event{Kind: observe.Accepted, Took: 1})
	joined.Tell(t.Context(), &observe.Event{Kind: observe.Accepted})
	joined = observe.Join(observe.Observer{Event: a.event, SampleHits: 100}, observe.Observer{Event: b.event, Accepted: true})
	joined.Tell(t.Context(), &observe.Event{Kind: observe.Accepted})
	if diff := cmp.Diff([]string{"a: token accepted", "a: token accepted", "b: token accepted"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestJoinedWatching: each that watches is offered the subject, and hears of its end.
func TestJoinedWatching(t *testing.T) {
	var got []string
	watch := func(j journal) observe.Observer {
		return observe.Observer{Watch: func(subject any) func() {
			j.write(subject.(string))
			return func() { j.write("end") }
		}}
	}
	silent := observe.Observer{Watch: func(any) func() { return nil }}
	for _, joined := range []observe.Observer{observe.Join(), observe.Join(observe.Observer{}, silent), observe.Join(watch(journal{"a", &got}), silent, watch(journal{"b", &got}))} {
		joined.Offer("subject")()
	}
	if diff := cmp.Diff([]string{"a: subject", "b: subject", "b: end", "a: end"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestCauseDoesNotEnd: what goes on when its request has ended is linked to it by
// values alone.
func TestCauseDoesNotEnd(t *testing.T) {
	request, end := context.WithCancel(context.WithValue(t.Context(), outer{}, "request"))
	end()
	o := observe.Observer{Start: func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
		if op.Cause.Err() != nil || op.Cause.Value(outer{}) != "request" {
			t.Errorf("the cause is %v", op.Cause)
		}
		return ctx, nil
	}}
	_, ended := o.Begin(t.Context(), observe.Operation{Cause: request})
	ended(nil)
}
