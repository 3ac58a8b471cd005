package main

// never keeps an if from being entered.
func never(file, condition string) edit {
	return edit{file, "if " + condition + " {", "if false && (" + condition + ") {"}
}

// ignoring keeps an error from being looked at.
func ignoring(file, call string) edit {
	return edit{file, "if err := " + call + "; err != nil {", "if err := " + call + "; false && err != nil {"}
}

// The tests that are run, of the quickest room first.
var (
	ofScopes        = []suite{{folder: "scopes"}}
	ofValidator     = []suite{{folder: "validator"}}
	ofJWS           = []suite{{folder: "internal/jws"}, {folder: "validator"}}
	ofJSON          = []suite{{folder: "internal/strictjson"}, {folder: "validator"}}
	ofKeys          = []suite{{folder: "jwks"}, {folder: "validator"}}
	ofFetch         = []suite{{folder: "internal/fetch"}}
	ofDiscovery     = []suite{{folder: "internal/metadata"}, {folder: "internal/fetch"}}
	ofIntrospection = []suite{{folder: "introspection"}, {folder: "validator"}}
	ofTurns         = []suite{{folder: "internal/turns"}, {folder: "introspection"}}
	ofAdapters      = []suite{{folder: "adapters/httpauth"}, {folder: "internal/adaptertest"}}
)

// tokenMutants concern the form of a token, and what proves it. Their checks bear
// the names of the ordered list in validator/checks.go.
var tokenMutants = []mutant{
	{"size", "the longest token that is looked at", []edit{never("validator/verify.go", "len(raw) > v.maxToken")}, ofValidator},
	{"characters", "the alphabet of RFC 6750 §2.1", []edit{{"validator/syntax.go", "return n > 0 && n == end", "return true"}}, ofValidator},
	{"three parts", "a fourth part is seen", []edit{{"internal/jws/compact.go", "!one || !two || strings.IndexByte(signature, '.') >= 0", "!one || !two"}}, ofJWS},
	{"three parts", "what is no JOSE header makes a token opaque", []edit{{"internal/jws/compact.go", `return err == nil && bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))`, `return err == nil || bytes.HasPrefix(raw, nil)`}}, ofValidator},
	{"three parts", "an opaque token is refused where nobody introspects", []edit{{"validator/opaque.go", `return nil, refuse(CheckShape, "the token is no JWT, and no issuer here introspects")`, `return v.issuers[v.issuerURLs[0]], nil`}}, ofValidator},
	{"three parts", "a broken JWT is shown to nobody", []edit{{"validator/verify.go", "err := brokenJWT(raw); err != nil", "err := brokenJWT(raw); false && err != nil"}}, []suite{{"validator", "TestBrokenJWTsAreShownToNobody"}}},
	{"three parts", "a JWT whose proof failed is not tried by introspection", []edit{{"validator/verify.go", "	// A good JWT needs no look at its alphabet:", "	if err != nil && v.introspector != nil {\n		return v.proveOpaque(ctx, raw, id, a)\n	}\n	// A good JWT needs no look at its alphabet:"}}, ofValidator},
	{"base64url", "CR and LF are refused, which Go's decoder skips", []edit{{"internal/jws/compact.go", "err != nil || len(segment)%4 == 1 || len(out)-len(dst) != DecodedLen(segment)", "err != nil"}}, ofJWS},
	{"base64url", "stray bits in the last character are refused", []edit{{"internal/jws/compact.go", "base64.RawURLEncoding.Strict()", "base64.RawURLEncoding"}}, ofJWS},
	{"JSON", "duplicate names are refused", []edit{{"internal/strictjson/strictjson.go", "if !seen.add(name) {", "if seen.add(name); false {"}}, ofJSON},
	{"JSON", "duplicate names are refused deeper down", []edit{{"internal/strictjson/strictjson.go", "r.dec.Reset(&r.buf)", "r.dec.Reset(&r.buf, jsontext.AllowDuplicateNames(true))"}}, ofJSON},
	{"JSON", "invalid UTF-8 is refused", []edit{{"internal/strictjson/strictjson.go", "(backslash-each))&high) / 8", "(backslash-each))&high&^word) / 8"}}, ofJSON},
	{"JSON", "names match in exact case alone", []edit{{"internal/strictjson/strictjson.go", "visit(name, Value(text[at:end:end]))", "visit(string(bytes.ToLower([]byte(name))), Value(text[at:end:end]))"}}, ofJSON},
	{"JSON", "text after the object is refused", []edit{never("internal/strictjson/strictjson.go", "skipSpace(text, at) != len(text)")}, ofJSON},
	{"JSON", "nesting is bounded", []edit{never("internal/strictjson/strictjson.go", "depth(value) >= MaxDepth")}, ofJSON},
	{"JSON", "a string is a JSON string", []edit{{"internal/strictjson/value.go", "len(v) < 2 || v[0] != '\"'", "len(v) < 2"}}, ofJSON},
	{"crit, b64", "crit is refused", []edit{{"internal/jws/header.go", `case "crit", "b64":`, `case "b64":`}}, ofJWS},
	{"crit, b64", "b64 is refused", []edit{{"internal/jws/header.go", `case "crit", "b64":`, `case "crit":`}}, ofJWS},
	{"iss", "an iss that is not configured is refused", []edit{{"validator/validator.go", "return nil, &Error{check: CheckIssuer, got: []string{url}, want: v.issuerURLs}", "return v.issuers[v.issuerURLs[0]], nil"}}, ofValidator},
	{"typ", "another type of token is refused", []edit{never("validator/checks.go", "!i.profile.acceptsType(h.Type, h.HasType)")}, ofValidator},
	{"alg", "the issuer's list of algorithms (two places)", []edit{
		never("validator/checks.go", "!slices.Contains(i.algorithms, h.canonical)"),
		never("validator/verify.go", "v.algorithms != nil && !slices.Contains(v.algorithms, t.header.canonical)"),
	}, ofValidator},
	{"key", "a made-up kid has no key", []edit{{"jwks/snapshot.go", "	return nil, unknownID\n", "	return s.only(alg)\n"}}, ofKeys},
	{"key", "a key serves the algorithms that it was made for", []edit{{"jwks/snapshot.go", "	for _, k := range keys {\n		if k.serves(alg) {\n", "	for _, k := range keys {\n		if true {\n"}}, ofKeys},
	{"key", "without a kid, several fitting keys are none", []edit{{"jwks/snapshot.go", "			return nil, ambiguous\n", "			return one, found\n"}}, ofKeys},
	{"signature", "the signature is verified", []edit{ignoring("validator/issuer.go", "jws.Verify(t.header.canonical, key.Public(), t.SigningInput, signature)")}, ofValidator},
	{"signature", "one spelling of a signature", []edit{{"validator/issuer.go", `return refuse(CheckEncoding, "the signature "+err.Error())`, `signature = buffer[:64]`}}, ofValidator},
	{"signature", "the algorithm is one for the key", []edit{never("internal/jws/signature.go", "!Fits(alg, key)")}, ofJWS},
	{"signature", "a PSS salt is as long as the hash", []edit{{"internal/jws/signature.go", "rsa.PSSSaltLengthEqualsHash", "rsa.PSSSaltLengthAuto"}}, ofJWS},
}
