package main

// never keeps an if from being entered.
func never(file, condition string) edit {
	return edit{file, "if " + condition + " {", "if false && (" + condition + ") {"}
}

// neverCase is never for a case of a switch without a value.
func neverCase(file, condition string) edit {
	return edit{file, "case " + condition + ":", "case false && (" + condition + "):"}
}

// ignoring keeps an error from being looked at.
func ignoring(file, call string) edit {
	return edit{file, "if err := " + call + "; err != nil {", "if err := " + call + "; false && err != nil {"}
}

// The tests that are run, of the quickest room first.
var (
	ofScopes        = []suite{{folder: "scopes"}}
	ofValidator     = []suite{{folder: "validator"}}
	ofCache         = []suite{{folder: "validator/internal/cache"}}
	ofMemo          = []suite{{folder: "internal/memo"}}
	ofRegistry      = []suite{{folder: "validator/internal/registry"}}
	ofSlots         = []suite{{folder: "internal/slots"}}
	ofJWS           = []suite{{folder: "internal/jws"}, {folder: "validator"}}
	ofJSON          = []suite{{folder: "internal/strictjson"}, {folder: "validator"}}
	ofKeys          = []suite{{folder: "jwks"}, {folder: "validator"}}
	ofFetch         = []suite{{folder: "internal/fetch"}}
	ofDiscovery     = []suite{{folder: "internal/metadata"}, {folder: "internal/fetch"}}
	ofIntrospection = []suite{{folder: "introspection"}, {folder: "validator"}}
	ofStore         = []suite{{"introspection", "TestStore$|TestPlaces|TestRenewedKeeps|TestNothingIsLeft|TestNobodyPushes|TestHonestCrowds|TestManyOfOne|TestGraceCounts"}}
	ofTurns         = []suite{{folder: "internal/turns"}, {folder: "introspection"}}
	ofAdapters      = []suite{{folder: "adapters/httpauth"}, {folder: "internal/trials/adaptertest"}}
)

