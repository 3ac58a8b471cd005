package main

// keyMutants concern the key set: which keys it takes, when it fetches, and what
// it survives.
var keyMutants = []mutant{
	{"keys", "private keys are skipped", []edit{{"jwks/parsekey.go", "	case j.private():\n", "	case false:\n"}}, ofKeys},
	{"keys", "keys for another use are skipped", []edit{{"jwks/parsekey.go", `	case j.Use != nil && *j.Use != "sig":`, "	case false:"}}, ofKeys},
	{"keys", "keys whose key_ops lack verify are skipped", []edit{{"jwks/parsekey.go", `	case j.KeyOps != nil && !slices.Contains(*j.KeyOps, "verify"):`, "	case false:"}}, ofKeys},
	{"keys", "a key's alg binds it", []edit{{"jwks/parsekey.go", "		accepted = []string{alg}\n", ""}}, ofKeys},
	{"keys", "RSA keys have 2048 to 4096 bits (two places)", []edit{
		{"jwks/parsekey.go", "bits < jws.MinRSABits || bits > jws.MaxRSABits || modulus.Bit(0) == 0", "bits == 0 || modulus.Bit(0) == 0"},
		{"internal/jws/algorithm.go", "s.family == familyRSA && k.N.BitLen() >= MinRSABits && k.N.BitLen() <= MaxRSABits", "s.family == familyRSA"},
	}, ofKeys},
	{"keys", "RSA exponents are odd and from 3 to 2³¹−1", []edit{never("jwks/parsekey.go", "exponent.BitLen() > 31 || exponent.Bit(0) == 0 || exponent.Cmp(big.NewInt(3)) < 0")}, ofKeys},
	{"keys", "coordinates have the curve's length", []edit{never("jwks/parsekey.go", "len(octets) != size")}, ofKeys},
	{"keys", "the curve is the algorithm's", []edit{{"internal/jws/algorithm.go", "s.family == familyEC && k.Curve == s.curve", "s.family == familyEC"}}, ofJWS},
	{"keys", "of two keys with one kid the first serves", []edit{{"jwks/parse.go", "		return false, errDuplicate\n", "		return false, nil\n"}}, ofKeys},
	{"keys", "a set has at most 1000 keys", []edit{{"jwks/parse.go", "	case n > maxKeys:\n", "	case false:\n"}}, ofKeys},
	{"key set", "only a 200 replaces a good set", []edit{{"jwks/source.go", "	case res.Status != http.StatusOK:\n", "	case false:\n"}}, ofKeys},
	{"key set", "an empty set replaces nothing", []edit{
		{"jwks/parse.go", "	case n == 0:\n", "	case false:\n"},
		{"jwks/parse.go", "	if len(keys) == 0 {\n", "	if false {\n"},
	}, ofKeys},
	{"key set", "a failed fetch leaves the good set in use", []edit{{"jwks/refresh.go", "		events := s.fail(err, now)\n", "		s.last = nil\n		s.serving.Store(nil)\n		events := s.fail(err, now)\n"}}, ofKeys},
	{"key set", "MaxStale ends the use of old keys", []edit{{"jwks/refresh.go", "	s.set(&s.expiry, s.config.MaxStale, s.onExpiry)\n", ""}}, ofKeys},
	{"key set", "a key that left the set is not usable", []edit{{"jwks/keyset.go", "k != nil && !k.retired.Load()", "k != nil"}}, ofKeys},
	{"key set", "a key that changed under its kid is another key", []edit{
		{"jwks/key.go", "k.thumbprint == other.thumbprint &&", "true &&"},
		{"jwks/snapshot.go", "		id := identity{k.name(), k.thumbprint}\n", "		id := identity{name: k.name()}\n"},
		{"jwks/snapshot.go", "		old[identity{k.name(), k.thumbprint}] = k\n", "		old[identity{name: k.name()}] = k\n"},
		{"jwks/snapshot.go", "		if old[identity{k.name(), k.thumbprint}] == k {\n", "		if old[identity{name: k.name()}] == k {\n"},
	}, ofKeys},
	{"key set", "a young set is not fetched again for an unknown kid", []edit{{"jwks/keyset.go", "	case time.Since(s.fetched) < s.config.MinFetchInterval:\n", "	case false:\n"}}, ofKeys},
	{"key set", "unknown kids fetch at most so often", []edit{{"jwks/keyset.go", "	case s.limiter.Allow():\n", "	case true:\n"}}, ofKeys},
	{"key set", "while the issuer fails it is left alone", []edit{{"jwks/keyset.go", "	case s.failure != nil && now.Before(s.notBefore):\n", "	case false:\n"}}, ofKeys},
	{"key set", "a caller that gives up ends no fetch of others", []edit{{"jwks/refresh.go", "	case <-ctx.Done():\n		return nil, unavailable", "	case <-ctx.Done():\n		f.cancel()\n		return nil, unavailable"}}, ofKeys},
	{"discovery", "the document names the configured issuer", []edit{never("internal/metadata/metadata.go", "doc.Issuer != issuer")}, ofDiscovery},
	{"discovery", "the document is a 200", []edit{{"internal/metadata/metadata.go", "	case res.Status != http.StatusOK:\n", "	case false:\n"}}, ofDiscovery},
	{"discovery", "what it names obeys the rules for addresses", []edit{{"internal/metadata/metadata.go", "err = fetch.CheckDiscovered(issuer, found, allowHTTP)", "err = nil"}}, ofDiscovery},
	{"discovery", "an https issuer leads to https alone", []edit{never("internal/fetch/fetch.go", `isHTTPS(issuer) && !isHTTPS(found) && !allowHTTP`)}, ofDiscovery},
	{"requests", "http is for loopback hosts alone", []edit{{"internal/fetch/fetch.go", "	case allowHTTP || loopback(u.Hostname()):\n", "	case true:\n"}}, ofFetch},
	{"requests", "redirects are not followed", []edit{{"internal/fetch/fetch.go", "	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }\n", ""}}, ofFetch},
	{"requests", "answers have a limit", []edit{{"internal/fetch/fetch.go", "io.ReadAll(io.LimitReader(res.Body, c.maxBytes+1))", "io.ReadAll(res.Body)"}, never("internal/fetch/fetch.go", "int64(len(body)) > c.maxBytes")}, ofFetch},
	{"requests", "requests have a time-out, body included", []edit{{"internal/fetch/fetch.go", "context.WithTimeout(ctx, c.timeout)", "context.WithCancel(ctx)"}}, ofFetch},
	{"requests", "errors name no query", []edit{{"internal/fetch/fetch.go", "(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()", "u.String()"}}, ofFetch},
}
