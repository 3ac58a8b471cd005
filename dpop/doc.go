// Package dpop checks proofs of possession at a resource server (RFC 9449): that
// whoever shows a token holds the key that the token is bound to, for this request
// and once.
//
// [New] compiles a [Config]. [Verifier.Verify] takes one request with what is known
// of its token, the hash of it and the thumbprint in its cnf.jkt, and returns what the
// answer has to say, and nil or an [*Error] that says which check failed. The package
// knows neither tokens nor HTTP: who calls it reads the request, and writes the answer.
//
//	v, err := dpop.New(dpop.Config{})
//	…
//	result, err := v.Verify(ctx, &dpop.Request{
//		Proofs:     r.Header.Values("DPoP"),
//		Method:     r.Method,
//		URL:        "https://api.example.com" + path, // of r.RequestURI; never from Host
//		TokenHash:  hash,       // base64url(SHA-256(token))
//		Thumbprint: cnf["jkt"], // of a token that was proven
//	})
//
// Nothing of a decision is remembered, and no signature: each proof is verified. What
// is kept is that a proof was seen ([Replays]), and how the header of a proof reads
// whose signature was good.
package dpop
