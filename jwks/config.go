package jwks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/metadata"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/observe"
)

// The defaults, and the bounds of what Cache-Control may ask for.
const (
	defaultRefreshInterval  = 15 * time.Minute
	defaultPollInterval     = 5 * time.Second // of a file
	minCacheControl         = time.Minute
	maxCacheControl         = time.Hour
	defaultMinFetchInterval = 5 * time.Second
	defaultMaxStale         = 24 * time.Hour
	defaultRefreshWait      = time.Second
	defaultRequestTimeout   = 5 * time.Second
	defaultMaxResponseBytes = 1 << 20
	leastInterval           = time.Millisecond
)

// Config says where the keys are and how hard to try for them. One of Issuer, URL,
// Set, File and Fetch is needed; everything else has a default.
type Config struct {
	_ [0]func()

	// Issuer is the issuer's identifier, byte for byte as in its tokens. Its
	// metadata (OpenID Connect Discovery 1.0 §4, then RFC 8414 §3; for an issuer
	// with a path, then each at the other's place, as some servers have it) names the
	// key set, unless URL, Set, File or Fetch does; then Issuer is a name in events.
	// The metadata is read again after a failed fetch and once a day.
	Issuer string

	// URL is where to fetch the key set, without discovery. At most one of URL, Set,
	// File and Fetch may be given.
	URL string

	// Set is a fixed key set, never fetched: a JSON Web Key Set (RFC 7517 §5), or
	// public keys and certificates in PEM (RFC 7468), in blocks PUBLIC KEY, RSA PUBLIC
	// KEY and CERTIFICATE.
	//
	// A key in PEM has neither kid nor alg: it serves every one of Algorithms that
	// fits its type, and tokens without a kid as well as with any (see Candidates).
	// A certificate also has its x5t and x5t#S256; neither its dates nor who signed it
	// count, and one that signed another one of the text is skipped, because an
	// authority signs no tokens.
	Set []byte

	// File is the path of a key set in either form of Set. It is looked at every 5 s
	// (RefreshInterval), from the first use until Close, and read when its time, size
	// or inode has changed: also where a link on the way to it was replaced, as those
	// of a mounted secret are. What cannot be read, or is no key set, never replaces
	// one that can, and is told once to Observer; keys outlive a file that stays bad
	// by MaxStale. Errors do not name a path that never led anywhere, not even to a
	// folder other than the root, nor a bare name such as keys.json until it was there:
	// it may be a secret in the wrong place.
	File string

	// Fetch returns a key set in either form of Set, for keys that are behind
	// something else than HTTP. It is called as a URL is fetched: when somebody
	// needs keys, by RefreshInterval and for unknown kids, one call at a time. Its
	// context ends with RequestTimeout and with Close; a call that goes on nevertheless
	// is left behind, and while four of them hang there is no other. An error must hold
	// no secret, because logs show it.
	Fetch func(ctx context.Context) ([]byte, error)

	// Algorithms lists what the keys may be used for, by their JOSE names
	// ("Ed25519" is the same as "EdDSA"). A key of the set without an alg of
	// its own serves every one of them that fits its type. Default: RS256,
	// RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA, which
	// is everything supported.
	Algorithms []string

	// Use is what the keys are for, as the member use of each says (RFC 7517 §4.2).
	// Default "sig", which a key that does not say is for, too. Any other must be in a
	// key, such as the "jwt-svid" of SPIFFE's bundles, and keys for something else are
	// passed over. Keys in PEM do not say. It cannot be "enc".
	Use string

	// RefreshInterval is the age at which the set is fetched anew, in the
	// background and a little early (85 to 95 percent of it, by chance).
	// Default: the max-age that Cache-Control names, but no less than 1 minute
	// and no more than 1 hour or half of MaxStale; 15 minutes where it names
	// none, or says no-store or no-cache, and for Fetch; 5 s for File. At least 1 ms;
	// a value given here is used as it is, whatever Cache-Control says.
	RefreshInterval time.Duration

	// MinFetchInterval is the least time between two fetches for unknown kids,
	// with a burst of two: what a flood of made-up kids can cost the issuer, and
	// how long such a flood can keep a rotated key unnoticed. Without one, a
	// rotated key is found at once, also just after a fetch. Failed fetches are tried
	// again after a fifth of it, then twice as long each time, up to a quarter
	// of the refresh interval, or up to MinFetchInterval while there is no key
	// to serve with. Default: 5 s. At least 1 ms.
	MinFetchInterval time.Duration

	// MaxStale is how long the last good keys outlive the last good fetch.
	// Default: 24 h. At least twice the refresh interval.
	MaxStale time.Duration

	// RefreshWait is how long requests wait when a set that has aged with nobody
	// using it is to be refreshed. If the issuer has not answered by then, the
	// last good keys serve, within MaxStale, and its answer counts when it comes.
	// Longer makes an issuer that hangs felt for longer; shorter lets more tokens
	// of a key through that was withdrawn meanwhile. Default: 1 s. At least 1 ms.
	RefreshWait time.Duration

	// RequestTimeout bounds each request, its body included, and each call of Fetch. A
	// fetch that has to discover first makes up to three, and up to five where the
	// issuer has a path and answers. Default: 5 s.
	RequestTimeout time.Duration

	// MaxResponseBytes bounds each answer, after decompression, and what File and
	// Fetch bring. Default: 1 MiB.
	MaxResponseBytes int64

	// HTTPClient sends the requests; a copy is used that follows no redirects.
	// Default: a client of our own, which honours the proxy environment.
	HTTPClient *http.Client

	// Observer is told what an operator wants to know of the key set, and of each
	// fetch and discovery. It must not call Close, which waits for it. Default:
	// nobody is told.
	Observer observe.Observer

	// DangerouslyAllowHTTP allows http for hosts that are not loopback. Whoever
	// sits on the way can then replace the keys and sign any token.
	DangerouslyAllowHTTP bool
}

