package validator

// isB64Token reports whether s is a b64token (RFC 6750 §2.1):
//
//	1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
func isB64Token(s string) bool {
	n := 0
	for ; n+8 <= len(s); n += 8 { // eight at a time, without a branch between them
		t := s[n : n+8]
		if notB64[t[0]]|notB64[t[1]]|notB64[t[2]]|notB64[t[3]]|notB64[t[4]]|notB64[t[5]]|notB64[t[6]]|notB64[t[7]] != 0 {
			break
		}
	}
	for n < len(s) && notB64[s[n]] == 0 {
		n++
	}
	end := len(s)
	for end > n && s[end-1] == '=' {
		end--
	}
	return n > 0 && n == end
}

// notB64 is 1 for the bytes that are outside the alphabet.
var notB64 = func() (out [256]uint8) {
	for c := range out {
		out[c] = 1
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		out[c] = 0
	}
	return out
}()

// notB64Token says what keeps raw from being a token's text.
func notB64Token(raw string) *Error {
	letters, foreign := 0, uint8(0)
	for i := range len(raw) {
		if raw[i] != '=' {
			letters++
			foreign |= notB64[raw[i]]
		}
	}
	if letters > 0 && foreign == 0 {
		return errPadded
	}
	return errNotB64Token
}

var (
	errNotB64Token = refuse(CheckRequest, "the token holds characters outside RFC 6750 §2.1")
	errPadded      = refuse(CheckRequest, "the token is padded base64: it holds = before its end, which RFC 6750 §2.1 does not allow in a token nor RFC 7515 §2 in a JWT")
)
