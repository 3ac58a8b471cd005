// Package jws is this module's JOSE: the compact form taken apart (RFC 7515
// §7.1), the header read strictly, and a signature verified with one key under
// one algorithm. It decides nothing about claims or keys, and it knows
// asymmetric signatures only: "none" and HMAC do not exist here.
package jws
