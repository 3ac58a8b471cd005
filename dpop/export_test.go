package dpop

// SameURL is for FuzzHTU and its kin: a proof for each comparison would cost a
// signature.
var SameURL = sameURL

// Remembers reports whether the header of a proof is remembered.
func (v *Verifier) Remembers(header string) bool {
	_, known := v.headers.Get(header)
	return known
}

// Len is how many proofs m remembers.
func (m *Memory) Len() int { return int(m.total.Load()) }
