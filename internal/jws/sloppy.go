package jws

// namesAlgorithm looks for alg in the place of a member's name, in a text that no
// strict reader takes: in any case, with or without quotes, with escapes in it,
// and with the NULs that UTF-16 has between ASCII letters.
//
// It reads the text once. A text that is full of beginnings of the name, as neither
// words nor random bytes are, counts as one that has it.
func namesAlgorithm(text []byte) bool {
	r := plain{text: text}
	left := len(text)/nearness + 64
	for found := 0; ; left-- {
		if found == 0 {
			r.skip()
		}
		c, ok := r.next()
		switch {
		case !ok:
			return false
		case left <= r.escapes*escapeCost:
			return true
		case found == len(alg) && (c == ':' || c == '=' || c == '/' || c == '#'):
			return true
		case found == len(alg) && mayFollow(c):
		case found < len(alg) && c == alg[found]:
			found++
		case c == alg[0]:
			found = 1
		default:
			found = 0
		}
	}
}

const alg = "alg"

// nearness is how much more text there is than beginnings of the name and what
// follows them, in words of any language; an escape counts as so many of them.
const (
	nearness   = 6
	escapeCost = 4
)

// mayFollow is what is between a name and its colon.
func mayFollow(c byte) bool {
	return c == '"' || c == '\'' || c == ' ' || '\t' <= c && c <= '\r' || c >= 0x7f
}

// plain reads a text in lower case, with escapes replaced by what they stand for,
// and without NUL.
type plain struct {
	text    []byte
	at      int
	escapes int // that were read
}

// skip goes on to what may be an a.
func (p *plain) skip() {
	at := p.at
	for ; at+8 <= len(p.text); at += 8 { // eight at a time, without a branch between them
		t := p.text[at : at+8]
		if mayBeA[t[0]]|mayBeA[t[1]]|mayBeA[t[2]]|mayBeA[t[3]]|mayBeA[t[4]]|mayBeA[t[5]]|mayBeA[t[6]]|mayBeA[t[7]] != 0 {
			break
		}
	}
	for at < len(p.text) && mayBeA[p.text[at]] == 0 {
		at++
	}
	p.at = at
}

// mayBeA is 1 for what an a begins with.
var mayBeA = [256]uint8{'a': 1, 'A': 1, '\\': 1}

// next returns the next character, if it is ASCII, or a byte of it.
func (p *plain) next() (c byte, ok bool) {
	c, ok = p.raw()
	for ok && c == '\\' {
		p.escapes++
		if c, ok = p.escaped(); c != '\n' { // a line that goes on has neither
			break
		}
		c, ok = p.raw()
	}
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c, ok
}

// raw returns the next byte that is not NUL.
func (p *plain) raw() (c byte, ok bool) {
	for p.at < len(p.text) {
		c = p.text[p.at]
		p.at++
		if c != 0 {
			return c, true
		}
	}
	return 0, false
}

// escaped returns what follows a backslash: a number of four hexadecimal digits,
// of two, of some in braces, of up to three octal ones, or a character that stands
// for itself.
func (p *plain) escaped() (c byte, ok bool) {
	c, ok = p.raw()
	from := p.at
	switch {
	case c == '\r':
		if next, _ := p.raw(); next != '\n' {
			p.at = from
		}
		return '\n', ok
	case c == 'x':
		if r, ok := p.number(16, 2, 2); ok {
			return r, true
		}
	case '0' <= c && c <= '7':
		p.at--
		r, ok := p.number(8, 1, 3)
		return r, ok
	case c == 'u':
		if r, ok := p.number(16, 4, 4); ok {
			return r, true
		}
		p.at = from
		if brace, _ := p.raw(); brace == '{' {
			r, ok := p.number(16, 1, 8)
			if end, _ := p.raw(); ok && end == '}' {
				return r, true
			}
		}
	}
	if ok {
		p.at = from
	}
	return c, ok
}

// number reads so many digits; what is not ASCII is none of our letters.
func (p *plain) number(base, least, most int) (c byte, ok bool) {
	r, n := 0, 0
	for ; n < most; n++ {
		at := p.at
		c, _ := p.raw()
		digit := int(digits[c])
		if digit >= base {
			p.at = at
			break
		}
		r = min(r*base+digit, 0x10ffff)
	}
	return byte(min(r, 0x7f)), n >= least
}

// digits are the values of the digits.
var digits = func() (out [256]uint8) {
	for c := range out {
		out[c] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		out[c] = uint8(i)
	}
	for i, c := range []byte("ABCDEF") {
		out[c] = uint8(10 + i)
	}
	return out
}()
