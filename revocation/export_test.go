package revocation

import "unsafe"

// MostServed is of how many issuers it is known how long their tokens live.
const MostServed = mostServed

// Sweep drops what is over, as Current does once a minute.
func (l *List) Sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
}

// Parse reads a document and returns how many entries it has.
func Parse(text []byte, most int) (sequence uint64, entries []Entry, err error) {
	d, err := parse(text, most)
	return d.sequence, d.entries, err
}

// LooksUp reports whether the next Check would look the token up.
func (l *List) LooksUp(m *Marks) bool { return m.checked.Load() != l.Generation()&^stateMask+1 }

// Copy returns marks of the same token, and Forget has the next Check look it up.
func (m *Marks) Copy() *Marks {
	return &Marks{keys: m.keys, kinds: m.kinds, issued: m.issued, issuer: m.issuer}
}

func (m *Marks) Forget() { m.checked.Store(0) }

// SizeOfMarks is what stands beside each remembered token, in bytes.
const SizeOfMarks = unsafe.Sizeof(Marks{})

// Hold holds what a merge holds, until the function that it returns is called.
func (l *List) Hold() (release func()) {
	l.mu.Lock()
	return l.mu.Unlock
}
