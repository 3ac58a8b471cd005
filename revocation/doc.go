// Package revocation knows which tokens of good standing must not pass any more, at
// once and without asking an issuer: those of a compromised client, of a subject, by
// one token id, signed by a leaked key, or all of an issuer.
//
//	revoked, err := revocation.New(revocation.Config{File: "/etc/orders/revoked.json"})
//	…
//	defer revoked.Close()
//	v, err := validator.New(validator.Config{Issuers: issuers, Revocations: revoked})
//
// A [List] is what requests ask. It is filled by a file that is watched, or by a feed
// that hands it [Record]s ([List.Merge]) and says how far they go ([List.Current]): in
// any order and as often as it likes, the verdicts are the same.
//
// An [Entry] says what is revoked and since when. [Block] holds until it is lifted: a
// compromised client would else fetch another token a second later. [IssuedBefore]
// cuts off what was issued up to a moment. Of all entries that match a token the latest
// cut-off counts.
//
// A JWT is never revoked by its text: a second text of the same token has the same
// signature's value in another form, or the same bytes in another base64. An opaque
// token has one text, and is known by a keyed hash of it ([HashOpaque]).
package revocation
