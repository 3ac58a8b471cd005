package main

var (
	ofRevoked  = []suite{{"validator", "TestRevoked"}, {"validator", "TestWhoseIDCounts"}, {"validator", "TestUnnamedTokens"}, {"validator", "TestZeroList"}}
	ofStale    = []suite{{"validator", "TestStaleList"}, {"validator", "TestNobodyToAsk"}, {"validator", "TestFreshEnough"}, {"validator", "TestRevokedWhile"}}
	ofServing  = []suite{{"validator", "TestResolvedIssuersServe"}, {"validator", "TestMaxTokenLifetimeServes"}, {"revocation", "TestServesManyIssuers"}}
	ofLive     = []suite{{"validator", "Live"}, {"validator", "TestTenThousandStreams"}}
	ofWheel    = []suite{{folder: "validator/internal/wheel"}}
	ofRevoking = []suite{{"internal/trials/adaptertest", "TestConformance"}, {"internal/trials/adaptertest", "TestStaleByRoute"}, {"internal/trials/adaptertest", "TestStreamsEndWithTheirToken"}, {"adapters/httpauth", "TestGatesThatExcludeEachOther"}}
)

// killSwitchMutants concern what a list of revocations does to requests and streams.
var killSwitchMutants = []mutant{
	{"kill switch, requests", "each request asks the list", []edit{{"validator/verify.go", "if v.revoked == nil || v.revoked.Check(", "if true || v.revoked.Check("}}, ofRevoked},
	{"kill switch, requests", "a revoked token is refused", []edit{{"validator/revoked.go", "	case revocation.Revoked:\n		return false, p.sighting().on(revokedBy(verdict))\n	}\n	return false, p.sighting().on(errListStale)", "	case revocation.Revoked:\n		return false, nil\n	}\n	return false, p.sighting().on(errListStale)"}}, ofRevoked},
	{"kill switch, requests", "a JWT goes by its own jti", []edit{{"validator/proof.go", "		t.ID = own.id\n", "		t.ID = p.said.id\n"}}, ofRevoked},
	{"kill switch, requests", "an opaque token has its answer's", []edit{{"validator/proof.go", "t.ID, t.Opaque = p.said.id, raw\n", "t.Opaque = raw\n"}}, ofRevoked},
	{"kill switch, requests", "and goes by its text", []edit{{"validator/proof.go", "t.ID, t.Opaque = p.said.id, raw\n", "t.ID = p.said.id\n"}}, ofRevoked},
	{"kill switch, requests", "a JWT never does", []edit{{"validator/proof.go", "	p.marks = new(", "	t.Opaque = raw\n	p.marks = new("}}, ofRevoked},
	{"kill switch, requests", "a key is known by its own kid", []edit{{"validator/proof.go", "t.ID, t.KeyID = p.said.id, p.key.ID()", "t.ID = p.said.id"}}, ofRevoked},
	{"kill switch, requests", "when a token was issued counts", []edit{{"validator/proof.go", ", IssuedAt: p.said.issuedAt,", ","}}, ofRevoked},
	{"kill switch, requests", "a token that does not say whose it is is told so", []edit{never("validator/revoked.go", "v.Unnamed()")}, ofRevoked},
	{"kill switch, requests", "a zero list is refused", []edit{never("validator/config.go", "s.revoked != nil && s.revoked.Generation() == 0")}, ofRevoked},
	{"kill switch, requests", "nobody is asked about a revoked JWT", []edit{{"validator/verify.go", "			err := v.notRevoked(p)\n			if err == nil {", "			var err error\n			if err == nil {"}}, ofRevoked},
	{"kill switch, requests", "nor about an opaque one", []edit{ignoring("validator/verify.go", "v.notRevoked(p)")}, ofRevoked},
	{"kill switch, stale", "what is not known is 503", []edit{{"validator/revoked.go", "	return false, p.sighting().on(errListStale)", "	return false, nil"}}, ofStale},
	{"kill switch, stale", "the route's choice comes first", []edit{{"validator/verify.go", "v.judgeRevocation(p, d.Stale)", "v.judgeRevocation(p, revocation.StaleByConfig)"}}, ofStale},
	{"kill switch, stale", "an issuer that cannot be asked is 503", []edit{{"validator/verify.go", "			return nil, \"\", p.sighting().on(errNobodyToAsk)", "			return p, way, nil"}}, ofStale},
	{"kill switch, stale", "its word is no older than a list may be", []edit{{"validator/verify.go", "		a.maxAge, way = &most, observe.ByIntrospection", "		most *= 1000\n		a.maxAge, way = &most, observe.ByIntrospection"}}, ofStale},
	{"kill switch, stale", "an older one that a route allows does not do", []edit{{"validator/verify.go", "!asks || a.fresh() && *a.maxAge <= most:", "!asks || a.fresh():"}}, ofStale},
	{"kill switch, stale", "what came meanwhile counts", []edit{{"validator/verify.go", "		a.maxAge, way = &most, observe.ByIntrospection\n		if p, err = v.settle(ctx, r, d, id, p, a, seen); err != nil {", "		a.maxAge, way = &most, observe.ByIntrospection\n		if p, err = v.settle(ctx, r, d, id, p, a, seen); err == nil {\n			return p, way, nil\n		} else {"}}, ofStale},
	{"kill switch, stale", "Ready says what the list says", []edit{{"validator/validator.go", "if err := v.revoked.Ready(); err != nil {", "if err := v.revoked.Ready(); false && err != nil {"}}, ofStale},
	{"kill switch, serving", "the list knows whose tokens are asked about", []edit{{"validator/resolver.go", "	v.asksOf(i)\n", ""}}, ofServing},
	{"kill switch, serving", "an expired token passes for as long as the clock skew", []edit{{"validator/validator.go", "		most += v.skew\n", ""}}, ofServing},
	{"kill switch, serving", "of issuers without number it takes no note", []edit{never("revocation/lifetime.go", "!known && len(l.lives) >= mostServed*int(ByOpaqueToken)")}, ofServing},
	{"kill switch, gates", "a route that only reports refuses what is revoked", []edit{{"adapters/httpauth/gate.go", "!rt.gate.DangerouslyReportOnly || failure != nil && failure.Err.Check() == validator.CheckRevoked", "!rt.gate.DangerouslyReportOnly"}}, ofRevoking},
	{"kill switch, gates", "and is not told as one that lets it through", []edit{{"validator/observer.go", "r.ReportOnly && e.check != CheckRevoked", "r.ReportOnly"}}, ofRevoking},
	{"kill switch, gates", "a route has its own policy", []edit{{"adapters/httpauth/gate.go", "cmp.Or(g.Stale, m.stale)", "cmp.Or(m.stale, g.Stale)"}}, ofRevoking},
	{"kill switch, gates", "or its middleware's", []edit{{"adapters/httpauth/gate.go", "cmp.Or(g.Stale, m.stale)", "cmp.Or(g.Stale)"}}, ofRevoking},
	{"kill switch, gates", "one that is none is refused", []edit{neverCase("adapters/httpauth/httpauth.go", "!s.Valid()")}, ofRevoking},
	{"kill switch, gates", "nor one without a list", []edit{neverCase("adapters/httpauth/httpauth.go", "s != revocation.StaleByConfig && !a.Revocations")}, ofRevoking},
	{"kill switch, gates", "nor one that asks where nobody can be asked", []edit{neverCase("adapters/httpauth/httpauth.go", "s == revocation.StaleAskIssuer && !a.Introspection")}, ofRevoking},
	{"kill switch, stale", "a list that asks needs an issuer to ask", []edit{{"validator/validator.go", "		faults = append(faults, err)\n	}\n	if len(faults)", "	}\n	if len(faults)"}}, ofStale},
	{"kill switch, gates", "a request's context ends with its token", []edit{never("adapters/httpauth/gate.go", "rt.gate.Live && accepted.Token != nil")}, ofRevoking},
	{"kill switch, streams", "a revoked token's ends", []edit{{"validator/live.go", "		err = s.validator.notRevoked(s.proof)\n", "		_ = err\n"}}, ofLive},
	{"kill switch, streams", "an expired one's ends", []edit{neverCase("validator/live.go", "!p.notAfter.IsZero() && !now.Before(p.notAfter)")}, ofLive},
	{"kill switch, streams", "that of a withdrawn key ends", []edit{neverCase("validator/live.go", "p.key != nil && !p.issuer.keys.Usable(p.key) && p.key.Retired()")}, ofLive},
	{"kill switch, streams", "that of a forgotten issuer ends", []edit{neverCase("validator/live.go", "p.issuer.closed.Load()")}, ofLive},
	{"kill switch, streams", "no other validator's token has one", []edit{{"validator/live.go", "if !ok || found.issuer.of != v {", "if !ok {"}}, ofLive},
	{"kill switch, streams", "a token is looked at when it begins", []edit{{"validator/live.go", "if _, over := s.Look(); over {", "if false {"}}, ofLive},
	{"kill switch, streams", "one whose client went is forgotten", []edit{{"validator/live.go", "forget := context.AfterFunc(ctx, s.leave)", "forget := func() bool { return true }"}}, ofLive},
	{"kill switch, streams", "Close ends all", []edit{{"validator/validator.go", "	v.streams.Close()\n", ""}}, ofLive},
	{"kill switch, wheel", "a change has all looked at", []edit{{"validator/internal/wheel/wheel.go", "		case <-changed:\n", "		case <-(chan struct{})(nil):\n			_ = changed\n"}}, ofWheel},
	{"kill switch, wheel", "one that came before the wheel turned, too", []edit{{"validator/internal/wheel/wheel.go", "generation != seen || looked.IsZero() {", "generation != seen && !looked.IsZero() {"}}, ofWheel},
	{"kill switch, wheel", "many changes cost few looks", []edit{{"validator/internal/wheel/wheel.go", "looked.IsZero() || !now.Before(again) {", "true || !now.Before(again) {"}}, ofWheel},
	{"kill switch, wheel", "nor later than each 15 s", []edit{{"validator/internal/wheel/wheel.go", "min(due, w.turned+slotCount-1)", "min(due, w.turned+slotCount+8)"}, {"validator/internal/wheel/wheel.go", "min(max(wait, 0), MaxWait)", "max(wait, 0)"}}, ofWheel},
	{"kill switch, wheel", "an empty wheel has no goroutine", []edit{never("validator/internal/wheel/wheel.go", "w.n.Load() == 0")}, ofWheel},
}
