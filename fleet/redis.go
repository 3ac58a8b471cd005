package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// How long a Redis that does not answer is waited for, whatever the caller's context
// says. A link that is half open is noticed by it.
const (
	dialTimeout   = 2 * time.Second
	answerTimeout = 2 * time.Second
)

// ioBuffer is of each connection and way, in bytes. One instance has a few connections,
// so that ten instances are a few megabytes.
const ioBuffer = 32 << 10

// redis is Conn by rueidis. Its client is made when it is first needed, because making
// one connects.
type redis struct {
	option rueidis.ClientOption
	ctx    context.Context // ends with close; for dialling alone
	cancel context.CancelFunc

	most int64 // of an answer, in bytes; it is not changed once it connects

	mu      sync.Mutex
	client  rueidis.Client
	dialing chan struct{} // closed when an attempt to make the client has ended
	failed  error         // what the last attempt met
	closed  bool
	running sync.WaitGroup
}

var _ Conn = (*redis)(nil)

// newRedis reads a URL. No error holds it, because a password may be in it.
func newRedis(url string, config *tls.Config) (*redis, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, errors.New("fleet: Config.URL cannot be read, wanted redis://, rediss:// or unix://, user:password@ if there is one, host:port, and ?addr= for each further node; what is special in a password must be escaped (%40 for @)")
	}
	if config != nil && option.TLSConfig != nil {
		own := config.Clone()
		if own.ServerName == "" {
			own.ServerName = option.TLSConfig.ServerName
		}
		option.TLSConfig = own
	}
	option.DisableCache = true                          // no CLIENT TRACKING; and RESP2 where there is no HELLO
	option.ClientSetInfo = rueidis.DisableClientSetInfo // which managed services refuse
	option.ReadBufferEachConn, option.WriteBufferEachConn = ioBuffer, ioBuffer
	option.PipelineMultiplex = -1 // one connection for all that does not block
	option.Dialer.Timeout = dialTimeout
	option.ConnWriteTimeout = answerTimeout
	option.BlockingPoolSize = 8
	option.DisableRetry = true // whoever asks has a time-out of its own
	// Sentinels are asked without a user.
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.TLSConfig = option.TLSConfig
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &redis{ctx: ctx, cancel: cancel, most: mostRead}
	dial := option.DialCtxFn
	option.DialCtxFn = func(_ context.Context, address string, dialer *net.Dialer, config *tls.Config) (conn net.Conn, err error) {
		switch {
		case dial != nil:
			conn, err = dial(ctx, address, dialer, config)
		case config != nil:
			conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
		default:
			conn, err = dialer.DialContext(ctx, "tcp", address)
		}
		if err != nil {
			return nil, err
		}
		return &limited{Conn: conn, most: r.most}, nil
	}
	r.option = option
	return r, nil
}

var errClosed = errors.New("fleet: it was closed")

// ready returns the client, and makes it unless that was done. Whoever comes while an
// attempt is under way waits for its outcome, and not longer than its own context. An
// attempt that took too long, as on a machine that is busy, is made again for whoever has
// a bound and time left.
func (r *redis) ready(ctx context.Context) (rueidis.Client, error) {
	for _, bounded := ctx.Deadline(); ; {
		client, ended, err := r.dial()
		if client != nil || err != nil {
			return client, err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, fmt.Errorf("fleet: no connection to Redis yet: %w", context.Cause(ctx))
		}
		var slow net.Error
		client, err = r.outcome()
		if err == nil || !bounded || !errors.As(err, &slow) || !slow.Timeout() {
			return client, err
		}
	}
}

// outcome is what the last attempt came to.
func (r *redis) outcome() (rueidis.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errClosed
	case r.client == nil:
		return nil, fmt.Errorf("fleet: no connection to Redis (Config.URL): %w", r.failed)
	}
	return r.client, nil
}

// dial returns the client, or begins an attempt to make it, unless one is under way. The
// channel is closed when that has ended.
func (r *redis) dial() (rueidis.Client, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, nil, errClosed
	case r.client == nil && r.dialing == nil:
		ended := make(chan struct{})
		r.dialing = ended
		r.running.Go(func() { r.connect(ended) })
	}
	return r.client, r.dialing, nil
}

func (r *redis) connect(ended chan struct{}) {
	client, err := rueidis.NewClient(r.option)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialing, r.failed = nil, err
	close(ended)
	switch {
	case err != nil:
	case r.closed:
		client.Close()
	default:
		r.client = client
	}
}

// Do implements Conn.
func (r *redis) Do(ctx context.Context, key string, command ...string) (any, error) {
	client, err := r.ready(ctx)
	if err != nil {
		return nil, err
	}
	return answer(client.Do(ctx, build(client, key, command, false)))
}

// Session implements Conn.
func (r *redis) Session(ctx context.Context, key string, use func(do Do) error) error {
	client, err := r.ready(ctx)
	if err != nil {
		return err
	}
	session, release := client.Dedicate()
	defer release()
	do := func(ctx context.Context, command ...string) (any, error) {
		got, err := answer(session.Do(ctx, build(client, key, command, blocks(command))))
		var refused Refusal
		if err != nil && !errors.As(err, &refused) {
			session.Close() // an answer that comes late would be another command's
		}
		return got, err
	}
	if _, err := do(ctx, "EXISTS", key); err != nil { // so that a cluster's node is chosen
		return err
	}
	return use(do)
}

// blocks reports whether Redis may take longer for a command than for others.
func blocks(command []string) bool {
	switch strings.ToUpper(command[0]) {
	case "XREAD", "WAIT", "WAITAOF":
		return true
	}
	return false
}

// build names the argument that is the key, by which a cluster's node is found.
func build(client rueidis.Client, key string, command []string, blocking bool) rueidis.Completed {
	c := client.B().Arbitrary(command[0])
	for _, arg := range command[1:] {
		if arg == key {
			c = c.Keys(arg)
		} else {
			c = c.Args(arg)
		}
	}
	if blocking {
		return c.Blocking()
	}
	return c.Build()
}

// answer is a result in the form of Conn.Do.
func answer(result rueidis.RedisResult) (any, error) {
	message, err := result.ToMessage()
	var refused *rueidis.RedisError
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case errors.As(err, &refused):
		return nil, Refusal(refused.Error())
	case err != nil:
		return nil, fmt.Errorf("fleet: Redis did not answer: %w", err)
	}
	return value(&message)
}

func value(m *rueidis.RedisMessage) (any, error) {
	switch {
	case m.IsNil():
		return nil, nil
	case m.IsInt64():
		return m.AsInt64()
	case m.IsArray():
		list, err := m.ToArray()
		if err != nil {
			return nil, err
		}
		values := make([]any, len(list))
		for n := range list {
			if values[n], err = value(&list[n]); err != nil {
				return nil, err
			}
		}
		return values, nil
	case m.IsMap():
		pairs, err := m.ToMap()
		if err != nil {
			return nil, err
		}
		values := make([]any, 0, len(pairs))
		for name, of := range pairs {
			v, err := value(&of)
			if err != nil {
				return nil, err
			}
			values = append(values, []any{name, v})
		}
		return values, nil
	}
	return m.ToString()
}

// close ends connections. Whoever waits for an answer gets none.
func (r *redis) close() {
	r.mu.Lock()
	r.closed = true
	client := r.client
	r.mu.Unlock()
	r.cancel()
	if client != nil {
		client.Close()
	}
	r.running.Wait()
}
