package introspection

import "fmt"

// EventKind says what happened.
type EventKind int

// The kinds of [Event].
const (
	// IntrospectionFailed: a request to the endpoint, or the discovery of the
	// endpoint, brought no usable answer.
	IntrospectionFailed EventKind = iota + 1
	// Recovered: the first usable answer after failures.
	Recovered
	// TokenNotJudged: an endpoint that has answered before brought no usable
	// answer about one token, which anybody can cause where it refuses a kind of
	// token in this way.
	TokenNotJudged
)

// String returns the kind's name for logs.
func (k EventKind) String() string {
	switch k {
	case IntrospectionFailed:
		return "introspection failed"
	case Recovered:
		return "introspection recovered"
	case TokenNotJudged:
		return "token not judged"
	}
	return fmt.Sprintf("EventKind(%d)", int(k))
}

// Event is something that an operator wants to know. It holds no token, no
// secret and nothing of a response's body.
type Event struct {
	Kind     EventKind
	Issuer   string // Config.Issuer
	Endpoint string // without its query; empty if it is not known yet
	Status   int    // of the endpoint's answer; 0 if there was none
	Err      error  // why; nil for Recovered
}
