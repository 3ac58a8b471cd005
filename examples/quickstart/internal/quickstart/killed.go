package quickstart

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// heartbeat is how often instances are told that they have heard all there is. They
// wait for it for 30 s before they call what they know stale.
const heartbeat = 10 * time.Second

// killSwitch hands what is revoked to every instance, in this process. Instances on
// several machines get it from package fleet, by way of Redis, which an API puts in
// the same place: Revocations: shared.Revocations() (docs/fleet.md).
type killSwitch struct {
	stop func()
	done chan struct{} // closed when the heartbeat has ended

	mu      sync.Mutex
	lists   []*revocation.List
	records []revocation.Record // all that was sent
}

// newKillSwitch begins the heartbeat. The caller closes it.
func newKillSwitch() *killSwitch {
	ctx, cancel := context.WithCancel(context.Background())
	k := &killSwitch{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		for wait(ctx, heartbeat) == nil {
			k.mu.Lock()
			for _, l := range k.lists {
				l.Current(time.Now())
			}
			k.mu.Unlock()
		}
	}()
	return k
}

// join returns the list of a new instance, which holds what was sent before. The
// instance leaves at its end.
func (k *killSwitch) join() (*revocation.List, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		return nil, err
	}
	if err := list.Fill(k.records...); err != nil {
		list.Close()
		return nil, err
	}
	list.Current(time.Now())
	k.lists = append(k.lists, list)
	return list, nil
}

// leave ends the list of an instance.
func (k *killSwitch) leave(list *revocation.List) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lists = slices.DeleteFunc(k.lists, func(l *revocation.List) bool { return l == list })
	list.Close()
}

// send hands an entry to each instance, and returns how many there are. All of them
// go by it when send returns.
func (k *killSwitch) send(e revocation.Entry) (instances int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.lists) == 0 {
		return 0, nil
	}
	r, err := k.lists[0].Record(e, uint64(len(k.records)+1))
	if err != nil {
		return 0, err
	}
	k.records = append(k.records, r)
	for _, l := range k.lists {
		if err := l.Merge(r); err != nil {
			return 0, err
		}
	}
	return len(k.lists), nil
}

func (k *killSwitch) close() {
	k.stop()
	<-k.done
}

// furtherInstances is how many more of the API are started to be told.
const furtherInstances = 4

// clientKilled blocks a client whose token every instance has in its cache.
func clientKilled(ctx context.Context, d *demo) (string, error) {
	instances := slices.Clone(d.apis)
	for range furtherInstances {
		a, err := d.startAPI(NetHTTP, loopback(false, 0))
		if err != nil {
			return "", err
		}
		defer a.close()
		instances = append(instances, a)
	}
	token, err := d.token(ctx, jwt, d.issuer, audience)
	if err != nil {
		return "", err
	}
	client := revocation.Client(d.issuer.URL(), jwt.clientID)
	defer d.kill.send(revocation.Lift(client)) // whatever happens: other drills use this client
	if err := d.expectAll(ctx, instances, http.MethodGet, token, http.StatusOK); err != nil {
		return "", err
	}
	for _, step := range []struct {
		entry  revocation.Entry
		status int
	}{
		{revocation.Block(client), http.StatusUnauthorized},
		{revocation.Lift(client), http.StatusOK},
	} {
		told, err := d.kill.send(step.entry)
		if err != nil {
			return "", err
		}
		if told != len(instances) {
			return "", fmt.Errorf("%d of %d instances were told", told, len(instances))
		}
		if err := d.expectAll(ctx, instances, http.MethodGet, token, step.status); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("401 on all %d instances, though its token was cached; lifted: 200.", len(instances)), nil
}
