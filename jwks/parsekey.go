package jwks

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Why a key is skipped. The reasons are constants, beside a member's name and
// place (see fault), so that they hold nothing of the key and compare equal from one
// refresh to the next.
var (
	errNotKey    = errors.New("is not a JSON object with members of the right types")
	errTwice     = errors.New("has a member twice (RFC 7517 §4)")
	errNotUTF8   = errors.New("holds what is not UTF-8, or half of a surrogate pair (RFC 8259 §8)")
	errTooDeep   = fmt.Errorf("nests deeper than %d levels", strictjson.MaxDepth)
	errKeyType   = errors.New(`has a "kty" other than RSA, EC and OKP`)
	errSymmetric = errors.New(`is symmetric ("kty" is "oct"): whoever can verify with it can sign`)
	errPrivate   = errors.New("holds private key material, so it must be taken for stolen")
	errLeaked    = errors.New("is the public part of a private key beside it in the set, so it must be taken for stolen")
	errUse       = error(notForUs(`has a "use" other than "sig" (RFC 7517 §4.2)`))
	errOtherUse  = error(notForUs(`has not the "use" that is wanted here (RFC 7517 §4.2, Config.Use)`))
	errKeyOps    = error(notForUs(`has "key_ops" without "verify" (RFC 7517 §4.3)`))
	errCurve     = errors.New(`has a "crv" other than P-256, P-384, P-521 and Ed25519`)
	errSecp256k1 = errors.New(`is for ES256K ("crv" is secp256k1), which is not supported: let the issuer sign with ES256`)
	errPoint     = errors.New("has a point that is not on its curve")
	errLong      = errors.New(`has a coordinate that is longer than its curve's, leading zeros aside (RFC 7518 §6.2.1.2)`)
	errLength    = errors.New(`has an "x" of the wrong length, wanted 32 octets (RFC 8037 §2)`)
	errSmall     = errors.New(`has an "x" of small order: anybody can sign for it (RFC 8032 §5.1)`)
	errBase64    = errors.New("has a value that is neither base64url (RFC 7515 §2) nor standard base64, padded or not")
	errNoRSA     = errors.New(`lacks "n" or "e" (RFC 7518 §6.3.1), and has no "x5c" to stand in for them`)
	errNoPoint   = errors.New(`lacks "crv", "x" or "y" (RFC 7518 §6.2.1), and has no "x5c" to stand in for them`)
	errNoCert    = errors.New(`lacks what makes a key ("n" and "e", or "crv", "x" and "y"), and the first element of its "x5c" cannot be read as a certificate in base64 (RFC 7517 §4.7)`)
	errOtherCert = errors.New(`has an "x5c" whose first certificate is for another key (RFC 7517 §4.7)`)
	errModulus   = fmt.Errorf("has an RSA modulus that is even or not of %d to %d bits (RFC 7518 §3.3)", jws.MinRSABits, jws.MaxRSABits)
	errExponent  = errors.New("has an RSA exponent that is even, below 3 or above 2³¹−1")
	errApproved  = errors.New("has an RSA exponent below 65537 or a modulus of an odd number of bits, which GODEBUG=fips140=only does not allow (FIPS 186-5 A.1.1)")
	errAlgorithm = error(notForUs(`has an "alg" that is not accepted here`))
	errOther     = error(notForUs("serves no algorithm that is accepted here"))
	errUnfit     = errors.New(`has an "alg" that its type, curve or size cannot serve`)
	errDuplicate = errors.New("has the kid of an earlier key of the set that serves the same algorithm")
)

// signing is the use of a key that verifies signatures, unless Config.Use has another.
const signing = "sig"

// notForUs is a reason that is nobody's mistake: see ErrNotForUs.
type notForUs string

func (r notForUs) Error() string { return string(r) }

// Is reports whether target is [ErrNotForUs].
func (r notForUs) Is(target error) bool { return target == ErrNotForUs }

