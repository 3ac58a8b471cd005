// Package forwarded reads the client certificate that a proxy hands on which ends
// TLS in front of an API, for access tokens that are bound to it (RFC 8705 §3):
//
//	proxies := forwarded.Peers(netip.MustParsePrefix("10.0.0.0/24"))
//	auth := httpauth.New(v, &httpauth.Config{ClientCertificate: forwarded.ClientCert(proxies)})
//	server := &http.Server{Handler: api, ConnContext: forwarded.ConnContext}
//
// There is a function for each form that proxies write; the field's name is their
// configuration's. All have the same rules:
//
//   - The field is believed only where a proxy is on the other end of the connection
//     itself ([Peers], [UnixSocket]), or who sends it knows a secret ([Secret]).
//     From anybody else it is as if it were not there. The request's RemoteAddr
//     decides nothing: middlewares rewrite it from what a client writes.
//   - There is one line of it, of at most [MaxBytes], with one certificate. Two lines
//     mean that the proxy added its own to the client's: that is an error, and so is
//     what cannot be read in one way only.
//   - A proxy must remove or overwrite what its client sent in that field (RFC 9440
//     §2.4), and leave it out where there is no certificate.
//
// No chain is checked: the certificate proves that its holder has the key, as the
// proxy saw, and the token names the certificate. The proxy must ask for one and
// need not verify whose it is (RFC 8705 §6.2).
package forwarded
