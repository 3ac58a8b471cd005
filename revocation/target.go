package revocation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// Kind is what an entry goes by.
type Kind uint8

// The kinds.
const (
	ByTokenID     Kind = iota + 1 // one token by its jti
	ByClient                      // a client's, by its client id
	BySubject                     // a subject's, by sub
	ByKeyID                       // what a key has signed, by its kid
	ByIssuer                      // all of an issuer
	ByOpaqueToken                 // one opaque token, by a hash of it
)

var kindNames = [...]string{"", "token id", "client", "subject", "key id", "issuer", "opaque token"}

// String is what the kind is called in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Valid reports whether it is one of the kinds. A newer version may have others, of which
// a feed keeps what it cannot take in.
func (k Kind) Valid() bool { return k >= ByTokenID && k <= ByOpaqueToken }

// Target is whose tokens an entry is about. The issuer is written as in iss, byte for
// byte: what is no issuer's name exactly matches nothing.
type Target struct {
	kind          Kind
	issuer, value string
}

// TokenID is one token by its jti.
func TokenID(issuer, jti string) Target { return Target{ByTokenID, issuer, jti} }

// Client is each token of a client, by what validator.Token.ClientID returns.
func Client(issuer, id string) Target { return Target{ByClient, issuer, id} }

// Subject is each token of a subject, by its sub.
func Subject(issuer, sub string) Target { return Target{BySubject, issuer, sub} }

// KeyID is each token that a key has signed, by the kid under which the issuer
// publishes it.
func KeyID(issuer, kid string) Target { return Target{ByKeyID, issuer, kid} }

// Issuer is each token of an issuer.
func Issuer(issuer string) Target { return Target{ByIssuer, issuer, ""} }

// OpaqueToken is one opaque token by what HashOpaque returns for it; never by its text,
// and never a JWT.
func OpaqueToken(issuer, hash string) Target { return Target{ByOpaqueToken, issuer, hash} }

// HashOpaque is an opaque token as an entry names it: 64 hexadecimal digits of
// HMAC-SHA-256 under one of Config.Secrets, over the issuer and the token.
func HashOpaque(secret []byte, issuer, token string) string {
	h := hmac.New(sha256.New, secret)
	var room [512]byte
	h.Write(appendIssuer(append(room[:0], opaqueLabel...), issuer))
	_, _ = io.WriteString(h, token) // a hash has no errors
	return hex.EncodeToString(h.Sum(nil))
}

// Kind is what the target goes by.
func (t Target) Kind() Kind { return t.kind }

// Issuer is whose tokens it is about.
func (t Target) Issuer() string { return t.issuer }

// longest is what a name may have, in bytes.
const longest = 4096

// check says what is wrong with a target, in the words of the field that it was
// written into.
func (t Target) check() error {
	var faults []error
	fault := func(format string, values ...any) { faults = append(faults, fmt.Errorf(format, values...)) }
	name := strings.ReplaceAll(t.kind.String(), " ", "_")
	switch {
	case !t.kind.Valid():
		fault("the target is empty, wanted TokenID, Client, Subject, KeyID, Issuer or OpaqueToken")
		return errors.Join(faults...)
	case t.issuer == "":
		fault("issuer is empty, wanted the issuer's name as its tokens have it in iss")
	case unseen(t.issuer):
		fault("issuer is %s, which no token holds: it has a blank at an end, what cannot be seen, or more than %d bytes", quote.Value(t.issuer), longest)
	}
	switch {
	case t.kind == ByIssuer:
	case t.kind == ByOpaqueToken:
		if !isHash(t.value) {
			fault("opaque_hash is no hash of an opaque token (%d characters), wanted 64 small hexadecimal digits as HashOpaque returns them, never the token itself", len(t.value))
		}
	case t.value == "":
		fault("%s is empty, wanted what tokens have there; for everything of the issuer, say so", name)
	case unseen(t.value):
		fault("%s is %s, which no token holds: it has a blank at an end, what cannot be seen, or more than %d bytes", name, quote.Value(t.value), longest)
	case looksLikeToken(t.value):
		fault("%s is a token's text (%d characters), wanted the name: a JWT is revoked by its jti, client, sub or kid, and no entry holds a token", name, len(t.value))
	}
	return errors.Join(faults...)
}

// unseen reports whether a name has what is not seen when it is looked at.
func unseen(name string) bool {
	return len(name) > longest || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

// looksLikeToken is for a JWT that was pasted where its jti belongs.
func looksLikeToken(name string) bool {
	return strings.HasPrefix(name, "eyJ") && strings.Count(name, ".") >= 2
}

func isHash(text string) bool {
	if len(text) != hex.EncodedLen(sha256.Size) {
		return false
	}
	for _, c := range []byte(text) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// Who was revoked is nobody else's business, and a hash could be tried against guesses:
// so a target prints its kind and issuer alone.
var (
	_ fmt.Formatter  = Target{}
	_ slog.LogValuer = Target{}
)

// String is the kind and the issuer.
func (t Target) String() string {
	if t.kind == 0 {
		return "nothing"
	}
	return "by " + t.kind.String() + " at " + quote.Value(t.issuer)
}

// Format prints what String returns, whatever the verb is.
func (t Target) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// LogValue is what log/slog writes.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Key is 128 bits of SHA-256 that stand for a target or for its kind at its issuer.
// What differs in kind, issuer or name differs here.
type Key [16]byte

// Labels keep keys of different purposes apart, and from other uses of SHA-256.
const (
	keyLabel    = "m2mguard revocation 1 key\x00"
	opaqueLabel = "m2mguard revocation 1 opaque\x00"
)

// ofAny, in place of a kind, is for the key that stands for all of that kind.
const ofAny = 0x80

func keyOf(kind Kind, issuer, value string) Key {
	var room [512]byte
	text := append(room[:0], keyLabel...)
	text = append(text, byte(kind))
	text = appendIssuer(text, issuer)
	text = append(text, value...)
	sum := sha256.Sum256(text)
	return Key(sum[:])
}

// homeOf is the key of a kind at an issuer.
func homeOf(kind Kind, issuer string) Key { return keyOf(kind|ofAny, issuer, "") }

// appendIssuer writes where the issuer ends, so that none begins another's name.
func appendIssuer(text []byte, issuer string) []byte {
	text = binary.BigEndian.AppendUint32(text, uint32(len(issuer)))
	return append(text, issuer...)
}
