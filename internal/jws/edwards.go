package jws

import (
	"bytes"
	"math/big"
	"slices"
)

// The y of points of Ed25519 whose order divides 8 are 0, 1, −1, y8 and −y8, modulo the
// field's prime (RFC 8032 §5.1).
var (
	prime, _ = new(big.Int).SetString("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed", 16)
	y8, _    = new(big.Int).SetString("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16)
)

// SmallOrder reports whether an Ed25519 key is such a point, for which signatures can
// be made without any private key. crypto/ed25519 takes them, and y of prime and above.
func SmallOrder(x []byte) bool {
	octets := bytes.Clone(x)
	slices.Reverse(octets)
	octets[0] &= 0x7f // the sign of the other coordinate
	y := new(big.Int).SetBytes(octets)
	y.Mod(y, prime)
	if y.Cmp(new(big.Int).Rsh(prime, 1)) > 0 {
		y.Sub(prime, y)
	}
	return y.BitLen() <= 1 || y.Cmp(y8) == 0
}
