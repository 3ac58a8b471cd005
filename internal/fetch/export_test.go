package fetch

import (
	"crypto/tls"
	"net/http"
	"net/url"
)

// Trust has a Client of our own transport trust a test's server.
func Trust(c *Client, cfg *tls.Config) { c.http.Transport.(*http.Transport).TLSClientConfig = cfg }

// SetProxy has a Client of our own transport use this proxy.
func SetProxy(c *Client, proxy *url.URL) {
	c.http.Transport.(*http.Transport).Proxy = http.ProxyURL(proxy)
}