// compile fills in the defaults and returns every fault.
func (c Config) compile() (Config, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("jwks: Config."+format, args...))
	}

	var sources []string
	for _, source := range []struct {
		name  string
		given bool
	}{{"URL", c.URL != ""}, {"Set", c.Set != nil}, {"File", c.File != ""}, {"Fetch", c.Fetch != nil}} {
		if source.given {
			sources = append(sources, source.name)
		}
	}
	switch {
	case len(sources) > 1:
		fault("%s are given, wanted at most one of them", strings.Join(sources, " and Config."))
	case len(sources) == 0 && c.Issuer == "":
		fault("Issuer is empty, wanted it or URL, Set, File or Fetch")
	}
	if c.URL != "" {
		if err := fetch.CheckURL(c.URL, c.DangerouslyAllowHTTP); err != nil {
			fault("URL: %w", err)
		} else if metadata.IsDocument(c.URL) {
			fault("URL is the address of the issuer's document, wanted that of the key set, or Config.Issuer to discover it")
		}
	}
	if discovers := c.Issuer != "" && len(sources) == 0; discovers {
		if err := metadata.CheckIssuer(c.Issuer, c.DangerouslyAllowHTTP); err != nil {
			fault("Issuer: %w", err)
		}
	}

	c.Algorithms = slices.Clone(c.Algorithms)
	for i, alg := range c.Algorithms {
		if c.Algorithms[i] = jws.Canonical(alg); !jws.Supported(c.Algorithms[i]) {
			fault("Algorithms has %s, wanted some of %q", quote.Value(alg), jws.Algorithms())
		}
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = jws.Algorithms()
	}

	if c.File != "" {
		c.RefreshInterval = cmp.Or(c.RefreshInterval, defaultPollInterval)
	}
	if c.Use = cmp.Or(c.Use, signing); c.Use == "enc" {
		fault("Use is %q, which no key that verifies has, wanted %q or what the issuer calls that", c.Use, signing)
	}

	interval := max(cmp.Or(c.RefreshInterval, defaultRefreshInterval), leastInterval)
	if c.RefreshInterval != 0 && c.RefreshInterval < leastInterval {
		fault("RefreshInterval is %v, wanted at least %v", c.RefreshInterval, leastInterval)
	}
	c.MinFetchInterval = cmp.Or(c.MinFetchInterval, defaultMinFetchInterval)
	if c.MinFetchInterval < leastInterval {
		fault("MinFetchInterval is %v, wanted at least %v", c.MinFetchInterval, leastInterval)
	}
	c.MaxStale = cmp.Or(c.MaxStale, defaultMaxStale)
	if c.MaxStale/2 < interval {
		fault("MaxStale is %v, wanted at least twice RefreshInterval (%v)", c.MaxStale, interval)
	}
	c.RefreshWait = cmp.Or(c.RefreshWait, defaultRefreshWait)
	if c.RefreshWait < leastInterval {
		fault("RefreshWait is %v, wanted at least %v", c.RefreshWait, leastInterval)
	}
	c.RequestTimeout = cmp.Or(c.RequestTimeout, defaultRequestTimeout)
	if c.RequestTimeout < leastInterval {
		fault("RequestTimeout is %v, wanted at least %v", c.RequestTimeout, leastInterval)
	}
	c.MaxResponseBytes = cmp.Or(c.MaxResponseBytes, defaultMaxResponseBytes)
	if c.MaxResponseBytes < 1 {
		fault("MaxResponseBytes is %d, wanted at least 1", c.MaxResponseBytes)
	}
	return c, errors.Join(faults...)
}

// wanted is what the keys must be for.
func (c *Config) wanted() wanted { return wanted{c.Algorithms, c.Use} }
