package validator

import (
	"crypto/sha256"
	"unsafe"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Binding says which of an issuer's tokens are accepted.
type Binding uint8

const (
	// BindingByToken goes by each token: one that names its sender's key or
	// certificate needs its proof, and any other is a bearer token.
	BindingByToken Binding = iota
	// BindingRequired refuses bearer tokens.
	BindingRequired
)

// binding is the sender that a token names in cnf (RFC 7800 §3.1). What is in it must
// all be proven; nil is a bearer token's.
type binding struct {
	key         string // jkt, the thumbprint of the sender's key (RFC 9449 §6.1)
	certificate string // x5t#S256, that of its certificate (RFC 8705 §3.1)
	// unknown says what else there is, which nobody here can prove; empty for nothing.
	unknown string
}

// thumbprintLen is the length of a SHA-256 hash in base64url.
const thumbprintLen = 43

// readBinding reads cnf. It has an error in words for the check whose place it is,
// because a token may have other faults that come first.
func readBinding(cnf strictjson.Value) *binding {
	b := new(binding)
	var kind strictjson.Value // of jkt
	err := strictjson.Members(cnf, func(name string, value strictjson.Value) (err error) {
		switch name {
		case "jkt":
			b.key, err = thumbprint(value)
		case "kc-jkt-type": // Keycloak's, which also binds to keys that no DPoP proof is by
			kind = value
		case "x5t#S256":
			b.certificate, err = thumbprint(value)
		default:
			b.unknown = "its cnf asks for a proof that is not checked here: wanted jkt (RFC 9449 §6.1) or x5t#S256 (RFC 8705 §3.1) and nothing else"
		}
		return err
	})
	switch {
	case err != nil:
		b.unknown = "its cnf (RFC 7800) holds no SHA-256 thumbprint in base64url (RFC 7638, RFC 8705 §3.1)"
	case kind != nil && (b.key == "" || !kind.Is(schemeDPoP)):
		b.unknown = "its cnf.kc-jkt-type says that jkt is not of DPoP proofs"
	case b.key == "" && b.certificate == "" && b.unknown == "":
		b.unknown = "its cnf is empty"
	}
	return b
}

// thumbprint is a SHA-256 hash as one spelling of base64url has it, so that two are
// the same if their texts are.
func thumbprint(value strictjson.Value) (string, error) {
	text, err := value.String()
	if err != nil {
		return "", err
	}
	var room [sha256.Size]byte
	if sum, err := jws.AppendDecode(room[:0], text); err != nil || len(sum) != sha256.Size || len(text) != thumbprintLen {
		return "", jws.ErrEncoding
	}
	return text, nil
}

// and is a token that both say something about: an answer, and the JWT that it is
// about. They must not differ where both name something.
func (b *binding) and(other *binding) *binding {
	if b == nil || other == nil {
		if b == nil {
			return other
		}
		return b
	}
	both := *b
	for _, part := range []struct{ to, from *string }{{&both.key, &other.key}, {&both.certificate, &other.certificate}, {&both.unknown, &other.unknown}} {
		switch {
		case *part.from == "" || *part.to == *part.from || *part.to != "" && part.to == &both.unknown:
		case *part.to == "":
			*part.to = *part.from
		default:
			both.unknown = "the JWT and the introspection answer about it name different senders in cnf"
		}
	}
	return &both
}

// size is about how many bytes b takes beside the claims.
func (b *binding) size() int {
	if b == nil {
		return 0
	}
	return int(unsafe.Sizeof(*b))
}
