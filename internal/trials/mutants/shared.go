package main

const (
	keptFile       = "introspection/kept.go"
	tierFile       = "introspection/tier.go"
	sharedKeysFile = "introspection/shared.go"
)

// sharedMutants concern answers that instances share.
var sharedMutants = []mutant{
	{"shared answers", "a hit calls nobody, nor does who wants it fresh", []edit{{"introspection/flight.go", "	case !d.fresh:\n		made.looking, made.renews =", "	case !d.fresh || f.fresh == nil:\n		made.looking, made.renews ="}}, []suite{{"introspection", "TestSharedIsNotAskedOnAHit"}}},
	{"shared answers", "who wants it fresh joins nobody who looks", []edit{{"introspection/flight.go", "!other.looking && (!other.sent ||", "(!other.sent ||"}}, []suite{{"introspection", "TestSharedFreshJoinsNoLook"}}},
	{"shared answers", "one instance asks for all", []edit{{tierFile, "			if mine { // who", "			if mine || true { // who"}}, []suite{{"introspection", "TestSharedColdStart"}}},
	{"shared answers", "who has the lease looks once more", []edit{{tierFile, "				r, _ := load(source)\n				return r\n", "				return nil\n"}}, []suite{{"introspection", "TestSharedLeaseIsLookedAfter"}}},
	{"shared answers", "a lease of one that failed ends", []edit{{tierFile, "return t.store.Lease(ctx, key, 0)", "return true, nil"}}, []suite{{"introspection", "TestSharedLeaseEnds"}}},
	{"shared answers", "nobody waits for a lease for ever", []edit{never(tierFile, "now.After(until) || !c.wanted(k)")}, []suite{{"introspection", "TestSharedWaitersGiveUp"}}},
	{"shared answers", "a store that hangs costs its time-out", []edit{{tierFile, "	case <-within.Done():\n", "	case <-ctx.Done():\n"}}, []suite{{"introspection", "TestSharedTrouble"}}},
	{"shared answers", "calls that hang are bounded", []edit{never(tierFile, "t.hanging.Load() >= mostHanging")}, []suite{{"introspection", "TestSharedCallsLeftBehindAreBounded"}}},
	{"shared answers", "after trouble it is left alone", []edit{{tierFile, "t.again.Store(int64(time.Since(t.begun) + sharedPause))", "t.again.Store(0)"}}, []suite{{"introspection", "TestSharedTrouble"}}},
	{"shared answers", "a crowd does not look all at once", []edit{{tierFile, "mostLooking = 64", "mostLooking = 1000"}}, []suite{{"introspection", "TestSharedCrowdWaits"}}},
	{"shared answers", "a source's crowd holds up no other's look", []edit{{tierFile, "Enter(waiting, name, &place)", "Enter(waiting, \"\", &place)"}}, []suite{{"introspection", "TestSharedTurnsAreFair"}}},
	{"shared answers", "a first look waits behind no crowd that looks again", []edit{{tierFile, "\"again \"+source", "source"}}, []suite{{"introspection", "TestSharedTurnsAreFair"}}},
	{"shared answers", "those of one source leave room for others to look", []edit{never(tierFile, "t.bySource[source] >= max(t.most/2, 1)")}, []suite{{"introspection", "TestSharedLookersOfASource"}}},
	{"shared answers", "one failure beside others that go well is no trouble", []edit{{tierFile, "t.well.Load() <= began", "true"}}, []suite{{"introspection", "TestSharedOddFailure"}}},
	{"shared answers", "many of them are", []edit{{tierFile, "t.odd.Add(1) > mostOdd", "false"}}, []suite{{"introspection", "TestSharedOddFailure"}}},
	{"shared answers", "a lease is longer than the wait for a turn", []edit{{tierFile, "max(leaseTime, c.cfg.MaxWait+leaseRest)", "leaseTime"}}, []suite{{"introspection", "TestSharedLeaseOutlastsTurn"}}},
	{"shared answers", "a store that panics ends one call", []edit{{tierFile, "value := recover(); value != nil {", "value := any(nil); value != nil {"}}, []suite{{"introspection", "TestSharedTrouble"}}},
	{"shared answers", "an entry that is none is reported", []edit{{tierFile, "		c.rejected(ctx, fmt.Errorf(\"%w: it %w\", ErrRejected, err))\n", ""}}, []suite{{"introspection", "TestSharedEntriesAreJudged"}}},
	{"shared answers", "the lifetime counts from when it was asked for", []edit{{keptFile, "	if age >= lifetime {", "	if false {"}, {keptFile, "	r.until = now.Add(lifetime - age)\n", "	r.until = now.Add(lifetime)\n"}}, []suite{{"introspection", "TestSharedLifetime"}}},
	{"shared answers", "the shorter lifetime counts", []edit{{keptFile, "lifetime = min(lifetime, ", "lifetime = max(lifetime, "}}, []suite{{"introspection", "TestSharedLifetime"}}},
	{"shared answers", "a clock far ahead is not believed", []edit{never(keptFile, "age < -clockSpread")}, []suite{{"introspection", "TestSharedEntriesAreJudged"}}},
	{"shared answers", "an answer is not taken for younger than it is", []edit{{keptFile, "now.Add(-age - clockSpread)", "now.Add(-age)"}}, []suite{{"introspection", "TestSharedIsNoYounger"}}},
	{"shared answers", "its exp counts", []edit{{keptFile, "		if end := now.Add(r.exp.Sub(c.cfg.Now())); end.Before(r.until) {", "		if end := now.Add(r.exp.Sub(c.cfg.Now())); end.IsZero() {"}}, []suite{{"introspection", "TestSharedLifetime"}}},
	{"shared answers", "its form is known", []edit{never(keptFile, "len(data) < keptHead || data[0] != keptForm || data[1] > keptActive"), {keptFile, "active, body := data[1]", "data = append(data, make([]byte, keptHead)...)\n	active, body := data[1]"}}, []suite{{"introspection", "TestSharedEntriesAreJudged"}}},
	{"shared answers", "its size is bounded", []edit{never(keptFile, "int64(len(body)) > c.cfg.MaxResponseBytes")}, []suite{{"introspection", "TestSharedEntriesAreJudged"}}},
	{"shared answers", "it is decoded as all are", []edit{neverCase(keptFile, "!r.active")}, []suite{{"introspection", "TestSharedEntriesAreJudged"}}},
	{"shared answers", "it is proven as all are", []edit{{keptFile, "r, err := c.readBody(ctx, body)", "_ = ctx\n	r, err := decode(body, nil)"}}, []suite{{"introspection", "TestSharedAnswersAreProvenAgain"}}},
	{"shared answers", "what was seen inactive is not revived", []edit{{tierFile, "r.active && last != nil && !r.askedAt.After(last.askedAt)", "r.active && last != nil && false"}}, []suite{{"introspection", "TestSharedRevivesNothing"}}},
	{"shared answers", "no other client is served with them", []edit{{sharedKeysFile, "form, c.Issuer, id, c.SharedAs)", "form, c.Issuer, c.SharedAs)"}, {sharedKeysFile, "		id = auth.clientID()", "		_ = auth\n		_ = id"}}, []suite{{"introspection", "TestSharedIsApart"}}},
	{"shared answers", "nor one of another issuer", []edit{{sharedKeysFile, "form, c.Issuer, id", "form, id"}}, []suite{{"introspection", "TestSharedIsApart"}}},
	{"shared answers", "nor one of another endpoint", []edit{{sharedKeysFile, "appendTexts(nil, endpoint)", "appendTexts(nil, \"\")"}}, []suite{{"introspection", "TestSharedIsApart"}}},
	{"shared answers", "nothing shifts between endpoint and token", []edit{{sharedKeysFile, "h.Write(appendTexts(nil, endpoint))", "_, _ = io.WriteString(h, endpoint)"}}, []suite{{"introspection", "TestSharedIsApart"}}},
	{"shared answers", "who asks must be known", []edit{{sharedKeysFile, `!named && c.SharedAs == ""`, `!named && c.SharedAs == "x"`}}, []suite{{"introspection", "TestSharedFaults"}}},
}
