package fleet

// feed fills the list from Redis.
type feed struct{ f *Fleet }

func newFeed(f *Fleet) *feed { return &feed{f} }

func (d *feed) start() {}
func (d *feed) close() {}
