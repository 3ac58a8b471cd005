package dpop

// SameURL is for FuzzHTU and its kin: a proof for each comparison would cost a
// signature.
var SameURL = sameURL
