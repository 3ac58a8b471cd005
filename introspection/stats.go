package introspection

// Stats is a snapshot of a Client.
type Stats struct {
	// UnderWay is how many requests to the endpoint are under way, and Waiting how
	// many wait for their turn.
	UnderWay, Waiting int
	// Hits and Misses count questions since New: those that a remembered answer served,
	// and the others, RequireFresh's and those of Config.StaleIfError among them.
	Hits, Misses uint64
	// Answers is how many are remembered, of which some may have ended.
	Answers int
}

// Stats tells how c is doing.
func (c *Client) Stats() Stats {
	return Stats{
		UnderWay: c.firstSights.room.Working() + c.renewals.room.Working(),
		Waiting:  c.firstSights.room.Waiting() + c.renewals.room.Waiting(),
		Hits:     c.hits.Load(),
		Misses:   c.misses.Load(),
		Answers:  c.results.size(),
	}
}
