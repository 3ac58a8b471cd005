package testdata

import "encoding/json"

// Vector is a signed example from an RFC.
type Vector struct {
	Name      string
	Source    string // the RFC and its section
	Algorithm string // as in the JWS header
	Key       []byte // the public key as a JWK; a symmetric one for HS256
	JWS       string // compact serialization (RFC 7515 §7.1)

	// Want is "ok" if the signature verifies with Key, "signature" if it does
	// not, and "alg" for an algorithm that an access token never has.
	Want string
}

// RFC returns the examples of RFC 7515 Appendix A and RFC 8037 Appendix A.4,
// and copies of them with an altered signature.
func RFC() []Vector {
	var list []struct {
		Name      string          `json:"name"`
		Source    string          `json:"source"`
		Algorithm string          `json:"alg"`
		Key       json.RawMessage `json:"key"`
		JWS       string          `json:"jws"`
		Want      string          `json:"want"`
	}
	decode("rfc/vectors.json", &list)
	vectors := make([]Vector, 0, len(list))
	for _, v := range list {
		vectors = append(vectors, Vector{
			Name: v.Name, Source: v.Source, Algorithm: v.Algorithm, Key: v.Key, JWS: v.JWS, Want: v.Want,
		})
	}
	return vectors
}
