// Package adaptertest_test holds the three adapters, in four frameworks, to one
// table of requests: same status, same challenge, same body.
package adaptertest_test

import (
	"log/slog"
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	slog.SetDefault(slog.New(slog.DiscardHandler)) // DangerouslyReportOnly warns, as it should
	goleak.VerifyTestMain(m)
}
