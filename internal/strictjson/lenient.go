package strictjson

// Lenient reports whether text is one JSON object to a lenient reader: by the
// grammar alone, however deep, with names that occur twice, and with strings
// that are not UTF-8 or hold half a surrogate pair. It says whose fault it is
// that [Members] refused a text, and never makes one good.
func Lenient(text []byte) bool {
	at := skipSpace(text, 0)
	if at == len(text) || text[at] != '{' {
		return false
	}
	var open []bool // of the containers that are open: it is an object
	for {
		// A value begins here.
		if at == len(text) {
			return false
		}
		ended := true
		switch c := text[at]; c {
		case '{', '[':
			open = append(open, c == '{')
			if at = skipSpace(text, at+1); at == len(text) || text[at] != closing(c) {
				ended = false
			}
		case '"':
			var ok bool
			if at, ok = lenientEnd(text, at); !ok {
				return false
			}
		default:
			end, ok := numberEnd(text, at)
			for _, literal := range []string{"true", "false", "null"} {
				if !ok {
					end, ok = literalEnd(text, at, literal)
				}
			}
			if !ok {
				return false
			}
			at = end
		}
		for ended {
			at = skipSpace(text, at)
			if len(open) == 0 {
				return at == len(text)
			}
			object := open[len(open)-1]
			switch {
			case at == len(text):
				return false
			case text[at] == ',':
				at, ended = skipSpace(text, at+1), false
			case object && text[at] == '}' || !object && text[at] == ']':
				at, open = at+1, open[:len(open)-1]
			default:
				return false
			}
		}
		if open[len(open)-1] {
			if at == len(text) || text[at] != '"' {
				return false
			}
			var ok bool
			if at, ok = lenientEnd(text, at); !ok {
				return false
			}
			if at = skipSpace(text, at); at == len(text) || text[at] != ':' {
				return false
			}
			at = skipSpace(text, at+1)
		}
	}
}

func closing(c byte) byte { return c + 2 } // in ASCII, of both pairs

// lenientEnd is stringEnd for a lenient reader.
func lenientEnd(text []byte, at int) (end int, ok bool) {
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1, true
		case c < 0x20:
			return 0, false
		case c != '\\':
		case at+1 < len(text) && plainEscapes[text[at+1]] != 0:
			at++
		default:
			if _, ok := codeUnit(text, at); !ok {
				return 0, false
			}
			at += 5
		}
	}
	return 0, false
}
