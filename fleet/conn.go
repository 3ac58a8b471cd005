package fleet

import "context"

// Conn is a client of Redis or Valkey, as this package needs it: URL has one made, and
// whoever has a client already may wrap it (fleet/example/goredis). It is safe for
// concurrent use, connects when it is first asked, and again by itself. It must read
// from primaries alone.
type Conn interface {
	// Do sends a command, its name first, to the primary that holds key, which is one
	// of its arguments. It returns when ctx is done at the latest. Commands of several
	// goroutines should share a connection (pipelining).
	//
	// What it returns is nil, a string, an int64 or a []any of these, whichever protocol
	// is spoken; a map is a list of pairs, as XREAD has it in RESP2. An error that Redis
	// answered is a [Refusal].
	Do(ctx context.Context, key string, command ...string) (any, error)

	// Session calls use with a connection to the primary that holds key, which is
	// nobody else's meanwhile. Commands sent by do go over it one after the other, and
	// may block. After an error other than a Refusal, it is not used again.
	Session(ctx context.Context, key string, use func(do Do) error) error
}

// Do sends a command over a connection of its own, with an answer as of Conn.Do.
type Do func(ctx context.Context, command ...string) (any, error)

// Refusal is an error that Redis answered, by its own words: what was sent arrived, and
// was not done.
type Refusal string

// Error is what Redis said.
func (r Refusal) Error() string { return "redis: " + string(r) }
