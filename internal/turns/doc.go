// Package turns lets a bounded number of callers work at once and the others
// wait for their turn, fairly by source.
//
// Whoever bounds work that strangers can cause must say what happens at the
// bound. Refusing at once turns away an honest crowd that comes together, after
// a deploy say. One queue for all lets whoever sends most have most. So a [Room]
// takes the next turn from the source that holds fewest turns now, and among
// those in rotation: a source with a single caller is served before the second
// caller of any other. The name of a source is a key for fairness and decides
// nothing else.
//
// A [Pace] slows the beginning of turns down while nearly nobody who takes one
// turns out to be good.
package turns
