// Command spread shows how fast an entry is everywhere: instances in several processes
// share one real Redis and serve requests, and clients are revoked one by one.
//
//	go run ./internal/spread
//
// What counts is the time from when Revoke returned until the last instance refused. It
// ends with 1 where that is too long.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/redistest"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func client(n int) string { return "client-" + strconv.Itoa(n) }

func main() {
	instances := flag.Int("instances", 50, "how many instances")
	processes := flag.Int("processes", 5, "in how many processes")
	rate := flag.Int("rate", 5000, "requests a second, over all instances")
	revocations := flag.Int("revocations", 200, "how many clients are revoked")
	over := flag.Duration("over", time.Minute, "in which time")
	runs := flag.Int("runs", 3, "how often all of it")
	address := flag.String("serve", "", "for the processes that this one starts: the address of Redis")
	issuer := flag.String("issuer", "", "for them, too: whose tokens come by the standard input, a line each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *address != "" {
		if err := serve(ctx, *address, *issuer, os.Stdin, *instances, *rate); err != nil {
			log.Fatal(err)
		}
		return
	}
	var faults []error
	for run := range *runs {
		fmt.Printf("run %d: %d instances in %d processes on %d cores, %d requests/s, %d revocations in %v\n", run+1, *instances, *processes, runtime.NumCPU(), *rate, *revocations, *over)
		took, served, within, err := measure(ctx, *instances, *processes, *rate, *revocations, *over)
		if err != nil {
			log.Fatal(err)
		}
		draw(os.Stdout, took)
		fmt.Printf("%d requests answered, %.0f a second\n\n", served, float64(served)/within.Seconds())
		if err := judge(took); err != nil {
			faults = append(faults, fmt.Errorf("run %d: %w", run+1, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		log.Fatal(err)
	}
}

func open(address string) (*fleet.Fleet, error) {
	return fleet.New(fleet.Config{
		URL: "redis://" + address, Name: "spread", Secrets: func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} },
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) { log.Print(e.Kind, ": ", e.Err) }}, // a false alarm shows
	})
}

// refusal is when an instance refused a client first.
type refusal struct {
	client int
	at     time.Time
}

// measure returns how long each entry took.
func measure(ctx context.Context, instances, processes, rate, revocations int, over time.Duration) (took []time.Duration, served int, within time.Duration, err error) {
	folder, err := os.MkdirTemp("", "spread")
	if err != nil {
		return nil, 0, 0, err
	}
	defer os.RemoveAll(folder)
	server, err := redistest.Start(folder)
	if err != nil {
		return nil, 0, 0, err
	}
	defer server.Kill()
	iss, err := issuertest.Start()
	if err != nil {
		return nil, 0, 0, err
	}
	defer iss.Close()
	var tokens strings.Builder
	for n := range revocations {
		tokens.WriteString(iss.Token(issuertest.Claims{ClientID: client(n), Subject: client(n)}) + "\n")
	}
	var mu sync.Mutex
	last := make([]time.Time, revocations)
	counts := make([]int, revocations)
	seen := func(r refusal) {
		mu.Lock()
		defer mu.Unlock()
		counts[r.client]++
		if r.at.After(last[r.client]) {
			last[r.client] = r.at
		}
	}
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, ended := make(chan struct{}, instances), make(chan int, processes)
	for range processes {
		if err := child(serving, []string{"-serve", server.Address, "-issuer", iss.URL(), "-instances", strconv.Itoa(instances / processes), "-rate", strconv.Itoa(rate / processes)}, tokens.String(), ready, ended, seen); err != nil {
			return nil, 0, 0, err
		}
	}
	for range instances / processes * processes {
		<-ready
	}
	all := time.Now()
	writer, err := open(server.Address)
	if err != nil {
		return nil, 0, 0, err
	}
	defer writer.Close()
	writer.Revocations()
	time.Sleep(3 * time.Second) // until each has heard the others
	returned := make([]time.Time, revocations)
	began := time.Now()
	fewest := instances
	for n := range revocations {
		time.Sleep(time.Until(began.Add(over * time.Duration(n) / time.Duration(revocations))))
		receipt, err := writer.Revoke(ctx, revocation.Block(revocation.Client(iss.URL(), client(n))))
		if err != nil {
			return nil, 0, 0, err
		}
		returned[n] = time.Now()
		if err := receipt.Wait(ctx); err != nil || !receipt.All() {
			return nil, 0, 0, fmt.Errorf("revocation %d: not all acknowledged: %+v (%v)", n, receipt, err)
		}
		fewest = min(fewest, len(receipt.Acknowledged)-1)
	}
	time.Sleep(2 * time.Second)
	cancel()
	within = time.Since(all)
	for range processes {
		served += <-ended
	}
	mu.Lock()
	defer mu.Unlock()
	for n := range revocations {
		if counts[n] != instances/processes*processes {
			return nil, 0, 0, fmt.Errorf("revocation %d: %d instances refuse, wanted %d", n, counts[n], instances)
		}
		took = append(took, max(0, last[n].Sub(returned[n])))
	}
	fmt.Printf("each receipt named at least %d instances beside the writer\n", fewest)
	return took, served, within, nil
}

// child starts a process that serves, and reads what it says.
func child(ctx context.Context, args []string, tokens string, ready chan<- struct{}, ended chan<- int, seen func(refusal)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdin = strings.NewReader(tokens)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		served := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var what string
			var number int
			var at int64
			_, _ = fmt.Sscan(lines.Text(), &what, &number, &at)
			switch what {
			case "ready":
				ready <- struct{}{}
			case "refused":
				seen(refusal{number, time.Unix(0, at)})
			case "served":
				served = number
			}
		}
		_ = cmd.Wait() // it was interrupted
		ended <- served
	}()
	return nil
}

// draw prints a histogram and what it comes to.
func draw(to *os.File, took []time.Duration) {
	quantile, highest := summary(took)
	bounds := []time.Duration{1, 2, 5, 10, 20, 50, 100, 250, 500, 1000}
	counts := make([]int, len(bounds)+1)
	for _, d := range took {
		n := 0
		for n < len(bounds) && d > bounds[n]*time.Millisecond {
			n++
		}
		counts[n]++
	}
	for n, count := range counts {
		label := "more"
		if n < len(bounds) {
			label = fmt.Sprintf("≤ %d ms", bounds[n])
		}
		fmt.Fprintf(to, "%10s %4d %s\n", label, count, strings.Repeat("█", (count*60+len(took)-1)/len(took)))
	}
	fmt.Fprintf(to, "from Revoke's return to the last instance that refuses: p50 %v, p99 %v, maximum %v (wanted p99 < %v, maximum < %v)\n",
		quantile(0.5).Round(10*time.Microsecond), quantile(0.99).Round(10*time.Microsecond), highest.Round(10*time.Microsecond), mostP99, mostEver)
}
