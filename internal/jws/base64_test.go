package jws_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// FuzzAppendDecode holds the decoder against the standard library's, which takes a
// text or skips its line breaks.
func FuzzAppendDecode(f *testing.F) {
	for _, seed := range []string{"", "Zg", "Zh", "Zm9v", "Zm9vYg==", "_-8", "Zm9vYmFyYmF6cXV4", "Zm9vYmFyYm\nF6cXV4", "Zm9vYmFyYmF6cX\xff4", "Zm9vY+FyYmF6"} {
		f.Add([]byte("before"), seed)
	}
	strict := base64.RawURLEncoding.Strict()
	f.Fuzz(func(t *testing.T, dst []byte, segment string) {
		before := bytes.Clone(dst)
		dst = dst[:len(dst):len(dst)]
		want, err := strict.DecodeString(segment)
		good := err == nil && !strings.ContainsAny(segment, "\r\n")
		got, err := jws.AppendDecode(dst, segment)
		if (err == nil) != good {
			t.Fatalf("%q: error %v, wanted good: %v", segment, err, good)
		}
		if !bytes.Equal(got, append(before, want...)) && good || !bytes.Equal(got, before) && !good {
			t.Fatalf("%q: got %q, wanted %q after %q", segment, got, want, before)
		}
	})
}

// TestAppendDecodeTakesOneSpelling changes each letter of a text into each byte, at
// all lengths modulo eight.
func TestAppendDecodeTakesOneSpelling(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		value := make([]byte, n)
		for i := range value {
			value[i] = byte(random.Uint32())
		}
		text := []byte(base64.RawURLEncoding.EncodeToString(value))
		for i := range text {
			for c := range 256 {
				other := bytes.Clone(text)
				other[i] = byte(c)
				got, err := jws.AppendDecode(nil, string(other))
				if err == nil && base64.RawURLEncoding.EncodeToString(got) != string(other) {
					t.Fatalf("%q: taken for %q", other, got)
				}
				if err == nil && bytes.Equal(got, value) != (byte(c) == text[i]) {
					t.Fatalf("%q and %q are the same to it", other, text)
				}
			}
		}
	}
}

// TestAppendDecodeKeepsToItsRoom has something behind the room that must stay.
func TestAppendDecodeKeepsToItsRoom(t *testing.T) {
	for n := range 40 {
		value := bytes.Repeat([]byte{0x5a}, n)
		room := bytes.Repeat([]byte{'#'}, n+20)
		got, err := jws.AppendDecode(room[:2:len(room)], base64.RawURLEncoding.EncodeToString(value))
		if err != nil || string(got) != "##"+string(value) {
			t.Fatalf("%d bytes: got %q, %v", n, got, err)
		}
		if want := strings.Repeat("#", 18); string(room[n+2:]) != want {
			t.Errorf("%d bytes: behind it is %q", n, room[n+2:])
		}
	}
}

func BenchmarkAppendDecode(b *testing.B) {
	text := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte(`{"iss":`), 60))
	room := make([]byte, 0, len(text))
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, err := jws.AppendDecode(room, text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("standard library", func(b *testing.B) {
		strict, text := base64.RawURLEncoding.Strict(), []byte(text)
		for b.Loop() {
			if _, err := strict.AppendDecode(room, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
