// Package fingerprint makes keys out of secrets that nobody can turn back.
package fingerprint

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"strings"
	"sync"
	"unsafe"

	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// Maker computes what stands for a token in the cache, 128 bits under keys that
// never leave this process, in one of two ways.
//
// A JWT is authenticated as the additional data of an AES-GCM seal without
// plaintext, under a random key and one constant nonce. That tag is GHASH, a
// universal hash, masked by one constant block: for any two different strings
// chosen without knowledge of the key, tags are equal with probability at most
// n/2^128, where n, the length in blocks, is 1024 for the default 16 KiB. A
// constant nonce would give the hash key away to somebody who sees tags; no tag
// ever leaves the process, and what a client can observe, hit or miss, is one
// such probability per try. Nor can knowing valid tokens help: the bound holds
// for every pair of strings, whatever their relation.
//
// A universal hash is not one-way to somebody who holds its key, say in a dump
// of the memory. A JWT stays safe: its signature has at least 512 bits that
// exist nowhere else in the cache, and the tag tells 128 bits about them. An
// opaque token may be shorter than the tag, so it gets HMAC-SHA-256, cut to 128
// bits. In FIPS 140 mode, where GCM with a nonce of our own is not allowed,
// every token gets that.
type Maker struct {
	gcm    cipher.AEAD // nil in FIPS 140 mode
	macKey [sha256.Size]byte
	pool   sync.Pool // of *buffer
	tallies
}

type buffer struct {
	nonce [12]byte
	tag   [sha256.Size]byte
	mac   hash.Hash
	tally *Tally
}

// New makes one with keys of its own.
func New() *Maker {
	f := new(Maker)
	rand.Read(f.macKey[:])
	if !fips140.Enabled() {
		var key [16]byte
		rand.Read(key[:])
		block, err := aes.NewCipher(key[:])
		if err == nil {
			f.gcm, err = cipher.NewGCM(block)
		}
		if err != nil {
			f.gcm = nil // HMAC serves
		}
	}
	f.pool.New = func() any {
		b := &buffer{mac: hmac.New(sha256.New, f.macKey[:]), tally: f.one()}
		b.mac.Reset() // so that the next one overwrites what was hashed
		return b
	}
	return f
}

// minSignatureChars is the base64url length of the shortest signature that a
// supported algorithm makes: 64 bytes, by ES256 and EdDSA.
const minSignatureChars = 86

// Of returns the fingerprint of token, and where to count what is found by it.
func (f *Maker) Of(token string) (cache.ID, *Tally) {
	b := f.pool.Get().(*buffer)
	defer f.pool.Put(b)
	text := unsafe.Slice(unsafe.StringData(token), len(token))
	if f.gcm != nil && looksSigned(token) {
		f.gcm.Seal(b.tag[:0], b.nonce[:], nil, text)
	} else {
		b.mac.Write(text)
		b.mac.Sum(b.tag[:0])
		b.mac.Reset() // the end of the token is in its buffer
	}
	return cache.ID(b.tag[:len(cache.ID{})]), b.tally
}

// looksSigned reports whether token has two dots as a JWT has, and after them
// enough room for a signature.
func looksSigned(token string) bool {
	_, rest, _ := strings.Cut(token, ".")
	_, signature, _ := strings.Cut(rest, ".")
	return len(signature) >= minSignatureChars
}
