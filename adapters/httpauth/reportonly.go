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

// passed notes a request to an open route, and writes a line if none was written
// in the last minute.
func (o *openRoutes) passed(wouldRefuse bool) {
	if wouldRefuse {
		o.refusable.Add(1)
	}
	now, due := time.Now(), o.due.Load()
	if now.UnixNano() < due || !o.due.CompareAndSwap(due, now.Add(time.Minute).UnixNano()) {
		return
	}
	slog.Default().Warn("m2mguard: DangerouslyReportOnly: routes refuse nobody",
		slog.Int64("routes", o.routes.Load()), slog.Int64("let_through", o.refusable.Swap(0)))
}
