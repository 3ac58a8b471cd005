package fetch

import (
	"crypto/tls"
	"net/http"
)

// Trust has a Client of our own transport trust a test's server.
func Trust(c *Client, cfg *tls.Config) { c.http.Transport.(*http.Transport).TLSClientConfig = cfg }