// tokenMutants concern the form of a token, and what proves it. Their checks bear
// the names of the ordered list in validator/checks.go.
var tokenMutants = []mutant{
	{"size", "the longest token that is looked at", []edit{never("validator/verify.go", "len(raw) > v.maxToken")}, ofValidator},
	{"characters", "the alphabet of RFC 6750 §2.1", []edit{{"validator/syntax.go", "return n > 0 && n == end", "return true"}}, ofValidator},
	{"three parts", "a fourth part is seen", []edit{{"internal/jws/compact.go", "!one || !two || strings.IndexByte(signature, '.') >= 0", "!one || !two"}}, ofJWS},
	{"three parts", "what is no JOSE header makes a token opaque", []edit{{"validator/shape.go", "	case !jws.ReadsAsJOSE(t.raw):\n", "	case !three && !jws.ReadsAsJOSE(t.raw):\n"}}, ofValidator},
	{"three parts", "what reads as a JOSE header is never opaque", []edit{{"validator/shape.go", "	case !jws.ReadsAsJOSE(t.raw):\n", "	case !jws.ReadsAsJOSE(t.raw) || v.introspector != nil:\n"}}, ofValidator},
	{"three parts", "empty parts hide no JOSE header", []edit{{"internal/jws/shape.go", "start, n = i+1, 0", "break"}}, ofJWS},
	{"three parts", "parts that stand for nothing hide no JOSE header", []edit{{"internal/jws/shape.go", "			if !standsForNothing[byte(bits>>n)] {", "			if true {"}}, ofJWS},
	{"three parts", "a foreign character in a header makes no three parts opaque", []edit{{"internal/jws/shape.go", "	return parts < 3\n", "	return true\n"}}, ofJWS},
	{"three parts", "base64 of any alphabet hides no JOSE header", []edit{{"internal/jws/shape.go", "	return standard && urlAlphabet.reads(part, token) || url && standardAlphabet.reads(part, token)\n", "	return false\n"}}, ofJWS},
	{"three parts", "JSON that only a lenient reader takes hides no JOSE header", []edit{{"internal/jws/shape.go", "if named || err != nil && !isJoined(part, token) && namesAlgorithm(text) {", "if named || err != nil && false {"}}, ofJWS},
	{"three parts", "beginnings of alg without end count as it", []edit{{"internal/jws/sloppy.go", "		case left <= r.escapes*escapeCost:\n			return true\n", ""}}, ofJWS},
	{"three parts", "blanks without end count as a JOSE header", []edit{{"internal/jws/shape.go", "blank > maxBlank", "false && blank > maxBlank"}}, ofJWS},
	{"three parts", "a long part in two alphabets is read in no three ways", []edit{{"internal/jws/shape.go", "standard && url && len(part) > maxMixed", "false"}}, ofJWS},
	{"three parts", "a JWT with two dots at its end is no encrypted token", []edit{{"internal/jws/shape.go", `if text, err := enc.String(); err != nil || text == "" {`, `if text, err := enc.String(); err != nil && text != "" {`}}, ofJWS},
	{"three parts", "an opaque token is refused where nobody introspects", []edit{{"validator/opaque.go", `return nil, refusal("no issuer here introspects")`, `return v.issuers[v.issuerURLs[0]], nil`}}, ofValidator},
	{"three parts", "a JWT whose proof failed is not tried by introspection", []edit{{"validator/shape.go", "			// A good JWT needs no look at its alphabet:", "			if err != nil && v.introspector != nil {\n				return v.proveOpaque(ctx, raw, id, a, opaque)\n			}\n			// A good JWT needs no look at its alphabet:"}}, ofValidator},
	{"three parts", "an introspected JWT is strict JSON", []edit{{"validator/shape.go", "	if err != nil {\n		return nil, payloadError(err)\n	}\n", "	_ = err\n"}}, ofValidator},
	{"base64url", "an introspected JWT has one spelling", []edit{{"validator/shape.go", "jws.AppendDecode(nil, t.Signature); err != nil {", "jws.AppendDecode(nil, t.Signature); false && err != nil {"}}, ofValidator},
	{"base64url", "what is no letter of it is refused, a line break too", []edit{{"internal/jws/base64.go", "(seen|last)&foreign != 0 || stray != 0", "stray != 0"}}, ofJWS},
	{"base64url", "stray bits in the last character are refused", []edit{{"internal/jws/base64.go", "|| stray != 0", "|| stray == foreign"}}, ofJWS},
	{"base64url", "six bits at the end are refused", []edit{{"internal/jws/base64.go", "return dst, ErrEncoding\n\tcase 2:", "\n\tcase 2:"}}, ofJWS},
	{"JSON", "duplicate names are refused", []edit{{"internal/strictjson/scan.go", "if !s.names.add(name) {", "if s.names.add(name); false {"}}, ofJSON},
	{"JSON", "duplicate names are refused deeper down", []edit{{"internal/strictjson/scan.go", "if !s.names.add(name) {", "if !s.names.add(name) && depth == 1 {"}}, ofJSON},
	{"JSON", "duplicate names are refused among many", []edit{{"internal/strictjson/names.go", "	return n.enter(n.n - 1)\n", "	return n.enter(n.n-1) || true\n"}}, ofJSON},
	{"JSON", "invalid UTF-8 is refused", []edit{{"internal/strictjson/scan.go", "beyond == 0 || utf8.Valid(text[begin:end])", "beyond == 0 || utf8.Valid(text[begin:end]) || true"}}, ofJSON},
	{"JSON", "half a surrogate pair is refused", []edit{{"internal/strictjson/escape.go", "ok && r != utf8.RuneError", "ok || r == utf8.RuneError"}}, ofJSON},
	{"JSON", "names match in exact case alone", []edit{{"internal/strictjson/scan.go", "visit(name, Value(text[at:end:end]))", "visit(string(bytes.ToLower([]byte(name))), Value(text[at:end:end]))"}}, ofJSON},
	{"JSON", "text after the object is refused", []edit{{"internal/strictjson/strictjson.go", "	case skipSpace(text, end) != len(text):\n", "	case skipSpace(text, end) > len(text):\n"}}, ofJSON},
	{"JSON", "nesting is bounded", []edit{never("internal/strictjson/scan.go", "depth == MaxDepth")}, ofJSON},
	{"JSON", "members are bounded", []edit{{"internal/strictjson/scan.go", "if s.members--; s.members < 0 {", "if s.members--; false {"}}, ofJSON},
	{"JSON", "elements are bounded", []edit{{"internal/strictjson/scan.go", "if s.values--; s.values < 0 {", "if s.values--; false {"}}, ofJSON},
	{"JSON", "a header is bounded, too", []edit{{"internal/jws/header.go", "err := headerLimits.Walk(raw,", "err := strictjson.Unlimited.Walk(raw,"}}, ofJWS},
	{"JSON", "white space before an object hides none of its members", []edit{{"internal/strictjson/pick.go", "begin := skipSpace(v, 0) //", "begin := 0 //"}}, []suite{{"validator", "TestSpaceAroundClaims"}}},
	{"JSON", "a string is a JSON string", []edit{{"internal/strictjson/value.go", "if len(v) < 2 || v[0] != '\"' {", "if len(v) < 2 {"}}, ofJSON},
	{"JSON", "a kid of null is none", []edit{never("internal/jws/header.go", "value.IsNull()")}, ofJWS},
	{"crit, b64", "crit is refused", []edit{{"internal/jws/header.go", `case "crit", "b64":`, `case "b64":`}}, ofJWS},
	{"crit, b64", "b64 is refused", []edit{{"internal/jws/header.go", `case "crit", "b64":`, `case "crit":`}}, ofJWS},
	{"iss", "an iss that is not configured is refused", []edit{{"validator/whose.go", "return nil, &Error{check: CheckIssuer, got: []string{url}, want: v.issuerURLs}", "return v.issuers[v.issuerURLs[0]], nil"}}, ofValidator},
	{"typ", "another type of token is refused", []edit{never("validator/checks.go", "!i.profile.acceptsType(h.Type, h.HasType)")}, ofValidator},
	{"alg", "the issuer's list of algorithms (two places)", []edit{
		never("validator/checks.go", "!slices.Contains(i.algorithms, h.canonical)"),
		never("validator/prove.go", "v.algorithms != nil && !slices.Contains(v.algorithms, h.canonical)"),
	}, ofValidator},
	{"key", "a kid that no key has is tried with none that has another", []edit{{"jwks/snapshot.go", "return k.serves(alg) && !(h.HasKeyID && k.hasID)", "return k.serves(alg)"}}, ofKeys},
	{"key", "a key serves the algorithms that it was made for", []edit{{"jwks/snapshot.go", "		for _, k := range keys {\n			if k.serves(alg) {\n", "		for _, k := range keys {\n			if true {\n"}}, ofKeys},
	{"key", "so do those that are tried", []edit{{"jwks/snapshot.go", "return k.serves(alg) && !(h.HasKeyID && k.hasID)", "return !(h.HasKeyID && k.hasID)"}}, ofKeys},
	{"key", "four are tried for one token, those of a newer set included", []edit{{"jwks/snapshot.go", "c.n+len(tried) < MaxCandidates &&", "c.n < MaxCandidates &&"}}, ofKeys},
	{"key", "Lookup chooses none of several", []edit{{"jwks/keyset.go", "	case c.n == 1:\n", "	case c.n > 0:\n"}}, ofKeys},
	{"key", "an x5t chooses among the keys", []edit{{"jwks/snapshot.go", "may(k) && (!named || k.named(h))", "may(k)"}}, ofKeys},
	{"key", "a kid that no key has is asked for before others are tried", []edit{{"jwks/snapshot.go", "c.why = unknownID;", "c.why = found;"}}, ofKeys},
	{"key", "and once", []edit{{"jwks/hint.go", "c.why.mayHelp() && !again && err == nil", "c.why.mayHelp() && err == nil"}}, ofKeys},
	{"key", "a kid that was proved causes no fetch", []edit{{"jwks/snapshot.go", "	case late && len(tried) == 0 && c.n > 0:\n", "	case !h.HasKeyID && len(tried) == 0 && c.n > 0:\n"}}, ofKeys},
	{"key", "one trial is kept for a key that comes", []edit{never("jwks/snapshot.go", "c.n == MaxCandidates && renews")}, ofKeys},
	{"key", "and few are", []edit{{"jwks/key.go", "kids[max(0, len(kids)+1-mostProven):]", "kids"}}, ofKeys},
	{"key", "by what verified alone", []edit{{"validator/signer.go", "if verified && err == nil {", "if err == nil {"}}, ofValidator},
	{"key", "the fetch for another is not waited for to the end", []edit{{"jwks/keyset.go", "	if impatient {\n", "	if false {\n"}}, ofKeys},
	{"key", "nor is its end foretold", []edit{never("jwks/hint.go", "again && s.fetching()")}, ofKeys},
	{"key", "while the issuer cannot be asked, nobody knows", []edit{{"jwks/hint.go", "		err = s.failing()\n", ""}}, ofKeys},
	{"key", "a token that is not signed is tried with no key", []edit{never("validator/keys.go", `t.Signature == ""`)}, ofValidator},
	{"key", "no turn for one key is the end of the trials", []edit{{"validator/signer.go", "if verified || err != nil {", "if verified {"}}, ofValidator},
	{"key", "a proof remembers the key that verified", []edit{{"validator/prove.go", "issuer: i, key: key}", "issuer: i, key: keys[0]}"}, {"validator/prove.go", "key, err := v.prover(", "_, err := v.prover("}}, ofValidator},
	{"signature", "the signature is verified", []edit{{"validator/keys.go", "t.SigningInput, signature) == nil, nil", "t.SigningInput, signature) == nil || true, nil"}}, ofValidator},
	{"signature", "one spelling of a signature", []edit{{"validator/keys.go", `return false, refuse(CheckEncoding, "the signature "+err.Error())`, `signature = buffer[:64]`}}, ofValidator},
	{"signature", "no signature stays in a buffer", []edit{{"validator/keys.go", "		clear(buffer[:]) // header and payload may be in a cache\n", ""}}, ofValidator},
	{"signature", "the algorithm is one for the key", []edit{never("internal/jws/signature.go", "!Fits(alg, key)")}, ofJWS},
	{"signature", "a PSS salt is as long as the hash", []edit{{"internal/jws/signature.go", "rsa.PSSSaltLengthEqualsHash", "rsa.PSSSaltLengthAuto"}}, ofJWS},
}
