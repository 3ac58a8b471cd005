package revocation

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

// Token is what is known of a token that was proven, and can be revoked by.
type Token struct {
	_ [0]func()

	// Issuer is the configured one that proved the token; it is never empty.
	Issuer string
	// ID is the jti: a JWT's own, never that of an answer about it; of an opaque token,
	// its answer's. Empty for none.
	ID string
	// Client and Subject are the client id and sub; empty for none.
	Client, Subject string
	// KeyID is the kid of the key that verified the token, never its header's; empty
	// for an opaque token, or a key without one.
	KeyID string
	// IssuedAt is iat; zero for none, which is before any moment.
	IssuedAt time.Time
	// Opaque is the text of a token that is no JWT and that its issuer called active;
	// empty for a JWT. It is not kept.
	Opaque string
}

// String says whose token it is, and nothing more.
func (t Token) String() string { return "token of " + t.Issuer }

// A token's text and what it names are nobody's business.
var (
	_ fmt.Formatter  = Token{}
	_ slog.LogValuer = Token{}
)

// Format prints what String returns, whatever the verb is.
func (t Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// LogValue is what log/slog writes.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// The places of Marks.keys.
const (
	placeIssuer = iota
	placeClient
	placeSubject
	placeID
	placeKey     // of a JWT
	placeOpaque  = placeKey
	placeOpaque2 = placeKey + 1
	places       = placeOpaque2 + 1
)

// Marks are what one token can be revoked by, hashed once, and up to which generation
// of its list it was looked up. They stand beside a remembered token and take 136
// bytes. Filled in by [List.Mark]; empty ones never pass.
type Marks struct {
	_       [0]func()
	checked atomic.Uint64 // looked up at this generation less 1; 0 for never
	keys    [places]Key
	kinds   [places]Kind // 0 for no key; with ofAny for one of the kind at the issuer
	issued  uint32
	issuer  string // for an event
}

// Mark fills in the marks of a token, when it was proven. They are for this list alone,
// and must not be in use meanwhile.
func (l *List) Mark(m *Marks, t *Token) {
	m.checked.Store(0)
	m.keys, m.kinds = [places]Key{}, [places]Kind{}
	m.issuer, m.issued = t.Issuer, min(seconds(t.IssuedAt), Forever-1)
	set := func(place int, kind Kind, value string) {
		m.keys[place], m.kinds[place] = keyOf(kind, t.Issuer, value), kind
	}
	named := func(place int, kind Kind, value string) {
		if value == "" {
			kind |= ofAny // the token may be anybody's
		}
		set(place, kind, value)
	}
	set(placeIssuer, ByIssuer, "")
	named(placeClient, ByClient, t.Client)
	named(placeSubject, BySubject, t.Subject)
	named(placeID, ByTokenID, t.ID)
	if t.Opaque != "" {
		for n, hash := range l.hashes {
			set(placeOpaque+n, ByOpaqueToken, hash(t.Issuer, t.Opaque))
		}
	} else if t.KeyID != "" {
		set(placeKey, ByKeyID, t.KeyID)
	}
}