// jwk holds the members of a JSON Web Key that are read. Pointers tell absent from
// empty.
type jwk struct {
	Type      string    `json:"kty"`
	ID        *string   `json:"kid"`
	Use       *string   `json:"use"`
	KeyOps    *[]string `json:"key_ops"`
	Algorithm *string   `json:"alg"`

	Curve *string `json:"crv"`
	X     *string `json:"x"`
	Y     *string `json:"y"`
	N     *string `json:"n"`
	E     *string `json:"e"`

	X5C     jsontext.Value `json:"x5c"`
	X5T     jsontext.Value `json:"x5t"`
	X5TS256 jsontext.Value `json:"x5t#S256"`

	// Private members, of which only the presence counts.
	D   jsontext.Value `json:"d"`
	P   jsontext.Value `json:"p"`
	Q   jsontext.Value `json:"q"`
	DP  jsontext.Value `json:"dp"`
	DQ  jsontext.Value `json:"dq"`
	QI  jsontext.Value `json:"qi"`
	Oth jsontext.Value `json:"oth"`
	K   jsontext.Value `json:"k"`
}

func (j *jwk) private() bool {
	for _, v := range []jsontext.Value{j.D, j.P, j.Q, j.DP, j.DQ, j.QI, j.Oth, j.K} {
		if len(v) > 0 {
			return true
		}
	}
	return false
}

// parseKey reads one key and decides what it may be used for. The id is
// returned beside an error as well, for the report, and beside errPrivate a key that
// only has its thumbprint.
func parseKey(e element, w wanted) (k *Key, id string, err error) {
	var j jwk
	if err := j.read(e); err != nil {
		return nil, idOf(e), err
	}
	if j.ID != nil {
		id = *j.ID
	}
	fault := j.check(w.use)
	if fault != nil && fault != errPrivate {
		return nil, id, fault
	}
	public, thumbprint, cert, err := j.public(e.text)
	if fault != nil && err != nil {
		j.X5C = nil // which may be what is wrong
		public, thumbprint, cert, err = j.public(e.text)
	}
	switch {
	case fault != nil && err != nil:
		return nil, id, fault
	case fault != nil:
		return newKey(thumbprint, nil, public), id, fault
	}
	if err != nil {
		return nil, id, err
	}
	algorithms, err := j.algorithms(public, w.algorithms)
	if err != nil {
		return nil, id, err
	}
	k = newKey(thumbprint, algorithms, public)
	k.id, k.hasID = id, j.ID != nil
	k.nameCertificate(certificateName(j.X5T), certificateName(j.X5TS256), cert)
	return k, id, nil
}

// read takes the members of a key that is strict JSON.
func (j *jwk) read(e element) error {
	if e.depth > strictjson.MaxDepth {
		return errTooDeep
	}
	err := json.Unmarshal(e.text, j)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return faultOf(errTwice, err)
	case !e.text.IsValid(jsontext.AllowDuplicateNames(true)):
		return faultOf(errNotUTF8, err)
	}
	return faultOf(errNotKey, err)
}

// idOf is the kid of a key that could not be read, for the report alone: the
// last one, if there are several.
func idOf(e element) string {
	var named struct {
		ID string `json:"kid"`
	}
	if json.Unmarshal(e.text, &named, tolerant...) != nil {
		return ""
	}
	return named.ID
}

// check refuses a key for what it says of itself.
func (j *jwk) check(use string) error {
	switch {
	case j.Type == "oct":
		return errSymmetric
	case j.Type != "RSA" && j.Type != "EC" && j.Type != "OKP":
		return errKeyType
	case j.private():
		return errPrivate
	case use == signing && j.Use != nil && *j.Use != signing:
		return errUse
	case use != signing && (j.Use == nil || *j.Use != use):
		return errOtherUse
	case j.KeyOps != nil && !slices.Contains(*j.KeyOps, "verify"):
		return errKeyOps
	}
	return nil
}

// algorithms returns what the key may be used for: its alg alone if it has one
// (RFC 7517 §4.4), else all that are accepted and fit.
func (j *jwk) algorithms(public crypto.PublicKey, accepted []string) ([]string, error) {
	if j.Algorithm != nil {
		alg := jws.Canonical(*j.Algorithm)
		if !slices.Contains(accepted, alg) {
			return nil, errAlgorithm
		}
		accepted = []string{alg}
	}
	var out []string
	for _, alg := range accepted {
		if jws.Fits(alg, public) {
			out = append(out, alg)
		}
	}
	switch {
	case len(out) > 0:
	case j.Algorithm == nil:
		return nil, errOther
	default:
		return nil, errUnfit
	}
	slices.Sort(out)
	return out, nil
}

// certificateName is an x5t or x5t#S256 in base64url (RFC 7517 §4.8, §4.9). It is
// told from others and never computed with, so one that is no string is none.
func certificateName(member jsontext.Value) (name string) {
	if json.Unmarshal(member, &name) != nil {
		return ""
	}
	return strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(name)
}
