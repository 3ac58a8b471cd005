package serve

import "time"

// Sleep has f wait in the place of the clock, until the function that it returns is called.
func Sleep(f func(time.Duration)) (restore func()) {
	before := sleep
	sleep = f
	return func() { sleep = before }
}
