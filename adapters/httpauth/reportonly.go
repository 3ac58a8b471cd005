package httpauth

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// openRoutes counts what DangerouslyReportOnly opens. Its time is the program's
// own: nothing is decided by it.
type openRoutes struct {
	routes    atomic.Int64 // compiled
	refusable atomic.Int64
	due       atomic.Int64 // when to write the next line, in Unix nanoseconds
}

// startsWithin is how long a program may take from its first open route to its
// last one.
const startsWithin = time.Second

// opened counts a route. Soon after the first one a line counts them, whether a
// request comes or not.
func (o *openRoutes) opened() {
	if o.routes.Add(1) == 1 {
		time.AfterFunc(startsWithin, func() {
			defer func() { _ = recover() }() // of a log's handler, which nobody else would catch here
			o.warn()
		})
	}
}

// passed notes a request to an open route.
func (o *openRoutes) passed(wouldRefuse bool) {
	if wouldRefuse {
		o.refusable.Add(1)
	}
	o.warn()
}

// warn writes a line if none was written in the last minute.
func (o *openRoutes) warn() {
	now, due := time.Now(), o.due.Load()
	if now.UnixNano() < due || !o.due.CompareAndSwap(due, now.Add(time.Minute).UnixNano()) {
		return
	}
	slog.Default().Warn("m2mguard: DangerouslyReportOnly: routes refuse nobody",
		slog.Int64("routes", o.routes.Load()), slog.Int64("let_through", o.refusable.Swap(0)))
}
