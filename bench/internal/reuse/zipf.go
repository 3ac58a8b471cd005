package reuse

import (
	"container/list"
	"math/rand/v2"
	"sort"
)

// Sequence draws numbers below distinct, where number k is drawn in proportion
// to 1/(k+1): Zipf's law with exponent 1, which math/rand's Zipf leaves out. It
// is the same each time.
func Sequence(distinct, draws int) []int32 {
	sums := make([]float64, distinct)
	sum := 0.0
	for k := range sums {
		sum += 1 / float64(k+1)
		sums[k] = sum
	}
	random := rand.New(rand.NewPCG(1, uint64(distinct)))
	sequence := make([]int32, draws)
	for i := range sequence {
		k := sort.SearchFloat64s(sums, random.Float64()*sum)
		sequence[i] = int32(min(k, distinct-1))
	}
	return sequence
}

// IdealHits counts the hits of a sequence, from its number skip on, in a cache
// of capacity entries that always drops the least recently used one.
func IdealHits(sequence []int32, capacity, skip int) int {
	order := list.New() // the most recently used first
	places := make(map[int32]*list.Element, capacity)
	hits := 0
	for i, number := range sequence {
		if place, ok := places[number]; ok {
			order.MoveToFront(place)
			if i >= skip {
				hits++
			}
			continue
		}
		if order.Len() == capacity {
			delete(places, order.Remove(order.Back()).(int32))
		}
		places[number] = order.PushFront(number)
	}
	return hits
}
