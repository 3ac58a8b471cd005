package main

// ofBound are the tests of bound tokens in each framework.
var ofBound = []suite{{folder: "internal/trials/adaptertest"}}

// boundMutants concern tokens that are bound to their sender, from the request on.
var boundMutants = []mutant{
	{"bound", "a token that is bound to a key is no bearer token", []edit{neverCase("validator/passes.go", `b != nil && b.key != "" && !r.isDPoP()`)}, ofBound},
	{"bound", "a bearer token is not shown as DPoP", []edit{neverCase("validator/passes.go", `(b == nil || b.key == "") && r.isDPoP()`)}, ofBound},
	{"bound", "its proof is asked for", []edit{{"validator/verify.go", "nonce, err = v.passProof(ctx, p, r, true)", "err = nil"}}, ofBound},
	{"bound", "its proof is for this token", []edit{{"validator/possession.go", "TokenHash: p.tokenHash", "TokenHash: p.holder"}}, ofBound},
	{"bound", "a spent proof is good for the same proof alone", []edit{{"validator/possession.go", " && s.proof == r.Proofs[0]", ""}}, []suite{{"validator", "TestSpentProofs"}}},
	{"bound", "and for the same validator", []edit{{"validator/possession.go", "spentKey{v}", "spentKey{}"}, {"validator/request.go", "spentKey{a.spent.by}", "spentKey{}"}}, []suite{{"validator", "TestSpentProofs"}}},
	{"bound", "a second gate finds the proof spent", []edit{{"validator/possession.go", "if !spend || v.passedBefore(ctx, r) {", "if !spend {"}}, ofBound},
	{"bound", "what keeps a proof from being judged is no refusal", []edit{{"validator/possession.go", "	case !ok || errors.Is(err, dpop.ErrUnavailable):\n", "	case !ok:\n"}}, ofBound},
	{"bound", "DPoP is no scheme where it is not configured", []edit{{"validator/verify.go", "!(v.made() && v.proofs != nil && r.isDPoP())", "!r.isDPoP()"}}, ofValidator},
	{"bound", "nor in an adapter", []edit{{"adapters/httpauth/header.go", "; ok && !m.proofs() {", "; ok && false {"}}, ofBound},
	{"public URL", "DPoP needs one", []edit{never("adapters/httpauth/httpauth.go", "m.accepts.ProofAlgorithms != nil && len(m.urls.bases) == 0")}, ofBound},
	{"public URL", "of several, Host chooses among them alone", []edit{{"adapters/httpauth/publicurl.go", "	return nil\n}\n\n// list", "	return &p.bases[0]\n}\n\n// list"}}, ofBound},
	{"public URL", "a base is told by all of its host", []edit{{"adapters/httpauth/publicurl.go", "if plainHost(host, scheme) == p.bases[n].host {", "if strings.HasPrefix(p.bases[n].host, plainHost(host, scheme)) {"}}, ofBound},
	{"public URL", "two that nobody can tell apart are a fault", []edit{never("adapters/httpauth/publicurl.go", "other.host == b.host")}, ofBound},
	{"public URL", "an authority in the request line is ignored", []edit{{"adapters/httpauth/publicurl.go", "		target = rest[start:]\n", "		target = \"/\" + rest\n"}}, ofBound},
	{"public URL", "a scheme in a query is none", []edit{{"adapters/httpauth/publicurl.go", `!absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https")`, `!absolute || scheme == ""`}}, ofBound},
	{"public URL", "a fragment is in no request", []edit{{"adapters/httpauth/publicurl.go", "strings.IndexByte(path, '#') < 0 && !hasDots(path)", "!hasDots(path)"}}, ofBound},
	{"public URL", "a router keeps dots that a proof is compared without", []edit{{"adapters/httpauth/publicurl.go", "strings.IndexByte(path, '#') < 0 && !hasDots(path)", "strings.IndexByte(path, '#') < 0"}}, ofBound},
	{"bound", "nobody is asked about a token without its proof", []edit{{"validator/verify.go", "nonce, err = v.passProof(ctx, p, r, false); err == nil", "nonce = nonce; err == nil"}}, []suite{{"validator", "TestNobodyIsAsked"}}},
	{"bound", "a proof that holds the token shows it nowhere", []edit{never("dpop/told.go", "len(segment) >= longSegment")}, []suite{{"validator", "TestProofThatHolds"}}},
	{"bound", "keys of one client are counted together", []edit{{"dpop/replays.go", "	if holder != \"\" {", "	if false {"}}, []suite{{"dpop", "TestHolders"}}},
	{"bound", "a store of nonces keeps what it got", []edit{{"dpop/checks.go", "strings.Clone(c.nonce)", "c.nonce"}}, []suite{{"dpop", "TestNonceIsTheStores"}}},
	{"public URL", "a request without a path has none", []edit{never("adapters/httpauth/publicurl.go", `r.Method == http.MethodConnect || target == "" || target == "*"`)}, ofBound},
	{"public URL", "the path is that of the request line", []edit{{"adapters/httpauth/publicurl.go", "cmp.Or(r.RequestURI, r.URL.EscapedPath())", "cmp.Or(r.URL.EscapedPath(), r.RequestURI)"}}, ofBound},
	{"public URL", "what a proxy cut off stands before it", []edit{{"adapters/httpauth/publicurl.go", "b.text + p.prefix + path", "b.text + path"}}, ofBound},
	{"public URL", "metadata is of a resource with a path", []edit{{"adapters/httpauth/publicurl.go", "p.resource = p.prefix + strings.TrimSuffix(resource, \"/\")", "p.resource = p.prefix"}}, ofBound},
	{"public URL", "it is https", []edit{neverCase("adapters/httpauth/publicurl.go", `u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname()))`)}, ofBound},
	{"challenge", "a bound token is answered on the scheme that it needs", []edit{{"adapters/httpauth/challenge.go", `e.Scheme() != "" || c.provenOnly`, "c.provenOnly"}}, ofBound},
	{"challenge", "where bound tokens alone are accepted, Bearer goes", []edit{{"adapters/httpauth/challenge.go", `!c.provenOnly && e.Scheme() == ""`, `e.Scheme() == ""`}}, ofBound},
	{"challenge", "without DPoP and PublicURL it is as it was", []edit{{"adapters/httpauth/challenge.go", "return c.accepts.ProofAlgorithms == nil && len(c.urls.bases) == 0", "return false"}}, ofBound},
	{"nonce", "it is handed out on success, too", []edit{never("adapters/httpauth/gate.go", `accepted.Nonce != ""`)}, ofBound},
	{"nonce", "such an answer is not cached", []edit{{"adapters/httpauth/gate.go", `h["Dpop-Nonce"], h["Cache-Control"] = []string{accepted.Nonce}, []string{"no-store"}`, `h["Dpop-Nonce"] = []string{accepted.Nonce}`}}, ofBound},
	{"nonce", "it is handed out when a later check fails", []edit{{"adapters/httpauth/failure.go", "cmp.Or(e.Nonce(), accepted.Nonce)", "e.Nonce()"}}, ofBound},
	{"metadata", "another host has none", []edit{neverCase("adapters/httpauth/metadata.go", "b == nil")}, ofBound},
	{"metadata", "it says that proofs are required where nothing else is accepted", []edit{{"adapters/httpauth/metadata.go", "return m.proofs() && m.accepts.BoundOnly && m.clientCertificate == nil && !m.metadata.CertificateBound", "return m.proofs()"}}, ofBound},
}
