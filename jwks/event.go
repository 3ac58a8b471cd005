package jwks

// EventKind tells what an [Event] is about.
type EventKind int

// The kinds of events.
const (
	// KeySetChanged: a fetch brought keys that were not there before (Added),
	// or left some out (Removed). A key that changed under its kid is in both.
	KeySetChanged EventKind = iota + 1
	// KeySkipped: a key of the set cannot be used (KeyID, Err), or is not for
	// here (ErrNotForUs). Reported when it first appears, not again at each
	// refresh. Of a set with many such keys the first eight of each are told one
	// by one, and one event more, without KeyID, counts the others.
	KeySkipped
	// RefreshFailed: a fetch failed (Err). Keys that are known go on serving.
	RefreshFailed
	// DiscoveryFailed: the issuer's metadata could not be read again (Err), and
	// the address known from before served instead.
	DiscoveryFailed
	// StaleKeysInUse: the set is past its age, cannot be refreshed (Err) or not
	// within RefreshWait, and serves until MaxStale. Once per outage.
	StaleKeysInUse
	// KeysExpired: the outage (Err) reached MaxStale. From now on the answer is
	// ErrUnavailable, until a fetch succeeds.
	KeysExpired
)

// String names the kind, for logs.
func (k EventKind) String() string {
	switch k {
	case KeySetChanged:
		return "key set changed"
	case KeySkipped:
		return "key skipped"
	case RefreshFailed:
		return "refresh failed"
	case DiscoveryFailed:
		return "discovery failed"
	case StaleKeysInUse:
		return "stale keys in use"
	case KeysExpired:
		return "keys expired"
	}
	return "unknown"
}

// Event is something that an operator wants to know. It holds no key material.
type Event struct {
	Kind EventKind
	// Issuer is Config.Issuer.
	Issuer string
	// URL is where the key set is fetched, without its query; empty before
	// discovery and for a fixed set.
	URL string
	// KeyID is the kid of a skipped key, if it has one.
	KeyID string
	// Added and Removed hold kids, or the RFC 7638 thumbprint of a key that has
	// no kid.
	Added, Removed []string
	// Err is the cause.
	Err error
}
