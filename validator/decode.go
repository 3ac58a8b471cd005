package validator

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// decoding is encoding/json's, with names in exact case and with whole numbers
// that keep their value.
var decoding = json.JoinOptions(
	jsonv1.DefaultOptionsV1(),
	json.MatchCaseInsensitiveNames(false),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(decodeNumber),
		json.UnmarshalFromFunc(decodeAny),
	)),
)

// decodeClaims decodes the claims into dst. It works on a copy: an UnmarshalJSON
// of the user's own gets a piece of what is decoded, and many requests share a
// token.
func decodeClaims(claims []byte, dst any) error {
	if err := json.Unmarshal(bytes.Clone(claims), dst, decoding); err != nil {
		return fmt.Errorf("validator: the claims do not fit %T: %w", dst, err)
	}
	return nil
}

// decodeNumber is for encoding/json's Number, which the decoder takes for any
// other string.
func decodeNumber(d *jsontext.Decoder, dst *stdjson.Number) error {
	switch d.PeekKind() {
	case '0':
		value, err := d.ReadValue()
		*dst = stdjson.Number(value)
		return err
	case '"':
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		text := jsontext.Value(token.String())
		if text.Kind() != '0' || !text.IsValid() {
			return errors.New("a string that is no number")
		}
		*dst = stdjson.Number(text)
		return nil
	}
	return errors.ErrUnsupported
}

// maxExact is the largest whole number up to which a float64 has each.
const maxExact = 1 << 53

// decodeAny is for numbers in a map or an interface.
func decodeAny(d *jsontext.Decoder, dst *any) error {
	if d.PeekKind() != '0' || *dst != nil {
		return errors.ErrUnsupported
	}
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	text := string(value)
	f, err := strconv.ParseFloat(text, 64)
	if !strings.ContainsAny(text, ".eE") && err == nil {
		var whole int64
		if whole, err = strconv.ParseInt(text, 10, 64); whole > maxExact || whole < -maxExact {
			err = strconv.ErrRange
		}
	}
	if *dst = f; err != nil {
		*dst = stdjson.Number(text)
	}
	return nil
}
