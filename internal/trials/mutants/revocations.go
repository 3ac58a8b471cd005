package main

var (
	ofMerge    = []suite{{"revocation", "TestMerge"}}
	ofVerdicts = []suite{{"revocation", "TestUnnamed"}, {"revocation", "TestLatestCutoff"}, {"revocation", "TestIssuedBeforeNow"}}
	ofKinds    = []suite{{"revocation", "TestKindsNeverMeet"}, {"revocation", "TestOpaqueTokens"}}
	ofFeeds    = []suite{{"revocation", "TestStale"}, {"revocation", "TestLateWord"}, {"revocation", "TestGeneration"}, {"revocation", "TestChanged"}, {"revocation", "TestNotMade"}}
	ofFiles    = []suite{{"revocation", "TestFile"}}
	ofDocument = []suite{{"revocation", "TestDocuments"}, {"revocation", "TestFaultsAreBounded"}, {"revocation", "TestRecordRefuses"}}
	ofPrinting = []suite{{"revocation", "TestNothingIsTold"}}
)

// revocationMutants concern what is revoked.
var revocationMutants = []mutant{
	{"revocation, merge", "a later cut-off is not covered by an earlier one", []edit{{"revocation/shard.go", " && s.cutoff >= other.cutoff", ""}}, ofMerge},
	{"revocation, merge", "nor one that stands for longer", []edit{{"revocation/shard.go", " && s.expires >= other.expires", ""}}, ofMerge},
	{"revocation, merge", "nor one that a lift leaves", []edit{{"revocation/shard.go", "return s.sequence() >= other.sequence() && ", "return "}}, ofMerge},
	{"revocation, merge", "what is above a lift stands", []edit{{"revocation/shard.go", "s.is(entry) && s.sequence() <= up.sequence()", "s.is(entry) && up.sequence() > 0"}}, ofMerge},
	{"revocation, merge", "what is below a lift is lifted", []edit{{"revocation/shard.go", "s.is(entry) && s.sequence() <= up.sequence()", "s.is(entry) && s.sequence() < up.sequence()"}}, ofMerge},
	{"revocation, merge", "a lift is remembered", []edit{never("revocation/shard.go", "up.sequence() > 0 && !dead(&up)")}, ofMerge},
	{"revocation, merge", "a lift is remembered for as long as what it lifted", []edit{{"revocation/shard.go", "			up.expires = max(up.expires, s.expires) // for as long as it could come again\n", ""}}, []suite{{"revocation", "TestLiftIsRemembered"}}},
	{"revocation, merge", "the highest lift counts", []edit{never("revocation/shard.go", "s.sequence() > up.sequence()")}, ofMerge},
	{"revocation, merge", "of two lifts the longer memory counts", []edit{{"revocation/shard.go", "			up.expires = expires\n", "			up.expires = s.expires\n			_ = expires\n"}}, []suite{{"revocation", "TestLiftIsRemembered"}}},
	{"revocation, merge", "an entry has its end", []edit{{"revocation/shard.go", " && s.expires > now {", " {"}}, ofMerge},
	{"revocation, merge", "what is over is dropped", []edit{never("revocation/merge.go", "s.expires <= now")}, []suite{{"revocation", "TestLiftIsRemembered"}}},
	{"revocation, merge", "what matches expired tokens alone is dropped, and no sooner", []edit{{"revocation/merge.go", "uint64(s.cutoff)+uint64(lives)+1 < uint64(now)", "uint64(s.cutoff)+uint64(lives) < uint64(now)"}}, []suite{{"revocation", "TestServes"}}},
	{"revocation, merge", "of two lifetimes the longer counts", []edit{{"revocation/merge.go", "if known && (before == 0 || lives > 0 && lives <= before) {", "if known && before == lives {"}}, []suite{{"revocation", "TestServes"}}},
	{"revocation, merge", "nothing is forgotten for lack of room, nor taken in beyond it", []edit{{"revocation/merge.go", "grown > 0 && l.total+grown > l.config.MaxEntries {", "grown > 0 && false {"}}, []suite{{"revocation", "TestFull"}}},
	{"revocation, merge", "a wrong record changes nothing", []edit{{"revocation/merge.go", "		if fault != nil {", "		if false && fault != nil {"}}, []suite{{"revocation", "TestRecordsThatAreWrong"}}},
	{"revocation, verdict", "what was issued in the same second is cut off", []edit{{"revocation/shard.go", "s.cutoff >= issued", "s.cutoff > issued"}}, ofVerdicts},
	{"revocation, verdict", "the latest cut-off of all is told", []edit{{"revocation/list.go", "(cutoff < v.cutoff || unnamed && !v.unnamed)", "true"}}, ofVerdicts},
	{"revocation, verdict", "a time before all times is none after", []edit{{"revocation/entry.go", "uint32(min(max(t.Unix(), 0), Forever))", "uint32(min(t.Unix(), Forever))"}}, ofVerdicts},
	{"revocation, verdict", "no time is so late that it is an early one", []edit{{"revocation/entry.go", "uint32(min(max(t.Unix(), 0), Forever))", "uint32(max(t.Unix(), 0))"}}, ofVerdicts},
	{"revocation, verdict", "by default the clock skew is cut off, too", []edit{{"revocation/entry.go", "l.config.Now().Add(l.config.ClockSkew)", "l.config.Now()"}}, ofVerdicts},
	{"revocation, verdict", "a token that names no client may be any", []edit{{"revocation/marks.go", "			kind |= ofAny // the token may be anybody's\n", ""}}, ofVerdicts},
	{"revocation, verdict", "and is refused for those that stand", []edit{{"revocation/merge.go", "			scan = scan || ", "			_ = scan || "}}, ofVerdicts},
	{"revocation, verdict", "and not for those that were lifted", []edit{{"revocation/merge.go", "			again[s.place()] = true\n", ""}}, ofVerdicts},
	{"revocation, verdict", "a token without jti is told of", []edit{{"revocation/list.go", "			l.unrevocable(m.issuer)\n", ""}}, []suite{{"revocation", "TestUnrevocable"}}},
	{"revocation, verdict", "once", []edit{{"revocation/list.go", "first := !l.told[issuer] && ", "first := "}}, []suite{{"revocation", "TestUnrevocable"}}},
	{"revocation, verdict", "nobody waits for a merge", []edit{{"revocation/list.go", "	l.telling.Lock()\n", "	l.mu.Lock()\n	defer l.mu.Unlock()\n	l.telling.Lock()\n"}}, []suite{{"revocation", "TestNobodyWaits"}}},
	{"revocation, keys", "kinds never meet", []edit{{"revocation/target.go", "	text = append(text, byte(kind))\n", ""}}, ofKinds},
	{"revocation, keys", "issuer and name never run together", []edit{{"revocation/target.go", "	text = binary.BigEndian.AppendUint32(text, uint32(len(issuer)))\n", ""}, {"revocation/target.go", "	\"encoding/binary\"\n", ""}}, ofKinds},
	{"revocation, keys", "an opaque token is hashed with its issuer", []edit{{"revocation/target.go", "h.Write(appendIssuer(append(room[:0], opaqueLabel...), issuer))", "h.Write(append(room[:0], opaqueLabel...))"}}, ofKinds},
	{"revocation, keys", "either secret counts", []edit{{"revocation/marks.go", "range l.hashes {", "range l.hashes[:1] {"}}, ofKinds},
	{"revocation, keys", "a secret is long", []edit{never("revocation/config.go", "len(secret) < minSecret")}, []suite{{"revocation", "TestNewReportsAllFaults"}}},
	{"revocation, feed", "nothing passes before the first snapshot", []edit{{"revocation/list.go", "		return AskIssuer\n	}\n	return Unavailable\n}\n\n// look finds", "		return AskIssuer\n	}\n	return Passes\n}\n\n// look finds"}}, ofFeeds},
	{"revocation, feed", "a silent feed is stale", []edit{{"revocation/state.go", "ripe := l.state() == fresh && age", "ripe := false && age"}}, ofFeeds},
	{"revocation, feed", "a word that was long on its way is an old one", []edit{{"revocation/state.go", "	if now.Sub(asOf) >= l.config.StaleAfter {\n", "	if false {\n"}}, ofFeeds},
	{"revocation, feed", "no word is from the future", []edit{{"revocation/state.go", "	if asOf.After(now) {\n		asOf = now\n	}\n", ""}}, ofFeeds},
	{"revocation, feed", "an unknown policy refuses", []edit{{"revocation/list.go", "		return AskIssuer\n	}\n	return Unavailable\n}\n\nfunc (c", "		return AskIssuer\n	}\n	return Passes\n}\n\nfunc (c"}}, ofFeeds},
	{"revocation, feed", "what is held counts whatever the feed does", []edit{{"revocation/list.go", "		if v := l.look(m, tells); v.outcome == Revoked {\n", "		if v := l.look(m, tells); v.outcome == Revoked && feed(now&stateMask) == fresh {\n"}}, ofFeeds},
	{"revocation, feed", "an entry begins a generation", []edit{{"revocation/list.go", "		next += generationStep\n", ""}}, ofFeeds},
	{"revocation, feed", "what is held already begins none", []edit{{"revocation/merge.go", "	if len(fresh) == 0 && len(gone) == 0 {\n		return\n	}\n", ""}}, ofFeeds},
	{"revocation, feed", "a revoked token is no looked-up one", []edit{{"revocation/list.go", "			return v\n		}\n		m.checked", "			m.checked.Store(looked + 1)\n			return v\n		}\n		m.checked"}}, ofFeeds},
	{"revocation, feed", "marks that nobody made pass nowhere", []edit{{"revocation/list.go", "l.homes == nil || m.kinds[placeIssuer] == 0", "l.homes == nil"}}, ofFeeds},
	{"revocation, feed", "nor does a list that nobody made", []edit{{"revocation/list.go", "m.checked.Load() == l.generation.Load()+1", "m.checked.Load() == l.generation.Load()"}}, ofFeeds},
	{"revocation, feed", "nor one that was closed", []edit{{"revocation/list.go", "	l.step(closed, false)\n", ""}}, ofFeeds},
	{"revocation, file", "what is gone is lifted where the sequence rose, and nowhere else", []edit{{"revocation/file.go", "if d.sequence > l.sequence {", "if true {"}}, ofFiles},
	{"revocation, file", "what names nobody follows the file, too", []edit{never("revocation/merge.go", "again[place]")}, []suite{{"revocation", "TestFileAgainstOracle"}}},
	{"revocation, file", "what is gone without that is told", []edit{{"revocation/file.go", "gone > 0 {", "gone > 0 && false {"}}, ofFiles},
	{"revocation, file", "an older file is no heartbeat", []edit{never("revocation/file.go", "l.sequence > d.sequence")}, ofFiles},
	{"revocation, file", "a broken one is none, either", []edit{{"revocation/file.go", "		if _, all := errors.AsType[*keptError](err); err == nil || all {\n			w.list.current(began)", "		if _, all := errors.AsType[*keptError](err); true {\n			_ = all\n			w.list.current(began)"}}, ofFiles},
	{"revocation, file", "the same fault is told once", []edit{never("revocation/file.go", "text == w.fault")}, ofFiles},
	{"revocation, file", "it is the only feed", []edit{{"revocation/merge.go", "	if l.config.File != \"\" {\n		return errFed\n	}\n", ""}}, []suite{{"revocation", "TestFileIsTheOnlyFeed"}}},
	{"revocation, document", "a misspelt member is a fault", []edit{{"revocation/document.go", "		case name == memberNote:\n		default:\n", "		case true:\n		default:\n"}}, ofDocument},
	{"revocation, document", "it is of one version", []edit{{"revocation/document.go", "versioned = true; string(value) != version {", "versioned = true; false {"}}, ofDocument},
	{"revocation, document", "it has one verb for each entry", []edit{never("revocation/document.go", "e.verb != block && e.verb != issuedBefore")}, ofDocument},
	{"revocation, document", "it has one target for each entry", []edit{{"revocation/document.go", "named != 1 {", "named < 1 {"}}, ofDocument},
	{"revocation, document", "no token stands for its name", []edit{neverCase("revocation/target.go", "looksLikeToken(t.value)")}, ofDocument},
	{"revocation, document", "nor for its hash", []edit{never("revocation/target.go", "!isHash(t.value)")}, ofDocument},
	{"revocation, document", "what no token holds is a fault", []edit{neverCase("revocation/target.go", "unseen(t.value)")}, ofDocument},
	{"revocation, document", "few faults are told", []edit{{"revocation/document.go", "if len(*f) < mostFaults {", "if true {"}}, ofDocument},
	{"revocation, errors", "a token prints without its text", []edit{{"revocation/marks.go", "func (t Token) Format(", "func (t Token) format("}, {"revocation/marks.go", "	_ fmt.Formatter  = Token{}\n", ""}}, ofPrinting},
	{"revocation, errors", "a target prints without its name", []edit{{"revocation/target.go", "func (t Target) Format(", "func (t Target) format("}, {"revocation/target.go", "	_ fmt.Formatter  = Target{}\n", ""}}, ofPrinting},
	{"revocation, errors", "an entry, too", []edit{{"revocation/entry.go", "func (e Entry) Format(", "func (e Entry) format("}, {"revocation/entry.go", "	_ fmt.Formatter  = Entry{}\n", ""}}, ofPrinting},
}
