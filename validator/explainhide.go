package validator

import "strings"

// hidden is what no explanation may hold: the token and the proofs.
type hidden []string

// explanation is what the walk has come to.
func (w *walk) explanation() Explanation {
	e := Explanation{Accepted: w.proven && !w.failed, Proven: w.proven, Steps: w.steps}
	if w.issuer != nil {
		e.Issuer = w.issuer.url
	}
	secret := append(hidden{w.r.Token}, w.r.Proofs...)
	for n := range e.Steps {
		s := &e.Steps[n]
		s.Unproven = n >= w.told && w.told > 0 && !w.proven && s.NotReached == ""
		if s.NotReached != "" && s.Name != spentUnseen {
			e.Accepted = false
		}
		for _, text := range []*string{&s.Found, &s.Wanted, &s.Fix, &s.NotReached} {
			*text = secret.hide(*text)
		}
	}
	return e
}

// spentUnseen is the one step that cannot be made without spending the proof.
const spentUnseen = "proof: replay"

// hide replaces every piece of a secret in text that is long enough to be one's: an
// answer, or a claim, may repeat what it is about.
func (h hidden) hide(text string) string {
	var b strings.Builder
	for from := 0; from < len(text); {
		n := h.longest(text[from:])
		if n < minHidden {
			b.WriteByte(text[from])
			from++
			continue
		}
		b.WriteString("(a piece of the token)")
		from += n
	}
	return b.String()
}

// longest is how much of the beginning of text is a piece of a secret, if it is as much
// as counts.
func (h hidden) longest(text string) (n int) {
	if len(text) < minHidden {
		return 0
	}
	for _, secret := range h {
		if !strings.Contains(secret, text[:minHidden]) {
			continue
		}
		m := minHidden
		for m < len(text) && strings.Contains(secret, text[:m+1]) {
			m++
		}
		n = max(n, m)
	}
	return n
}
