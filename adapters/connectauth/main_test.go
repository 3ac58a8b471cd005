package connectauth_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // DangerouslyReportOnly warns, as it should
	goleak.VerifyTestMain(m)
}
