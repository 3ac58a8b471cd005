package providers

import "github.com/m2mguard/m2mguard/validator"

// RFC9068 is any authorization server whose access tokens follow RFC 9068, held
// to it: typ is at+jwt, and iss, exp, aud, sub, client_id, iat and jti are there.
// The keys are discovered.
//
// AppOnly is set: in the client credentials grant sub is the client (§2.2), and
// the server keeps users from being called like one (§5).
func RFC9068(issuerURL, audience string) validator.Issuer {
	args := of("RFC9068")
	args.issuer(issuerURL)
	args.audience(audience)
	return args.on(validator.Issuer{
		URL:      issuerURL,
		Audience: []string{audience},
		AppOnly:  true,
		Profile:  validator.RFC9068(),
	})
}
