package suite

import (
	"net/http"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/introspection"
)

// Names of the subjects with opaque tokens.
const (
	OpaqueSeen     = "m2mguard, seen before"
	OpaqueUpstream = "m2mguard, asking the issuer"
	OpaqueAlone    = "m2mguard, asking, without issuer and network"
	PeerUpstream   = "zitadel/oidc rs, asking the issuer"
	PeerAlone      = "zitadel/oidc rs, asking, without issuer and network"
)

func (s *suite) opaque() error {
	defer s.tidy()
	f, err := s.fixture("RS256")
	if err != nil {
		return err
	}
	issue := func() string { return f.Opaque(f.Claims()) }
	raw := issue()
	client, err := contender.Canned(f, raw)
	if err != nil {
		return err
	}
	seen, err := s.keep(contender.M2MGuardOpaque(f, nil))
	if err != nil {
		return err
	}
	upstream, err := s.keep(contender.M2MGuardOpaque(f, askAlways(nil)))
	if err != nil {
		return err
	}
	alone, err := s.keep(contender.M2MGuardOpaque(f, askAlways(client)))
	if err != nil {
		return err
	}
	peer, err := s.keep(contender.Zitadel(f, nil))
	if err != nil {
		return err
	}
	peerAlone, err := s.keep(contender.Zitadel(f, client))
	if err != nil {
		return err
	}
	s.describe(peer)
	s.results.Opaque, err = s.pair("opaque tokens", []measure.Subject{
		{Name: OpaqueSeen, Worker: allows(seen, raw)},
		{Name: OpaqueUpstream, Worker: ownToken(upstream, issue)},
		{Name: PeerUpstream, Worker: ownToken(peer, issue)},
		{Name: OpaqueAlone, Worker: ownToken(alone, issue)},
		{Name: PeerAlone, Worker: ownToken(peerAlone, issue)},
	})
	return err
}

// askAlways takes away the result cache and the limit on first sights, so that
// every call asks. client may be nil for the default.
func askAlways(client *http.Client) func(*introspection.Config) {
	return func(cfg *introspection.Config) {
		cfg.CacheEntries, cfg.PositiveLifetime, cfg.MaxPerSecond = -1, -1, -1
		cfg.HTTPClient = client
	}
}
