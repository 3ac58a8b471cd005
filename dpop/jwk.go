package dpop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// jwk is the key in the header of a proof. Its client wrote it, who is no partner with
// bad habits: each value has one spelling (RFC 7518 §6, RFC 8037 §2), or two
// thumbprints would be of one key.
type jwk struct {
	kty, crv, x, y, n, e string
	alg, use             string
	keyOps               strictjson.Value
	problem              *Error

	octets   []byte // the point, in SEC 1's form for EC, or the modulus
	exponent int
}

// Why a key is refused. They hold nothing of it.
var (
	errNoJWK    = refuse(CheckJWK, "the proof has no jwk that is an object; a kid alone names no key here")
	errPrivate  = refuse(CheckJWK, "the jwk holds a private or symmetric key, which must be taken for stolen")
	errForeign  = refuse(CheckReference, "the jwk holds x5u, x5c, x5t or jku")
	errMember   = refuse(CheckJWK, "a member of the jwk is no string")
	errKeyType  = refuse(CheckJWK, "the jwk is neither of kty EC with P-256, P-384 or P-521, nor OKP with Ed25519, nor RSA")
	errUse      = refuse(CheckJWK, "the jwk is for something else than signatures, by its use or key_ops")
	errOtherAlg = refuse(CheckJWK, "the jwk is for another algorithm, by its alg")
	errLength   = refuse(CheckJWK, "a coordinate of the jwk is missing or not as long as its curve asks for, in strict base64url (RFC 7518 §6.2.1.2, RFC 8037 §2)")
	errPoint    = refuse(CheckJWK, "the jwk is no point of its curve")
	errSmall    = refuse(CheckJWK, "the jwk is of small order: anybody can sign for it (RFC 8032 §5.1)")
	errModulus  = refuse(CheckJWK, "the modulus of the jwk is missing, even, not of 2048 to 4096 bits, or not in strict base64url without leading zeros (RFC 7518 §3.3, §6.3.1)")
	errExponent = refuse(CheckJWK, "the exponent of the jwk is missing, even, below 3 or above 2³¹−1, or not in strict base64url without leading zeros")
	errApproved = refuse(CheckJWK, "the RSA key of the jwk is none that GODEBUG=fips140=only allows (FIPS 186-5 A.1.1)")
	errUnfit    = refuse(CheckJWK, "the jwk does not fit the alg of the proof")
)

// read takes the members of a key that is part of a text that was walked over.
func (k *jwk) read(text strictjson.Value) *Error {
	err := limits.Walk(text, func(name string, value strictjson.Value) error {
		var to *string
		switch name {
		case "kty":
			to = &k.kty
		case "crv":
			to = &k.crv
		case "x":
			to = &k.x
		case "y":
			to = &k.y
		case "n":
			to = &k.n
		case "e":
			to = &k.e
		case "alg":
			to = &k.alg
		case "use":
			to = &k.use
		case "key_ops":
			k.keyOps = value
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv":
			k.problem = errPrivate
		default:
			if k.problem == nil && pointsElsewhere(name) {
				k.problem = errForeign
			}
		}
		if to != nil {
			text, err := value.String()
			if err != nil || text == "" {
				return strictjson.ErrNotString
			}
			*to = text
		}
		return nil
	})
	switch {
	case k.problem != nil:
		return k.problem
	case err == strictjson.ErrNotObject:
		return errNoJWK
	case err != nil:
		return errMember
	}
	return nil
}

// fits reports what is wrong with a key for alg, as far as it says so itself.
func (k *jwk) fits(alg string) *Error {
	switch {
	case k.use != "" && k.use != "sig":
		return errUse
	case k.alg != "" && jws.Canonical(k.alg) != alg:
		return errOtherAlg
	case k.keyOps != nil:
		verifies := false
		err := k.keyOps.EachString(func(op strictjson.Value) bool {
			verifies = verifies || op.Is("verify")
			return true
		})
		if err != nil || k.keyOps[0] != '[' || !verifies {
			return errUse
		}
	}
	return nil
}

// check covers all of a key but its arithmetic, and decodes its values into room.
func (k *jwk) check(alg string, room *[keyRoom]byte) *Error {
	if problem := k.fits(alg); problem != nil {
		return problem
	}
	switch {
	case k.kty == "EC":
		return k.checkPoint(room)
	case k.kty == "OKP" && k.crv == "Ed25519":
		var ok bool
		if k.octets, ok = octets(room[:0], k.x, ed25519.PublicKeySize); !ok {
			return errLength
		}
		return nil
	case k.kty == "RSA":
		return k.checkRSA(room)
	}
	return errKeyType
}

