// Package issuertest is a fake OAuth 2.0 authorization server for tests and
// demonstrations of APIs that accept access tokens, bound or not. It speaks discovery
// (RFC 8414 and OpenID Connect), publishes a key set (RFC 7517), issues tokens
// for the client credentials grant (RFC 6749 §4.4), introspects them (RFC 7662)
// and revokes them (RFC 7009).
//
// A test starts one and asks it for tokens, good ones and bad ones:
//
//	iss := issuertest.New(t)
//	good := iss.Token(issuertest.Claims{Scope: "orders:read"})
//	expired := iss.Bad(issuertest.Expired, issuertest.Claims{})
//	opaque := iss.Opaque(issuertest.Claims{Scope: "orders:read"})
//
// By default a token is meant for [Audience], was issued to [ClientID] and
// lives for an hour. A real client gets the same from [Issuer.TokenURL] with
// [ClientID] and [ClientSecret], or with what [Issuer.Register] registered.
//
// [New] listens on a loopback port. [NewInMemory] needs no network and runs in
// a [testing/synctest] bubble, in the bubble's time. [Start] and [StartAt] are
// for programs.
//
// # Bound tokens
//
// A token that is bound to its sender is made by naming what it is bound to, the
// key of DPoP proofs (RFC 9449) or a client certificate (RFC 8705). A request shows
// both, and each proof goes with one request:
//
//	token := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
//	proof := issuertest.ProofClaims{Method: "GET", URL: "https://api.example.test/orders", Token: token}
//	r.Header.Set("Authorization", "DPoP "+token)
//	r.Header.Set("DPoP", issuertest.Proof(key, proof))             // good once
//	r.Header["Dpop"] = issuertest.BadProof(issuertest.ProofExpired, key, proof) // wrong in one way
//
//	cert := issuertest.ClientCertificate("orders")
//	token = iss.Token(issuertest.Claims{CertificateThumbprint: issuertest.CertificateThumbprint(cert.Leaf)})
//	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Leaf}}
//
// Over the wire, [NewDPoPClient] proves each request, at the token endpoint and at
// the API, and [Issuer.ClientWith] shows a certificate to an issuer of [NewTLS] and
// to servers of [net/http/httptest.NewTLSServer] that ask for one. The token
// endpoint checks proofs as RFC 9449 §5 says: none counts twice, and with
// [Issuer.SetNonce] each needs a nonce. A stolen token is one with the proof of
// [ProofOtherKey] or [ProofBadSignature], the scheme Bearer, or another certificate.
//
// # Changes and waiting
//
// [Issuer.Rotate], [Issuer.Retire] and [Issuer.Revoke] change what is trusted,
// [Issuer.SetFault] makes an endpoint fail, and [Issuer.Requests] counts what
// was asked of it.
//
// A validator does not ask its issuer at every token, and it leaves an issuer
// that fails alone for a while. A test of such changes says how long it is willing
// to wait, in the validator's configuration, or sleeps past it in a bubble:
//
//	rotation    Keys.MinFetchInterval (5 s): unknown keys cause two fetches at
//	            once, then one in that time
//	retirement  Keys.RefreshInterval (5 min, which is what this issuer says)
//	recovery    Keys.MinFetchInterval: a failed fetch is tried again after a fifth
//	            of it. After three failures introspection pauses 100 ms to 5 s,
//	            which no field changes
//	revocation  Introspection.PositiveLifetime (30 s), NegativeLifetime (10 s);
//	            negative for none
//
// With sockets, a millisecond is a good choice for the first two:
//
//	Keys: &jwks.Config{MinFetchInterval: time.Millisecond, RefreshInterval: time.Millisecond}
//
// Its RSA keys are published with the source of this package, and issuers may
// share them; the others are made anew for each issuer and each rotation. A
// token from here proves nothing: no real API may trust one.
package issuertest
