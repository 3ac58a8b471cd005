package telemetry_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/telemetry"
)

// TestStatusesAreBounded: whatever a server answers with, it makes no more series than
// docs/operate.md says.
func TestStatusesAreBounded(t *testing.T) {
	seen := make(map[string]bool)
	for code := range 1000 {
		seen[telemetry.Status(code)] = true
	}
	if len(seen) != 24 { // with timeout and canceled, 26
		t.Errorf("%d values: %v", len(seen), seen)
	}
	for code, want := range map[int]string{401: "401", 503: "503", 302: "302", 418: "4xx", 599: "5xx", 299: "_OTHER", 999: "_OTHER"} {
		if got := telemetry.Status(code); got != want {
			t.Errorf("%d is %s, wanted %s", code, got, want)
		}
	}
}
