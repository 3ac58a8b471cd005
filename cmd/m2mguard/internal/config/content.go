package config

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// isContent reports whether a value is what a file of keys, secrets or routes holds, and no
// path: PEM, JSON, or a key's bytes in base64 or hexadecimal. Nothing that is said of a path
// later may quote it; and what this cannot tell is named only once something is there.
func isContent(value string) bool {
	text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(value), "\ufeff"))
	if strings.Contains(text, "-----") || strings.ContainsAny(text, "\r\n") || text != "" && strings.ContainsRune(`{["`, rune(text[0])) {
		return true
	}
	bytes, err := hex.DecodeString(text)
	if err != nil {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		bytes, err = base64.RawStdEncoding.DecodeString(plain)
	}
	return err == nil && isDER(bytes)
}

// leastKey is how short a key in DER is at least, in bytes; names of files can read as
// less of it.
const leastKey = 32

// isDER reports whether some bytes are one sequence, as keys and certificates are.
func isDER(bytes []byte) bool {
	if len(bytes) < leastKey {
		return false
	}
	var all asn1.RawValue
	rest, err := asn1.Unmarshal(bytes, &all)
	return err == nil && len(rest) == 0 && all.Class == asn1.ClassUniversal && all.Tag == asn1.TagSequence
}
