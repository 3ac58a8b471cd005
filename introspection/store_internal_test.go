package introspection

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestStore plays a store against a list that is sorted by hand: what is used stays, what
// is unused for longest goes first, and a large one makes several others go.
func TestStore(t *testing.T) {
	type item struct {
		key    cacheKey
		weight int
	}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		const limit = 8
		s, wanted := newStore(limit), []item(nil) // the last used one at the end
		for range 500 {
			k := cacheKey{byte(random.IntN(20))}
			at := slices.IndexFunc(wanted, func(i item) bool { return i.key == k })
			switch action := random.IntN(100); {
			case action < 50:
				if e := s.get(k); (e != nil) != (at >= 0) {
					t.Fatalf("seed %d: there is %v, wanted %v", seed, e != nil, at >= 0)
				}
				if at >= 0 {
					used := wanted[at]
					wanted = append(slices.Delete(wanted, at, at+1), used)
				}
			case action < 90:
				weight := []int{1, 1, 1, 2, 3, limit, limit + 1}[random.IntN(7)]
				s.set(k, &entry{Result: &Result{claims: make([]byte, weight*weightUnit)}})
				if at >= 0 {
					wanted = slices.Delete(wanted, at, at+1)
				}
				if weight > limit {
					break
				}
				for sum(wanted, func(i item) int { return i.weight })+weight > limit {
					wanted = wanted[1:]
				}
				wanted = append(wanted, item{k, weight})
			case action < 99:
				s.remove(k)
				if at >= 0 {
					wanted = slices.Delete(wanted, at, at+1)
				}
			default:
				s.clear()
				wanted = nil
			}
			if s.size() != len(wanted) || s.recent.Len() != len(wanted) || s.weight != sum(wanted, func(i item) int { return i.weight }) {
				t.Fatalf("seed %d: %d entries of weight %d, wanted %v", seed, s.size(), s.weight, wanted)
			}
		}
	}
}

func sum[T any](of []T, each func(T) int) (n int) {
	for _, one := range of {
		n += each(one)
	}
	return n
}
