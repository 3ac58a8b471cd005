package introspection

// Stats is a snapshot of a Client.
type Stats struct {
	// UnderWay is how many requests to the endpoint are under way, and Waiting how
	// many wait for their turn.
	UnderWay, Waiting int
}

// Stats tells how c is doing.
func (c *Client) Stats() Stats {
	return Stats{
		UnderWay: c.firstSights.room.Working() + c.renewals.room.Working(),
		Waiting:  c.firstSights.room.Waiting() + c.renewals.room.Waiting(),
	}
}
