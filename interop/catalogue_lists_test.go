//go:build interop

package interop_test

// proofList names proofs of the catalogue that have something in common.
type proofList struct {
	about string
	names []string
}

// beyondOAuth4WebAPI are the proofs that its validateJwtAccessToken cannot judge, and
// why.
var beyondOAuth4WebAPI = []proofList{
	{"it remembers no proofs", []string{
		"the same proof twice", "the same proof at the end of its time", "the same proof, its signature the other way",
		"the same jti, signed again", "the same jti at another time", "the same jti in escapes", "the same jti with another header",
		"the same jti with more claims", "the same jti under the other name of its algorithm",
	}},
	{"it has no nonces, and reads none", []string{
		"no nonce", `nonce ""`, `nonce "other"`, `nonce "Good-Nonce"`, `nonce "good-nonce "`, `nonce "ood-nonce"`, `nonce "ext-nonce"`,
		"nonce null", "nonce 7", "nonce []", "nonce of 257 bytes",
	}},
	{"Node's Request joins field lines", []string{
		"the same line twice", "two good proofs", "three lines", "an empty line before it", "an empty line after it",
	}},
	{"Node's Request holds no control characters", []string{
		"header, a line break at the end", "header, a line break within", "header, a NUL",
		"claims, a line break at the end", "claims, a line break within", "claims, a NUL",
		"signature, a line break within", "signature, a NUL",
	}},
	{"Node's Request takes white space off both ends", []string{
		"header, a space before it", "signature, a line break at the end",
	}},
	{"the access token is no JWT", []string{
		"RFC 9449, Figure 12", "RFC 9449, Figure 12, a minute later",
	}},
}

// disputes are the proofs that it judges otherwise than dpop. README.md says who is
// right.
var disputes = []proofList{
	{"how long a proof, its parts and its values may be", []string{
		"4,097 bytes", "16 KiB", "a header of 33 members", "33 claims", "a claim of 70 elements", "a header member of 70 elements",
		"a claim of 40 members", "a header of 2 KiB", "a long header and long claims", "600 escapes", "600 many escapes",
		"600 bytes beyond ASCII", "600 spaces", "4,000 bytes, of claims that nobody needs", "header, 17 levels", "claims, 17 levels",
		"jti of 129 bytes", "jti of 500 bytes",
	}},
	{"base64url with white space, padding or stray bits", []string{
		"signature, a tab within", "signature, a space before it", "signature, two of padding", "signature, stray bits",
	}},
	{"a member twice", []string{
		"header, a member twice", "header, a member twice, first", "header, a double within a member", "a typ twice",
		"claims, a member twice", "claims, a member twice, first", "claims, a double within a member", "a jti twice",
	}},
	{"bytes that are no UTF-8", []string{"header, no UTF-8", "claims, no UTF-8"}},
	{"a byte order mark, half a surrogate pair", []string{
		"header, a byte order mark", "claims, a byte order mark", "header, half a surrogate pair", "claims, half a surrogate pair",
	}},
	{"`typ` in other letters, or after `application/`", []string{
		`typ "dpop+JWT"`, `typ "DPoP+JWT"`, `typ "DPOP+JWT"`, `typ "application/dpop+jwt"`,
	}},
	{"`b64` without `crit`", []string{"b64 false", "b64 true", "b64 null"}},
	{"`x5u`, `x5c`, `x5t`, `x5t#S256` or `jku` beside the key or in it", []string{
		"x5u beside the jwk", "x5u of null beside the jwk", "x5u in the jwk", "x5c beside the jwk", "x5c of null beside the jwk", "x5c in the jwk",
		"x5t beside the jwk", "x5t of null beside the jwk", "x5t in the jwk",
		"x5t#S256 beside the jwk", "x5t#S256 of null beside the jwk", "x5t#S256 in the jwk",
		"jku beside the jwk", "jku of null beside the jwk", "jku in the jwk",
	}},
	{"parts of a private RSA key, without `d`", []string{
		"the private RSA key, p", "the private RSA key, q", "the private RSA key, dp", "the private RSA key, dq", "the private RSA key, qi", "the private RSA key, oth",
	}},
	{"a secret of another type of key", []string{"a k beside a public key", "a priv (AKP)"}},
	{"a number of the key in another spelling", []string{
		"x with a leading zero", "x padded", "x with a line break",
		"RSA, a modulus with a leading zero", "RSA, an exponent of with a leading zero", "RSA, a padded exponent",
	}},
	{"`use` and `key_ops` of the key", []string{"use enc", "use of null", "key_ops sign", "no key_ops", "key_ops is a string"}},
	{"an empty `jti`", []string{"jti is empty"}},
	{"an `htu` that is no URI", []string{
		`htu "https:/api.example.test/orders"`, `htu "https:api.example.test/orders"`, `htu " https://api.example.test/orders"`,
		`htu "https://api.example.test/orders "`, `htu "https://api.example.test/orders\n"`, `htu "https://api.example.test/orders\x00"`,
		`htu "https://api.example.test\\orders"`,
	}},
	{"an `htu` with an empty user", []string{`htu "https://@api.example.test/orders"`}},
	{"an `htu` with the port `0443`", []string{"htu https://api.example.test:0443/orders"}},
	{"how old a proof may be, and how far ahead", []string{
		"iat 11 s ahead", "iat a minute ahead", "iat 61 s old", "iat 60.001 s old", "iat 10.001 s ahead", "a proof made before its use by an exp",
	}},
	{"an `exp` that is past", []string{"claims that nobody knows"}},
	{"an `htu` that is escaped otherwise", []string{
		"htu https://api.example.test/%6Frders", "htu https://api.example.test/%6frders",
		`htu "/a%2Fb" at "/a%2fb"`, `htu "/a%2fb" at "/a%2Fb"`, `htu "/~user" at "/%7Euser"`, `htu "/%e2%82%ac" at "/%E2%82%AC"`,
	}},
}
