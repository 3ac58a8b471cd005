package fingerprint

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/internal/cache"
)

// A pool keeps buffers for longer than requests last: what was hashed must not
// stay in them.
func TestFingerprintsLeaveNothingInTheirBuffers(t *testing.T) {
	f := New()
	b := f.pool.New().(*buffer)
	f.pool.New = func() any { return b }
	for _, token := range []string{"an-opaque-token-of-43-characters-0123456789", strings.Repeat("0123456789-another-one-", 20)} {
		for range 2 {
			sum(f, token)
			if held := bytesIn(reflect.ValueOf(b), map[uintptr]bool{}); strings.Contains(held, token[len(token)-8:]) {
				t.Fatalf("%q is still there", token)
			}
		}
	}
}

// bytesIn strings together the arrays and slices of bytes that v leads to.
func bytesIn(v reflect.Value, seen map[uintptr]bool) string {
	var held strings.Builder
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return ""
		}
		seen[v.Pointer()] = true
		return bytesIn(v.Elem(), seen)
	case reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return bytesIn(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			held.WriteString(bytesIn(v.Field(i), seen))
		}
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return ""
		}
		for i := range v.Len() {
			held.WriteByte(byte(v.Index(i).Uint()))
		}
	}
	return held.String()
}

func TestFingerprints(t *testing.T) {
	f := New()
	signature := fmt.Sprintf("%0*d", minSignatureChars, 0)
	signed := "aa.bb." + signature
	if !looksSigned(signed) || looksSigned("aa.bb."+signature[1:]) || looksSigned(signature) || looksSigned("aa."+signature) || looksSigned("") {
		t.Error("looksSigned is wrong about the shape")
	}
	for _, token := range []string{signed, "opaque", ""} {
		first := sum(f, token)
		if first != sum(f, token) {
			t.Errorf("%q: the fingerprint changes", token)
		}
		if first == sum(New(), token) {
			t.Errorf("%q: another process has the same fingerprint, so it depends on no key", token)
		}
	}
	hmacOnly := New()
	hmacOnly.gcm = nil // as in FIPS 140 mode
	if first := sum(hmacOnly, signed); first != sum(hmacOnly, signed) || first == sum(hmacOnly, signed+"A") {
		t.Error("HMAC does not serve in the place of GCM")
	}
}

// Fingerprints are uniform in both halves.
func TestSpreads(t *testing.T) {
	f := New()
	const tokens, buckets = 100_000, 1000
	var first, second [buckets]int
	in := func(half []byte) int {
		hi, _ := bits.Mul64(binary.LittleEndian.Uint64(half), buckets)
		return int(hi)
	}
	for i := range tokens {
		id := sum(f, fmt.Sprintf("token-%d", i))
		first[in(id[:8])]++
		second[in(id[8:])]++
	}
	const mean = float64(tokens) / buckets
	for _, counts := range [][buckets]int{first, second} {
		for n, count := range counts {
			if math.Abs(float64(count)-mean) > 7*math.Sqrt(mean) {
				t.Errorf("bucket %d got %d of %d fingerprints, the mean is %.0f", n, count, tokens, mean)
			}
		}
	}
}

// TestTallies adds up what is counted in many places.
func TestTallies(t *testing.T) {
	f := New()
	for i := range 100 {
		_, tally := f.Of(fmt.Sprint(i))
		if i%4 == 0 {
			tally.Hit()
		} else {
			tally.Miss()
		}
	}
	if hits, misses := f.Counted(); hits != 25 || misses != 75 {
		t.Errorf("%d hits and %d misses", hits, misses)
	}
}

// sum is the fingerprint alone.
func sum(f *Maker, token string) cache.ID {
	id, _ := f.Of(token)
	return id
}
