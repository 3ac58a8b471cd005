// Package goredis is a fleet.Conn by go-redis, to be copied by whoever has one of its
// clients already.
package goredis

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/m2mguard/m2mguard/fleet"
)

// Conn has a client of one primary, which may be found by sentinels. Its time-outs are
// the context's: ContextTimeoutEnabled must be set in its options.
type Conn struct{ Client *redis.Client }

var _ fleet.Conn = Conn{}

// Do implements fleet.Conn.
func (c Conn) Do(ctx context.Context, _ string, command ...string) (any, error) {
	return answer(c.Client.Do(ctx, args(command)...))
}

// Session implements fleet.Conn. A connection that failed is not used again, because
// go-redis closes it.
func (c Conn) Session(ctx context.Context, _ string, use func(fleet.Do) error) error {
	conn := c.Client.Conn()
	defer conn.Close()
	return use(func(ctx context.Context, command ...string) (any, error) {
		return answer(conn.Do(ctx, args(command)...))
	})
}

func args(command []string) []any {
	all := make([]any, len(command))
	for n := range command {
		all[n] = command[n]
	}
	return all
}

// answer is what fleet.Conn wants: nothing for nil, lists of pairs for maps, and what
// Redis refused apart from what went wrong on the way.
func answer(cmd *redis.Cmd) (any, error) {
	got, err := cmd.Result()
	var refused redis.Error
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case errors.As(err, &refused):
		return nil, fleet.Refusal(refused.Error())
	case err != nil:
		return nil, fmt.Errorf("redis did not answer: %w", err)
	}
	return plain(got), nil
}

func plain(got any) any {
	switch of := got.(type) {
	case []any:
		for n := range of {
			of[n] = plain(of[n])
		}
	case map[any]any:
		pairs := make([]any, 0, len(of))
		for name, value := range of {
			pairs = append(pairs, []any{name, plain(value)})
		}
		return pairs
	}
	return got
}
