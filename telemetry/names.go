package telemetry

import "sync"

// other stands for each value that is not told apart, as in OpenTelemetry's own
// conventions.
const other = "_OTHER"

// names are texts of which the first so many are told apart.
type names struct {
	most int
	seen known[string, struct{}]
}

func newNames(most int) *names { return &names{most: most} }

// of is the text, or other.
func (n *names) of(text string) string {
	if _, ok := n.seen.get(text, n.most, func(string) struct{} { return struct{}{} }); !ok {
		return other
	}
	return text
}

// has reports whether the text is one that was told apart before.
func (n *names) has(text string) bool {
	_, ok := n.seen.get(text, 0, nil)
	return ok
}

// known is a map that holds so many at most.
type known[K comparable, V any] struct {
	mu   sync.RWMutex
	held map[K]V
}

// get returns the value of a key, and makes it unless there are so many already.
func (k *known[K, V]) get(key K, most int, make func(K) V) (value V, ok bool) {
	k.mu.RLock()
	value, ok = k.held[key]
	full := len(k.held) >= most
	k.mu.RUnlock()
	if ok || full {
		return value, ok
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if value, ok = k.held[key]; ok || len(k.held) >= most {
		return value, ok
	}
	if k.held == nil {
		k.held = map[K]V{}
	}
	value = make(key)
	k.held[key] = value
	return value, true
}