// keyRoom is for the longest modulus.
const keyRoom = jws.MaxRSABits / 8

// octets decodes a value of a known length.
func octets(dst []byte, text string, size int) ([]byte, bool) {
	if jws.DecodedLen(text) != size {
		return dst, false
	}
	out, err := jws.AppendDecode(dst, text)
	return out, err == nil
}

func (k *jwk) curve() (curve elliptic.Curve, size int) {
	switch k.crv {
	case "P-256":
		return elliptic.P256(), 32
	case "P-384":
		return elliptic.P384(), 48
	case "P-521":
		return elliptic.P521(), 66
	}
	return nil, 0
}

func (k *jwk) checkPoint(room *[keyRoom]byte) *Error {
	_, size := k.curve()
	if size == 0 {
		return errKeyType
	}
	room[0] = 4 // uncompressed (SEC 1 §2.3.3)
	point, ok := octets(room[:1], k.x, size)
	if ok {
		point, ok = octets(point, k.y, size)
	}
	if !ok {
		return errLength
	}
	k.octets = point
	return nil
}

func (k *jwk) checkRSA(room *[keyRoom]byte) *Error {
	modulus, err := room[:0], error(nil)
	if size := jws.DecodedLen(k.n); size >= jws.MinRSABits/8 && size <= len(room) {
		modulus, err = jws.AppendDecode(modulus, k.n)
	}
	if err != nil || len(modulus) == 0 || modulus[0] == 0 || modulus[len(modulus)-1]&1 == 0 {
		return errModulus
	}
	var four [4]byte
	exponent := four[:0]
	if jws.DecodedLen(k.e) <= len(four) {
		exponent, err = jws.AppendDecode(exponent, k.e)
	}
	if err != nil || len(exponent) == 0 || exponent[0] == 0 {
		return errExponent
	}
	e := 0
	for _, octet := range exponent {
		e = e<<8 | int(octet)
	}
	if e < 3 || e > 1<<31-1 || e&1 == 0 {
		return errExponent
	}
	k.octets, k.exponent = modulus, e
	return nil
}

// public is the key, once check has passed, if it is one that fits alg.
func (k *jwk) public(alg string) (key crypto.PublicKey, problem *Error) {
	switch k.kty {
	case "EC":
		curve, _ := k.curve()
		point, err := ecdsa.ParseUncompressedPublicKey(curve, k.octets)
		if err != nil {
			return nil, errPoint
		}
		key = point
	case "OKP":
		if jws.SmallOrder(k.octets) {
			return nil, errSmall
		}
		key = ed25519.PublicKey(bytes.Clone(k.octets))
	default:
		modulus := new(big.Int).SetBytes(k.octets)
		if bits := modulus.BitLen(); bits < jws.MinRSABits || bits > jws.MaxRSABits {
			return nil, errModulus
		}
		if !jws.ApprovedRSA(modulus.BitLen(), k.exponent) {
			return nil, errApproved
		}
		key = &rsa.PublicKey{N: modulus, E: k.exponent}
	}
	if !jws.Fits(alg, key) {
		return nil, errUnfit
	}
	return key, nil
}

// thumbprintChars is how long a thumbprint by SHA-256 is.
const thumbprintChars = 43

// thumbprint is of RFC 7638 §3, for a key that check has passed: its values are in their
// one spelling.
func (k *jwk) thumbprint() (thumbprint [thumbprintChars]byte) {
	var room [1 << 10]byte
	text := room[:0]
	member := func(before, value string) { text = append(append(text, before...), value...) }
	switch k.kty {
	case "EC":
		member(`{"crv":"`, k.crv)
		member(`","kty":"EC","x":"`, k.x)
		member(`","y":"`, k.y)
	case "OKP":
		member(`{"crv":"`, k.crv)
		member(`","kty":"OKP","x":"`, k.x)
	default:
		member(`{"e":"`, k.e)
		member(`","kty":"RSA","n":"`, k.n)
	}
	sum := sha256.Sum256(append(text, `"}`...))
	base64.RawURLEncoding.Encode(thumbprint[:], sum[:])
	return thumbprint
}
