package validator

// isB64Token reports whether s is a b64token (RFC 6750 §2.1):
//
//	1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
//
// It reads every byte, so it is asked on the way of a token that is not in the
// cache. What is in the cache passed it.
func isB64Token(s string) bool {
	n := 0
	for n < len(s) && b64Chars[s[n]] {
		n++
	}
	end := len(s)
	for end > n && s[end-1] == '=' {
		end--
	}
	return n > 0 && n == end
}

var b64Chars = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		in[c] = true
	}
	return in
}()
