package main

// explanations are the tests that hold them against VerifyRequest and Verify.
var explanations = []suite{{"validator", "TestExplain"}}

// explainMutants are of what an explanation may say and do.
var explainMutants = []mutant{
	{"explanation", "nothing is accepted that was not looked at", []edit{{"validator/explainhide.go", "			e.Accepted = false\n", ""}}, explanations},
	{"explanation", "what is not proven is told as that", []edit{{"validator/explainhide.go", "s.Unproven = n >= w.told && ", "s.Unproven = false && "}}, explanations},
	{"explanation", "it goes by the newest answer", []edit{{"validator/explainproof.go", "		v.complete(p, &w.claims, w.r.Token)\n		if v.revoked", "		v.complete(p, c, w.r.Token)\n		if v.revoked"}, {"validator/explainproof.go", "		w.claims = again // what follows goes by the newest answer, as VerifyRequest does\n", "		c := &w.claims\n"}}, []suite{{"validator", "TestExplainAsksAgain"}}},
	{"explanation", "the Resolver is not asked about what its header refuses", []edit{{"validator/explainwalk.go", "w.unasked(headed && listed, ", "w.unasked(true, "}}, []suite{{"validator", "TestExplainAsksWhomVerifyAsks"}}},
	{"explanation", "the store of nonces is not asked about an unproven token", []edit{{"validator/explainproof.go", "w.o.Network && w.proven && !w.failed, At", "w.o.Network, At"}}, []suite{{"validator", "TestExplainAsksWhomVerifyAsks"}}},
	{"explanation", "the store of nonces is not asked about a bad proof", []edit{{"dpop/explain.go", "case e.failed:", "case false:"}}, []suite{{"validator", "TestExplainAsksWhomVerifyAsks"}}},
	{"explanation", "no piece of the token is in it", []edit{{"validator/explainhide.go", "if n < minHidden {", "if true {"}}, explanations},
	{"explanation", "another scheme's credentials are not looked at", []edit{{"validator/explainwalk.go", `|| raw != "" && w.r.isDPoP()`, `|| raw != ""`}}, explanations},
	{"explanation", "the configuration's own check sees proven tokens alone", []edit{{"validator/explainwalk.go", "cmp.Or(inTheWay, unless(w.proven && !w.failed, provenAlone)), func() error { return i.accept(c) })", "inTheWay, func() error { return i.accept(c) })"}}, explanations},
	{"explanation", "so does Profile.App", []edit{{"validator/explainwalk.go", "cmp.Or(inTheWay, unless(w.proven && !w.failed, provenAlone)), func() error { return i.checkApp(c) })", "inTheWay, func() error { return i.checkApp(c) })"}}, explanations},
	{"explanation", "so does Profile.Grants", []edit{{"validator/explainwalk.go", "			own.Grants = nil\n", ""}}, explanations},
	{"explanation", "scopes that are not known refuse nobody", []edit{{"validator/explainproof.go", "CheckScope, cmp.Or(inTheWay, w.ungiven)", "CheckScope, inTheWay"}}, explanations},
	{"explanation", "keys are fetched only where it may ask", []edit{{"validator/explainproof.go", "	if q.network {\n", "	if true {\n"}}, explanations},
	{"explanation", "so is a Resolver asked", []edit{{"validator/explainwalk.go", "if w.o.Network && good || !named", "if true || !named"}}, explanations},
	{"explanation", "so is an endpoint", []edit{{"validator/explainproof.go", "unless(!w.failed, shownNobody), unless(w.o.Network, withoutNet))", "unless(!w.failed, shownNobody))"}}, explanations},
	{"explanation", "and for a confirmation", []edit{{"validator/explainproof.go", ", unless(w.o.Network || p.issuer.introspection == nil, withoutNet))", ")"}}, explanations},
	{"explanation", "a token with a fault is shown to nobody", []edit{{"validator/explainproof.go", "unless(!w.failed, shownNobody), unless(w.o.Network, withoutNet))", "unless(w.o.Network, withoutNet))"}}, explanations},
	{"explanation", "nor one that another shows", []edit{{"validator/explainproof.go", "inTheWay = cmp.Or(inTheWay, unless(!w.failed, shownNobody), unless(w.proven, unprovenHidden)", "inTheWay = cmp.Or(inTheWay, unless(w.proven, unprovenHidden)"}}, explanations},
	{"explanation", "an inactive answer has nothing forgotten", []edit{{"validator/opaque.go", "if !a.explains {", "if true {"}}, explanations},
	{"explanation", "no kid is proved by it", []edit{{"validator/explainproof.go", "func (quietKeys) Proved(jwks.Hint, *jwks.Key) {}", "func (q quietKeys) Proved(h jwks.Hint, k *jwks.Key) { q.set.Proved(h, k) }"}}, explanations},
	{"explanation", "the sender comes before the issuer's word", []edit{{"validator/explainproof.go", "		w.sender(ctx, p, inTheWay)\n		w.confirmation(ctx, p, inTheWay)\n", "		w.confirmation(ctx, p, inTheWay)\n		w.sender(ctx, p, inTheWay)\n"}}, explanations},
	{"explanation", "a JWT's list alone comes before its issuer's word", []edit{never("validator/explainproof.go", "fresh && w.signed")}, explanations},
	{"explanation", "exp is asked for", []edit{never("validator/explainwalk.go", `check.name == "exp" && ends`)}, explanations},
	{"explanation", "the key set is kept in use by nobody who peeks", []edit{{"jwks/hint.go", "	set := s.serving.Load()\n	if set == nil {\n		return nil, unavailable(s.config.MinFetchInterval, errNoneHeld)", "	set := s.inUse()\n	if set == nil {\n		return nil, unavailable(s.config.MinFetchInterval, errNoneHeld)"}}, []suite{{"jwks", "TestHeld"}}},
	{"explanation", "a list tells nobody that it was peeked at", []edit{{"revocation/list.go", "return l.check(m, route, false)", "return l.check(m, route, true)"}}, []suite{{"revocation", "TestPeek"}}},
	{"explanation", "a store of nonces is asked only where it may be", []edit{{"dpop/explain.go", "		case !o.Network:\n			stop = \"it is for the store", "		case false:\n			stop = \"it is for the store"}}, []suite{{"dpop", "TestExplain"}}},
	{"explanation", "no nonce is counted", []edit{{"dpop/explain.go", "new(counters)", "&v.counters"}}, []suite{{"dpop", "TestExplain"}}},
	{"explanation", "a proof's faults are told in their order", []edit{{"dpop/explain.go", `	e.do("htm", CheckMethod, stop, func() (string, *Error) { return quote.Value(r.Method), checkMethod(&c, r) })
`, ""}}, []suite{{"dpop", "TestExplain"}}},
}
