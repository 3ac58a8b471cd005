package forwarded

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// Envoy reads X-Forwarded-Client-Cert, which Envoy writes with
// forward_client_cert_details: SANITIZE_SET and set_current_client_cert_details:
// {cert: true}. Its Cert is PEM, percent-encoded; a Hash beside it must be that
// certificate's. More than one element is an error: APPEND_FORWARD keeps what a
// client wrote.
func Envoy(from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read("X-Forwarded-Client-Cert", from, func(text string) ([]byte, error) {
		var der, hash []byte
		for text != "" {
			key, value, rest, err := nextPair(text)
			if err != nil {
				return nil, err
			}
			text = rest
			switch {
			case strings.EqualFold(key, "Cert") && der == nil:
				if der, err = escapedPEM(value); err != nil {
					return nil, err
				}
			case strings.EqualFold(key, "Hash") && hash == nil:
				if hash, err = hex.DecodeString(value); err != nil || len(hash) != sha256.Size {
					return nil, errors.New("a Hash that is no SHA-256 in hexadecimal")
				}
			case strings.EqualFold(key, "Cert"), strings.EqualFold(key, "Hash"):
				return nil, errors.New("a key twice")
			}
		}
		if der == nil {
			return nil, errors.New("no Cert: wanted set_current_client_cert_details with cert")
		}
		if sum := sha256.Sum256(der); hash != nil && subtle.ConstantTimeCompare(sum[:], hash) != 1 {
			return nil, errors.New("a Hash that is not the Cert's")
		}
		return der, nil
	})
}

// nextPair cuts a key and its value off an element. A value in quotes may hold
// anything, with a backslash before a quote or a backslash.
func nextPair(text string) (key, value, rest string, err error) {
	key, rest, found := strings.Cut(text, "=")
	if !found || key == "" || strings.ContainsAny(key, `",; `) {
		return "", "", "", errors.New("no list of keys and values")
	}
	if quoted, is := strings.CutPrefix(rest, `"`); is {
		var b strings.Builder
		for i := 0; i < len(quoted); i++ {
			switch c := quoted[i]; {
			case c == '\\' && i+1 < len(quoted):
				i++
				b.WriteByte(quoted[i])
			case c == '"':
				rest, err = afterPair(quoted[i+1:])
				return key, b.String(), rest, err
			default:
				b.WriteByte(c)
			}
		}
		return "", "", "", errors.New("a quote that does not end")
	}
	end := strings.IndexAny(rest, ";,")
	if end < 0 {
		end = len(rest)
	}
	value = rest[:end]
	if strings.Contains(value, `"`) {
		return "", "", "", errors.New("a quote within a value")
	}
	rest, err = afterPair(rest[end:])
	return key, value, rest, err
}

// afterPair wants the element's end, or another pair.
func afterPair(rest string) (string, error) {
	switch {
	case rest == "":
		return "", nil
	case rest[0] == ',':
		return "", errors.New("several elements, wanted one: the proxy must overwrite what its client sent (SANITIZE_SET)")
	case rest[0] != ';' || len(rest) == 1:
		return "", errors.New("no list of keys and values")
	}
	return rest[1:], nil
}
