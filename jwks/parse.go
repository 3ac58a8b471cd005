package jwks

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// maxKeys bounds a set. Real issuers publish fewer than twenty.
const maxKeys = 1000

// Faults of a whole set.
var (
	errNoKeys   = errors.New("the set is empty")
	errManyKeys = fmt.Errorf("the set has more than %d keys", maxKeys)
)

// wanted is what the keys of a set must be for.
type wanted struct {
	algorithms []string // canonical
	use        string
}

// parse reads a JSON Web Key Set and keeps what is wanted. A
// key that cannot be used is skipped (RFC 7517 §5), whatever is wrong with it; a
// set without one that can is an error, and so is one that could be read in two
// ways. A byte order mark, which RFC 8259 §8.1 lets a reader ignore, is ignored.
func parse(text []byte, w wanted) (*snapshot, error) {
	text = bytes.TrimPrefix(text, mark)
	elements, err := split(text)
	if err != nil {
		return nil, err
	}
	switch n := len(elements); {
	case n == 0:
		return nil, errNoKeys
	case n > maxKeys:
		return nil, errManyKeys
	}
	var c collection
	for _, e := range elements {
		c.add(parseKey(e, w))
	}
	return c.snapshot()
}

// collection is a set in the making.
type collection struct {
	keys    []*Key
	skipped []skip
	known   map[keyName][]*Key
	leaked  map[string]bool // thumbprints of keys whose private part is in the set
}

// add takes a key in, or notes why one with this kid is skipped.
func (c *collection) add(k *Key, id string, err error) {
	if err == nil {
		var twin bool
		if twin, err = merge(c.known[k.name()], k); twin {
			return
		}
	}
	if err != nil {
		if k != nil && errors.Is(err, errPrivate) {
			if c.leaked == nil {
				c.leaked = make(map[string]bool)
			}
			c.leaked[k.thumbprint] = true
		}
		c.skipped = append(c.skipped, skip{id, err})
		return
	}
	if c.known == nil {
		c.known = make(map[keyName][]*Key)
	}
	c.known[k.name()] = append(c.known[k.name()], k)
	c.keys = append(c.keys, k)
}

// snapshot is the set, if one key of it can be used. None can whose private part is in
// it, too, wherever that stands.
func (c *collection) snapshot() (*snapshot, error) {
	c.keys = slices.DeleteFunc(c.keys, func(k *Key) bool {
		if c.leaked[k.thumbprint] {
			c.skipped = append(c.skipped, skip{k.id, errLeaked})
		}
		return c.leaked[k.thumbprint]
	})
	if len(c.keys) == 0 {
		reason := c.skipped[0].reason
		if len(c.skipped) == 1 {
			return nil, fmt.Errorf("the only key of the set cannot be used: it %w", reason)
		}
		return nil, fmt.Errorf("none of the %d keys of the set can be used; the first %w", len(c.skipped), reason)
	}
	return newSnapshot(c.keys, c.skipped), nil
}

// merge compares k with the keys that came before it under the same name. The
// same key again is no second one, but may add algorithms. Of different keys
// for one algorithm the first wins: the kid would not say which is meant.
// Different keys for different algorithms are both good.
func merge(earlier []*Key, k *Key) (twin bool, err error) {
	var same *Key
	var taken bool
	var free []string
	for _, e := range earlier {
		if e.thumbprint == k.thumbprint {
			same = e
		}
	}
	for _, alg := range k.algorithms {
		switch i := slices.IndexFunc(earlier, func(e *Key) bool { return e.serves(alg) }); {
		case i < 0:
			free = append(free, alg)
		case earlier[i] != same:
			taken = true
		}
	}
	switch {
	case same != nil:
		same.algorithms = append(same.algorithms, free...)
		slices.Sort(same.algorithms)
		same.x5t, same.x5tS256 = append(same.x5t, k.x5t...), append(same.x5tS256, k.x5tS256...)
		return true, nil
	case taken:
		return false, errDuplicate
	}
	return false, nil
}
