// Package siege holds tests alone: whole APIs on real sockets, with issuers that
// fail in every way and clients that attack, and what the documentation promises
// for that. Where a promise counts in seconds or hours, the same stack runs in
// a testing/synctest bubble, with the issuer in memory.
//
// SECURITY.md names for each threat the test that stands for it.
package siege
