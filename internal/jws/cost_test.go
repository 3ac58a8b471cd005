//go:build !race

package jws_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// dear are tokens of about 16 KiB, or of more, that are as dear to tell from a JWT
// as they can be.
func dear(size int) map[string]string {
	text := func(begin, unit string) string { return b64(begin + strings.Repeat(unit, size/len(unit))) }
	return map[string]string{
		"NULs":                   text("{", "\x00"),
		"NULs, three readings":   text("{", "\x00") + "+-",
		"three readings at odds": text("{", " ")[:2] + "+-" + text("", "\x00al\x00"),
		"NULs in the name":       text("{", "al\x00g") + "+-",
		"a name and NULs":        b64("{al"+strings.Repeat("\x00", size)) + "+",
		"names":                  text("{", "alg") + "+",
		"names and blanks":       text("{", "alg ") + "+-",
		"a name and blanks":      b64("{alg"+strings.Repeat(" ", size)) + "+",
		"beginnings of names":    text("{", "al.....") + "+",
		"first letters":          text("{", "a.......") + "-",
		"escapes":                text("{", `\u0061`) + "+-",
		"escapes of nothing":     text("{", `\u006`) + "+",
		"escapes in braces":      text("{", `\u{0000061}`) + "+",
		"octal escapes":          text("{", `\141`) + "+",
		"backslashes":            text("{", `\`) + "+",
		"lines that go on":       text("{", "a\\\r\n") + "+",
		"brackets":               text("{", "[") + "+-",
		"a comment":              text("/", "al\x00g") + "+-",
		"bytes of no character":  text("", "\xff") + "e3",
		"white space":            text("", " ") + "+",
		"letters that are none":  b64("{") + strings.Repeat("A~", size*2/3),
		"plus between letters":   b64("{") + strings.Repeat("A+", size*2/3),
		"dots":                   strings.Repeat("A.", size*2/3),
		"tildes":                 strings.Repeat("~.", size*2/3),
		"joined":                 b64("{x") + "~" + strings.Repeat(".", size*4/3),
	}
}

// TestWhatIsDearToReadIsRefusedCheaply: no token costs more than a few signatures
// of RS256, so a flood of such tokens is no dearer than one of forgeries.
func TestWhatIsDearToReadIsRefusedCheaply(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	verify := func() { _ = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig) }
	const most = 5 // four times what it takes, in units of what a signature does
	for size, allowed := range map[int]float64{12 << 10: most, 768 << 10: most * 64} {
		for name, token := range dear(size) {
			read := func() { jws.ReadsAsJOSE(token) }
			ratio := least(read, verify)
			for tries := 0; ratio > allowed && tries < 20; tries++ { // on a busy machine the least takes longer to show
				ratio = min(ratio, least(read, verify))
			}
			t.Logf("%d bytes, %s: %.1f", len(token), name, ratio)
			if ratio > allowed {
				t.Errorf("%d bytes, %s: as dear as %.1f signatures, wanted at most %v", len(token), name, ratio, allowed)
			}
			if n := testing.AllocsPerRun(3, read); n > 4 {
				t.Errorf("%d bytes, %s: %v allocations", len(token), name, n)
			}
		}
	}
}

// least is the least time that f takes, in units of the least that of takes.
func least(f, of func()) float64 {
	best := func(f func()) time.Duration {
		best := time.Hour
		for range 7 {
			start := time.Now()
			f()
			best = min(best, time.Since(start))
		}
		return best
	}
	return float64(best(f)) / float64(best(of))
}
