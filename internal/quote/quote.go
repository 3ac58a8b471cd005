// Package quote writes values that others made up into errors and log lines: in
// ASCII, so that look-alikes look different; bounded in length, whatever was
// sent; and never cut so that what tells two of them apart is lost.
package quote

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds, in bytes of what is written.
const (
	longest = 256 // of one value
	room    = 320 // of the values of a list
	most    = 4   // values of a list
)

// Value quotes v. A long one keeps both ends, and its length is said.
func Value(v string) string { return cut(v, -1) }

// Plain is v as it stands where it is short and holds nothing but what Value would
// write between its marks; else it is Value's. It is for attributes of a log line.
func Plain(v string) string {
	quoted := cut(v, -1)
	if len(quoted) == len(v)+len(`""`) && quoted[1:len(quoted)-1] == v {
		return v
	}
	return quoted
}

// Plains is Plain for the values of a list: the first few, and a count of the rest.
func Plains(values []string) []string {
	const most = 8
	plain := make([]string, 0, most+1)
	for _, v := range values[:min(len(values), most)] {
		plain = append(plain, Plain(v))
	}
	if rest := len(values) - len(plain); rest > 0 {
		plain = append(plain, fmt.Sprintf("%d more", rest))
	}
	return plain
}

// Line is a text that others had a part in, as one line of printable ASCII: what else is
// in it is escaped as Value escapes it. A long one keeps both ends.
func Line(text string) string {
	const most = 2 << 10 // bytes of text: an error of ours that names some values takes less
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most/2], "") + "…" + strings.ToValidUTF8(text[len(text)-most/2:], "")
	}
	if strings.IndexFunc(text, strange) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if strange(r) {
			_, size := utf8.DecodeRuneInString(text[i:])
			escaped := strconv.QuoteToASCII(text[i : i+size])
			b.WriteString(escaped[1 : len(escaped)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// strange reports whether r is for no line of ours: of what is not ASCII, we write the
// signs for a section and for what was left out.
func strange(r rune) bool { return (r < ' ' || r > '~') && r != '§' && r != '…' }

// Beside quotes v for a reader who holds it against others. A long one keeps
// both ends and the place where it ceases to be like the one that it resembles
// most.
func Beside(v string, others ...string) string {
	at, likest := -1, -1
	for _, other := range others {
		if like := likeness(v, []string{other}); other != v && like > likest {
			at, likest = commonPrefix(v, other), like
		}
	}
	return cut(v, at)
}

// List quotes, for the same reader, those values of a list that resemble others
// most, in their order, and counts the rest.
func List(values, others []string) string {
	kept := resembling(values, others)
	quoted := make([]string, 0, most+1)
	for i, v := range values {
		if slices.Contains(kept, i) {
			quoted = append(quoted, Beside(v, others...))
		}
	}
	if rest := len(values) - len(quoted); rest > 0 {
		quoted = append(quoted, fmt.Sprintf("%d more", rest))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// resembling returns the indices of the values to show: those most like one of
// others, as long as they fit. Each is held against others once, however many
// there are.
func resembling(values, others []string) (kept []int) {
	likes := make([]int, len(values))
	for i, v := range values {
		likes[i] = likeness(v, others)
	}
	left := room
	for len(kept) < min(most, len(values)) {
		best := 0
		for i, like := range likes {
			if like > likes[best] {
				best = i
			}
		}
		if left -= min(longest, quotedLen(values[best])); left < 0 {
			break
		}
		likes[best] = -1
		kept = append(kept, best)
	}
	return kept
}

// likeness is how many bytes v has in common with the other that it is most
// like, at both ends together.
func likeness(v string, others []string) (most int) {
	for _, other := range others {
		begin := commonPrefix(v, other)
		end := 0
		for end < min(len(v), len(other))-begin && v[len(v)-1-end] == other[len(other)-1-end] {
			end++
		}
		most = max(most, begin+end)
	}
	return most
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// cut quotes v. Of a long one it keeps both ends, and what is around at unless
// that is negative.
func cut(v string, at int) string {
	if quotedLen(v) <= longest {
		return strconv.QuoteToASCII(v)
	}
	length := fmt.Sprintf(" (%d bytes)", len(v))
	each := (longest - len(length) - 3*len(`""`) - 2*len("…")) / 3
	head := prefix(v, each)
	tail := suffix(v[head:], each)
	from, to := head, head
	if middle := v[head : len(v)-tail]; at >= head && at < len(v)-tail {
		from += at - head - suffix(middle[:at-head], each/3)
		to = from + prefix(v[from:len(v)-tail], each)
	}
	var b strings.Builder
	b.WriteString(strconv.QuoteToASCII(v[:head]) + "…")
	if from < to {
		b.WriteString(strconv.QuoteToASCII(v[from:to]) + "…")
	}
	b.WriteString(strconv.QuoteToASCII(v[len(v)-tail:]) + length)
	return b.String()
}

// quotedLen is the length of v when quoted, or anything above longest.
func quotedLen(v string) int {
	if len(v) > longest {
		return len(v)
	}
	return len(strconv.QuoteToASCII(v))
}

// prefix is how many bytes from the start of v take no more than limit when
// quoted; suffix counts from its end. Neither cuts a character.
func prefix(v string, limit int) (n int) {
	for n < len(v) {
		_, size := utf8.DecodeRuneInString(v[n:])
		if limit -= written(v[n : n+size]); limit < 0 {
			break
		}
		n += size
	}
	return n
}

func suffix(v string, limit int) (n int) {
	for n < len(v) {
		_, size := utf8.DecodeLastRuneInString(v[:len(v)-n])
		if limit -= written(v[len(v)-n-size : len(v)-n]); limit < 0 {
			break
		}
		n += size
	}
	return n
}

// written is how many bytes a character takes between quotation marks.
func written(character string) int {
	var room [16]byte
	return len(strconv.AppendQuoteToASCII(room[:0], character)) - len(`""`)
}
