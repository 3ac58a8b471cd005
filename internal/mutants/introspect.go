package main

// introspectionMutants concern what counts as an answer, how long it counts, and
// what the endpoint is spared.
var introspectionMutants = []mutant{
	{"introspection", "only a 200 is an answer", []edit{{"introspection/exchange.go", "	if res.Status != http.StatusOK {\n		return nil, refusal(endpoint, res)\n	}\n", ""}}, ofIntrospection},
	{"introspection", "active is a boolean", []edit{{"introspection/result.go", "r.active, err = value.Bool(); err != nil", "r.active = string(value) != `false`; false"}}, ofIntrospection},
	{"introspection", "active must be there", []edit{{"introspection/result.go", "	case !found:\n		return nil, errNoActive\n", "	case !found:\n		r.active, r.claims = true, bytes.Clone(body)\n		return r, nil\n"}}, ofIntrospection},
	{"introspection", "an answer that must be signed is signed", []edit{never("introspection/exchange.go", "mediaType(res) != signedMediaType")}, ofIntrospection},
	{"introspection", "an iss in the answer is the issuer's", []edit{{"validator/checks.go", "	default:\n		return &Error{check: CheckIssuer, got: []string{c.token.issuer}, want: []string{i.url}}\n", ""}}, ofValidator},
	{"introspection", "an inactive token is refused", []edit{never("validator/opaque.go", "!result.Active()")}, ofValidator},
	{"signed answers", "the signature is verified", []edit{ignoring("validator/answer.go", "jws.Verify(alg, key.Public(), compact.SigningInput, signature)")}, ofValidator},
	{"signed answers", "a token is no answer (typ)", []edit{{"validator/answer.go", "	case !answerTypes.acceptsType(h.Type, h.HasType):\n", "	case false:\n"}}, ofValidator},
	{"signed answers", "the issuer's list of algorithms", []edit{{"validator/answer.go", "	case !slices.Contains(a.algorithms, alg):\n", "	case !slices.Contains(a.algorithms, alg) && false:\n"}}, ofValidator},
	{"signed answers", "the issuer", []edit{{"validator/answer.go", "	case issuer != a.issuer:\n", "	case issuer != a.issuer && false:\n"}}, ofValidator},
	{"signed answers", "the client", []edit{{"validator/answer.go", "	case !slices.Contains(audience, a.clientID):\n", "	case !slices.Contains(audience, a.clientID) && false:\n"}}, ofValidator},
	{"signed answers", "the time: no recording", []edit{{"validator/answer.go", "	case a.now().Sub(issuedAt).Abs() > answerAge+a.skew:\n", "	case issuedAt.IsZero() && false:\n"}}, ofValidator},
	{"result cache", "the positive lifetime", []edit{{"introspection/client.go", "time.Now().Before(r.until.Add(grace))", "true"}}, ofIntrospection},
	{"result cache", "nothing is served past exp", []edit{{"introspection/client.go", " && !c.expired(r)\n", "\n"}, {"introspection/exchange.go", " || c.expired(r) {", " {"}, {"introspection/exchange.go", "; end.Before(r.until) {", "; false && end.Before(r.until) {"}}, ofIntrospection},
	{"result cache", "failures are not remembered", []edit{{"introspection/client.go", "	c.failed(endpoint, failure)\n	return nil, failure\n", "	c.failed(endpoint, failure)\n	return c.results.put(key, &Result{claims: inactiveClaims, askedAt: time.Now(), until: time.Now().Add(time.Second)}), nil\n"}}, ofIntrospection},
	{"result cache", "inactive answers push out no active ones", []edit{{"introspection/cache.go", "s.active, s.inactive = newStore(entries), newStore(entries)", "s.active = newStore(entries)\n		s.inactive = s.active"}}, ofIntrospection},
	{"result cache", "its size is bounded", []edit{{"introspection/cache.go", "		MaximumWeight: uint64(entries),\n", "		MaximumWeight: 1 << 40,\n"}}, ofIntrospection},
	{"result cache", "large answers count for several", []edit{{"introspection/cache.go", "return uint32(max(1, (len(e.claims)+weightUnit-1)/weightUnit))", "return 1"}}, ofIntrospection},
	{"result cache", "a newer inactive answer stands", []edit{{"introspection/cache.go", "!r.askedAt.After(old.heardAt)", "false"}}, ofIntrospection},
	{"result cache", "StaleIfError is for the endpoint's trouble", []edit{{"introspection/client.go", "ok && !failure.aboutToken && ctx.Err() == nil", "ok && (!failure.aboutToken || ok)"}}, ofIntrospection},
	{"upstream", "requests at once are bounded", []edit{{"introspection/lane.go", "slots: make(chan struct{}, concurrent)", "slots: make(chan struct{}, 1<<20)"}}, ofIntrospection},
	{"upstream", "new tokens per second are bounded", []edit{never("introspection/lane.go", "l.rate != nil && !l.rate.Allow()")}, ofIntrospection},
	{"upstream", "tokens seen active have a budget of their own", []edit{never("introspection/client.go", "c.results.lastActive(key) != nil")}, ofIntrospection},
	{"upstream", "callers with one token share one request", []edit{{"introspection/client.go", "await(ctx, c.flights.DoChan(string(key[:]), ask))", "await(ctx, new(singleflight.Group).DoChan(string(key[:]), ask))"}}, ofIntrospection},
	{"upstream", "failures in a row close the way for a while", []edit{{"introspection/gate.go", "if g.failures < gateFailures {", "if true {"}}, ofIntrospection},
	{"upstream", "Retry-After is respected", []edit{never("introspection/client.go", "failure.pause > 0")}, ofIntrospection},
	{"upstream", "a refusal about one token closes no way", []edit{{"introspection/client.go", "	case failure.aboutToken:\n		lane.gate.release(p)\n", "	case failure.aboutToken:\n		c.backOff(lane, p, failure)\n"}}, ofIntrospection},
	{"upstream", "errors quote nothing that the peer sent", []edit{{"introspection/exchange.go", "err != nil && quotesPeer(err)", "false"}}, ofIntrospection},
}
