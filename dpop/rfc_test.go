package dpop_test

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// TestRFC9449 judges the proof of RFC 9449 §7.1, Figure 12, as the RFC has it.
func TestRFC9449(t *testing.T) {
	v, err := dpop.New(dpop.Config{Now: func() time.Time { return time.Unix(1562262618, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	r := dpop.Request{
		Proofs: []string{"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19." +
			"eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
			"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"},
		Method:     "GET",
		URL:        "https://resource.example.org/protectedresource",
		TokenHash:  "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
		Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
	}
	if _, err := v.Verify(t.Context(), &r); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), &r); err == nil {
		t.Error("the second time it was accepted, too")
	} else {
		t.Log(err)
	}
}
