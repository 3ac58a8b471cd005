package main

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	times := func(change func([]time.Duration)) []time.Duration {
		took := make([]time.Duration, 200)
		for n := range took {
			took[n] = 10 * time.Millisecond
		}
		change(took)
		return took
	}
	for name, c := range map[string]struct {
		took []time.Duration
		good bool
	}{
		"all at once":        {times(func([]time.Duration) {}), true},
		"one takes its time": {times(func(took []time.Duration) { took[5] = 999 * time.Millisecond }), true},
		"one takes too long": {times(func(took []time.Duration) { took[5] = time.Second }), false},
		"some take their time": {times(func(took []time.Duration) {
			for n := range 3 {
				took[n] = 250 * time.Millisecond
			}
		}), false},
	} {
		if err := judge(c.took); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
