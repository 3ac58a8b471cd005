package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// TestDialsAgain: an attempt to connect that took too long is no answer for who has time
// left, one that was refused is, and who has no bound is told of each.
func TestDialsAgain(t *testing.T) {
	late := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	bounded, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for name, tc := range map[string]struct {
		ctx   context.Context
		fault error
		want  error
	}{
		"late":              {bounded, late, nil},
		"refused":           {bounded, refused, refused},
		"late, and unbound": {t.Context(), late, late},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newRedis("redis://"+miniredis.RunT(t).Addr(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			r.option.ForceSingleClient = true
			dial := r.option.DialCtxFn
			var failed atomic.Bool
			r.option.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
				if failed.CompareAndSwap(false, true) {
					return nil, tc.fault
				}
				return dial(ctx, address, dialer, config)
			}
			if _, err := r.Do(tc.ctx, "key", "GET", "key"); !errors.Is(err, tc.want) {
				t.Errorf("the error is %v, wanted %v", err, tc.want)
			}
		})
	}
}
