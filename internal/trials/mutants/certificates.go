package main

// ofForwarded are the tests of what proxies hand on, and ofHanded those of the gates
// that ask for it.
var (
	ofForwarded = []suite{{folder: "adapters/httpauth/forwarded"}}
	ofHanded    = []suite{{folder: "adapters/httpauth"}, {folder: "internal/trials/adaptertest"}}
)

const (
	forwardedFile = "adapters/httpauth/forwarded/forwarded.go"
	trustFile     = "adapters/httpauth/forwarded/trust.go"
	envoyFile     = "adapters/httpauth/forwarded/envoy.go"
)

// certificateMutants concern client certificates that a proxy hands on.
var certificateMutants = []mutant{
	{"forwarded", "a stranger's field is as if it were not there", []edit{neverCase(forwardedFile, "!believed")}, ofForwarded},
	{"forwarded", "a proxy is who connects, and not RemoteAddr", []edit{{trustFile, "		if err != nil || !peer.addr.IsValid() {", "		if at, bad := netip.ParseAddrPort(r.RemoteAddr); bad == nil {\n			peer.addr = at.Addr()\n		}\n		if err != nil || !peer.addr.IsValid() {"}}, ofForwarded},
	{"forwarded", "it is in one of the networks", []edit{{trustFile, "return n.Contains(peer.addr)", "return n.IsValid()"}}, ofForwarded},
	{"forwarded", "only a Unix socket is one", []edit{{trustFile, "return peer.unix, err", "return peer.unix || peer.addr.IsValid(), err"}}, ofForwarded},
	{"forwarded", "who connects must be known", []edit{{trustFile, "return peer{}, errNoConnContext", "return peer{}, nil"}}, ofForwarded},
	{"forwarded", "that it is not known is unavailable", []edit{{forwardedFile, `fmt.Errorf("%w: forwarded: a certificate`, `fmt.Errorf("%v: forwarded: a certificate`}}, ofForwarded},
	{"forwarded", "a secret is the right one", []edit{{trustFile, "return known == 1, nil", "return known >= 0, nil"}}, ofForwarded},
	{"forwarded", "there is one secret", []edit{{trustFile, "if len(lines) != 1 {", "if len(lines) == 0 {"}}, ofForwarded},
	{"forwarded", "a secret is not passed on", []edit{{trustFile, "		r.Header.Del(field)\n", ""}}, ofForwarded},
	{"forwarded", "a short secret is refused", []edit{never(trustFile, "len(secret) < minSecret")}, ofForwarded},
	{"forwarded", "a field that was not overwritten is refused", []edit{neverCase(forwardedFile, "len(lines) > 1")}, ofForwarded},
	{"forwarded", "its size is bounded", []edit{neverCase(forwardedFile, "len(lines[0]) > MaxBytes")}, ofForwarded},
	{"forwarded", "base64 has one spelling", []edit{{forwardedFile, "base64.StdEncoding.Strict().", "base64.StdEncoding."}}, ofForwarded},
	{"forwarded", "base64 holds no line break, which Go's decoder skips", []edit{never(forwardedFile, `strings.ContainsAny(text, "\r\n")`)}, ofForwarded},
	{"forwarded", "the DER is whole, and nothing beside it", []edit{never(forwardedFile, "len(der) != head+length")}, ofForwarded},
	{"forwarded", "its length has one form", []edit{never(forwardedFile, "length < 0x80 || n > 1 && length < 1<<(8*(n-1))")}, ofForwarded},
	{"forwarded", "PEM holds one certificate", []edit{neverCase(forwardedFile, `strings.Contains(inner, "-")`)}, ofForwarded},
	{"forwarded", "Envoy's field has one element", []edit{{envoyFile, "	case rest[0] == ',':\n		return \"\", errors.New(", "	case rest[0] == ',':\n		return rest[1:], nil\n		_ = errors.New("}}, ofForwarded},
	{"forwarded", "Envoy's Hash is its Cert's", []edit{{envoyFile, "hash != nil && subtle.ConstantTimeCompare(sum[:], hash) != 1", "hash != nil && subtle.ConstantTimeCompare(sum[:], hash) > 1"}}, ofForwarded},
	{"forwarded", "behind a proxy the connection's own certificate does not count", []edit{{"adapters/httpauth/certificate.go", "	if m.clientCertificate == nil {\n		if r.TLS", "	if m.clientCertificate == nil || r.TLS != nil {\n		if r.TLS"}}, ofHanded},
	{"forwarded", "a gate behind another one knows what that found", []edit{{"adapters/httpauth/certificate.go", ".(*certificate); ok {", ".(*certificate); false && ok {"}}, ofHanded},
}
