package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/badlink"
	"github.com/m2mguard/m2mguard/revocation"
)

// isNone holds a receipt to being good for nothing.
func isNone(t *testing.T, receipt fleet.Receipt) {
	t.Helper()
	if receipt.All() {
		t.Errorf("All is true of %+v", receipt)
	}
	if err := receipt.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "Revoke failed") {
		t.Errorf("Wait: %v, wanted an error that says why", err)
	}
	if receipt.String() != "no receipt" {
		t.Errorf("it is %q", receipt)
	}
}

// TestReceiptOfNothing: where Revoke failed and its error was lost, the receipt does
// not say that everybody has what nobody has.
func TestReceiptOfNothing(t *testing.T) {
	t.Run("zero", func(t *testing.T) { isNone(t, fleet.Receipt{}) })
	t.Run("nothing could be read", func(t *testing.T) {
		f, err := fleet.New(fleet.Config{Conn: nowhere{}, Name: "orders", Secrets: secrets(secretA), RevokeTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		receipt, err := f.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "batch")))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errNowhere) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Revoke: %v, wanted the time-out and, in one line, why Redis could not be read", err)
		}
		isNone(t, receipt)
	})
	t.Run("nothing could be written", func(t *testing.T) {
		link, err := badlink.New(miniredis.RunT(t).Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		f := start(t, link.Address, nil)
		eventually(t, "loaded", loaded(f))
		link.Cut()
		receipt, err := f.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "batch")))
		if err == nil || errors.Is(err, fleet.ErrUnacknowledged) {
			t.Errorf("Revoke: %v, wanted another error than ErrUnacknowledged", err)
		}
		isNone(t, receipt)
	})
}
