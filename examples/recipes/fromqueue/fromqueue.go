// Package fromqueue takes messages from a queue whose producers show who they are by an
// access token beside each message.
package fromqueue

import (
	"context"
	"errors"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Audience is what a producer asks a token for. It is the queue's alone: whoever reads a
// message has its token, which is then no good at the API beside the queue.
const Audience = "https://orders.example.com/queue"

// rules say what the producer of a message needs, by the topic that it came from.
var rules = map[string]scopes.Rule{
	"orders.created":   scopes.All("orders:write"),
	"orders.cancelled": scopes.Any("orders:cancel", "orders:admin"),
}

// Message is what a broker delivers.
type Message struct {
	Topic string // as the broker calls it, not as the message does
	Token string // from the header of the message
	Body  []byte
}

// Verdict is what a broker is told.
type Verdict string

// The verdicts.
const (
	Done  Verdict = "done"
	Later Verdict = "later" // deliver it again: nobody knows yet whether the token is good
	Dead  Verdict = "dead"  // put it where people look: no second delivery makes it good
)

// Consumer hands messages of producers that may send them to a function.
type Consumer struct {
	Validator *validator.Validator
	Work      func(context.Context, Message) error // its context has the producer's token
}

// Take judges one message.
func (c *Consumer) Take(ctx context.Context, m Message) Verdict {
	shown := &validator.Request{Token: m.Token, Route: m.Topic} // no URL: a proof (RFC 9449) could be for anything
	accepted, err := c.Validator.VerifyRequest(ctx, shown, &validator.Demand{Audience: []string{Audience}, More: true})
	if err == nil {
		err = accepted.Token.Check(rules[m.Topic]) // of a topic without a rule, the zero one, which lets nobody in
		var refused *validator.Error
		if errors.As(err, &refused) {
			c.Validator.ReportRefusal(ctx, shown, accepted.Token, refused)
		}
	}
	switch {
	case errors.Is(err, validator.ErrUnavailable), errors.Is(err, validator.ErrThrottled):
		return Later
	case err != nil:
		return Dead
	}
	c.Validator.ReportAccepted(ctx, shown, accepted)
	if err := c.Work(accepted.NewContext(ctx), m); err != nil {
		return Later
	}
	return Done
}
