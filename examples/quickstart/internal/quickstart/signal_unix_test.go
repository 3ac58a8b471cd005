//go:build unix

package quickstart

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals: the first signal ends -serve in good order, the second one at once,
// whatever still holds the first one's end up.
func TestSignals(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		signal syscall.Signal
		held   bool // its end, until there is a second signal
	}{
		"Ctrl-C": {syscall.SIGINT, false}, "Ctrl-C, twice": {syscall.SIGINT, true},
		"kill": {syscall.SIGTERM, false}, "kill, twice": {syscall.SIGTERM, true},
	} {
		t.Run(name, func(t *testing.T) {
			const limit = time.Minute // of a test that fails
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			cmd := exec.CommandContext(ctx, self)
			cmd.Args = []string{"quickstart", "-serve"}
			cmd.Stderr = t.Output()
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewScanner(stdout)
			waitFor := func(text string) {
				for said.Scan() {
					if strings.Contains(said.Text(), text) {
						return
					}
				}
				t.Errorf("it ended before it said %q", text)
			}
			waitFor("Ctrl-C")
			signal := func() {
				if err := cmd.Process.Signal(test.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Error(err)
				}
			}
			signal()
			waitFor("ending")
			if !test.held {
				stdin.Close()
			}
			ended := make(chan struct{})
			go func() {
				err = cmd.Wait()
				close(ended)
			}()
			for again := time.NewTicker(10 * time.Millisecond); ; { // another one that comes too soon is taken for the first
				select {
				case <-ended:
					again.Stop()
					status := cmd.ProcessState.Sys().(syscall.WaitStatus)
					if test.held && !(status.Signaled() && status.Signal() == test.signal) || !test.held && status != 0 {
						t.Errorf("it ended with %v (%v)", cmd.ProcessState, err)
					}
					return
				case <-again.C:
					if test.held {
						signal()
					}
				}
			}
		})
	}
}
