package page

import (
	"context"
	"net/http"
	"time"
)

// The bounds that tests reach for.
const (
	MaxBody     = maxBody
	MaxHeader   = maxHeader
	MaxUnderWay = maxUnderWay
	HeaderWait  = headerWait
	BodyWait    = bodyWait
)

// Handler answers for the page at this host and path.
func Handler(c Config, host, path string) http.Handler { return newHandler(c, host, path) }

// Server is the one that Serve runs.
func Server(ctx context.Context, h http.Handler, timeout time.Duration) *http.Server {
	return newServer(ctx, h, timeout)
}
