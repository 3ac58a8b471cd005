package dpop

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/memo"
	"github.com/m2mguard/m2mguard/internal/slots"
	"github.com/m2mguard/m2mguard/internal/typednil"
)

// Defaults of Config.
const (
	DefaultMaxAge        = 60 * time.Second
	DefaultMaxAhead      = 10 * time.Second
	DefaultMaxProofBytes = 4 << 10
)

// Bounds of Config.
const (
	minAge, maxAge               = time.Second, 10 * time.Minute
	maxAhead                     = time.Minute
	minProofBytes, maxProofBytes = 512, 16 << 10
)

// verifyWait is how long a proof waits until its signature is verified, fairly by
// Request.Source.
const verifyWait = time.Second

// headers is how many headers of proven proofs are remembered: each client has one
// for each of its keys.
const headers = 1 << 13

// Config is what one API has once. The zero value of each field means its default;
// where "none" makes sense, a negative value means none.
type Config struct {
	_ [0]func()

	// Algorithms that a proof may be signed with (RFC 9449 §4.3, check 5). Default
	// all that are supported, which are asymmetric: RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384, ES512 and EdDSA, which is also called Ed25519 (RFC
	// 9864).
	Algorithms []string

	// MaxAge is how old a proof may be by its iat, and MaxAhead how far its iat may
	// lie ahead of our clock (RFC 9449 §11.1). A wide window is more to remember. MaxAge
	// is 1 s to 10 min, default 60 s. MaxAhead is at most 1 min, default 10 s;
	// negative for none, which refuses clients whose clock is a moment ahead.
	MaxAge, MaxAhead time.Duration

	// MaxProofBytes is how long a proof may be, as sent: 512 to 16,384, default
	// 4,096. Within that, the header has at most 1,152 characters, which an RSA key of
	// 4096 bits fits into, and the claims 1,280, or what the header leaves of 1,600, and
	// two for each of the URL: what is refused before its signature costs a twentieth of
	// one at most.
	MaxProofBytes int

	// Replays remembers proofs that were seen (RFC 9449 §11.1). Default [NewMemory],
	// for 1,000,000 live proofs. Instances that share their work need one that they
	// share: else each proof is good once for each of them.
	Replays Replays

	// Nonces asks proofs to hold a nonce of ours (RFC 9449 §9), which bounds how long
	// before its use a proof can have been made. Default none; [NewSealed] makes
	// some.
	Nonces Nonces

	// Now is the clock that iat is held against; default time.Now.
	Now func() time.Time
}

// Verifier checks proofs. It is safe for concurrent use, and made with New: a zero
// one, or nil, answers ErrUnavailable to everything. It has no goroutines and needs
// no end.
type Verifier struct {
	algorithms       []string // canonical
	maxAge, maxAhead time.Duration
	maxProof         int
	replays          Replays
	outside          bool // replays or nonces are none of this package's
	nonces           Nonces
	now              func() time.Time

	slots    slots.Slots
	headers  *memo.Memo[header]
	counters counters
}

// New compiles a configuration. Its error holds all faults; New does no I/O.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{
		maxAge:   cmp.Or(cfg.MaxAge, DefaultMaxAge),
		maxAhead: max(0, cmp.Or(cfg.MaxAhead, DefaultMaxAhead)),
		maxProof: cmp.Or(cfg.MaxProofBytes, DefaultMaxProofBytes),
		replays:  cfg.Replays,
		nonces:   cfg.Nonces,
		now:      cfg.Now,
	}
	var faults []error
	fault := func(format string, values ...any) {
		faults = append(faults, fmt.Errorf("dpop: Config."+format, values...))
	}
	for _, alg := range cfg.Algorithms {
		canonical := jws.Canonical(alg)
		if !jws.Supported(canonical) {
			fault("Algorithms holds %q, wanted some of %q: a proof is signed with an asymmetric key (RFC 9449 §4.3)", alg, jws.Algorithms())
		} else if !slices.Contains(v.algorithms, canonical) {
			v.algorithms = append(v.algorithms, canonical)
		}
	}
	if cfg.Algorithms == nil {
		v.algorithms = jws.Algorithms()
	} else if len(cfg.Algorithms) == 0 {
		fault("Algorithms is empty, which no proof can meet; nil is the default")
	}
	if v.maxAge < minAge || v.maxAge > maxAge {
		fault("MaxAge is %v, wanted %v to %v", cfg.MaxAge, minAge, maxAge)
	}
	if v.maxAhead > maxAhead {
		fault("MaxAhead is %v, wanted at most %v (FAPI 2.0 refuses more)", cfg.MaxAhead, maxAhead)
	}
	if v.maxProof < minProofBytes || v.maxProof > maxProofBytes {
		fault("MaxProofBytes is %d, wanted %d to %d", cfg.MaxProofBytes, minProofBytes, maxProofBytes)
	}
	if typednil.Is(cfg.Replays) {
		fault("Replays is a nil %T; without a type, nil is the default", cfg.Replays)
	}
	if typednil.Is(cfg.Nonces) {
		fault("Nonces is a nil %T; without a type, nil is none", cfg.Nonces)
	}
	switch replays := cfg.Replays.(type) {
	case nil:
		v.replays = NewMemory(0)
	case *Memory:
		switch {
		case replays == nil: // which was told
		case replays.fault != nil:
			fault("Replays: %w", replays.fault)
		case replays.most == 0:
			fault("Replays is a *Memory that NewMemory did not make")
		}
	}
	_, ours := v.replays.(*Memory)
	_, sealed := cfg.Nonces.(*Sealed)
	v.outside = !ours || cfg.Nonces != nil && !sealed
	if sealed, ok := cfg.Nonces.(*Sealed); ok && sealed != nil && sealed.secrets == nil {
		fault("Nonces is a *Sealed that NewSealed did not make")
	}
	if v.now == nil {
		v.now = time.Now
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	v.slots = slots.New(4*runtime.GOMAXPROCS(0), verifyWait)
	v.headers = memo.New(headers, header.clone)
	return v, nil
}

// Algorithms lists what a proof may be signed with, for the algs of a challenge (RFC
// 9449 §7.1) and dpop_signing_alg_values_supported (RFC 9728 §2). With EdDSA, it has
// Ed25519 as well: clients look for one name or the other (RFC 9864 §2.2).
func (v *Verifier) Algorithms() []string {
	if v == nil {
		return nil
	}
	names := slices.Clone(v.algorithms)
	if n := slices.Index(names, edDSA); n >= 0 {
		names = slices.Insert(names, n+1, "Ed25519")
	}
	return names
}
