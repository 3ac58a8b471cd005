package gateway

import (
	"net/http"
	"net/url"
	"strings"
)

// find returns the route of a request. A redirection, which ServeMux would answer to what
// is no route but nearly one, is none. It is nil if the API behind may take the path for
// that of another route, because a slash at its end is nothing to it.
func (g *Gateway) find(r *http.Request) *route {
	at, path := g.lookUp(r), r.URL.Path
	if path == "/" {
		return at
	}
	twin := *r
	if short, slash := strings.CutSuffix(path, "/"); slash {
		twin.URL = &url.URL{Path: short}
		if other := g.lookUp(&twin); other != at && other != g.nowhere && at != g.nowhere {
			return nil
		}
		return at
	}
	twin.URL = &url.URL{Path: path + "/"}
	if other := g.lookUp(&twin); other != at && strings.HasSuffix(other.pattern, "/{$}") && at != g.nowhere {
		return nil
	}
	return at
}

func (g *Gateway) lookUp(r *http.Request) *route {
	if found, _ := g.mux.Handler(r); found != nil {
		if at, ours := found.(*route); ours {
			return at
		}
	}
	return g.nowhere
}
