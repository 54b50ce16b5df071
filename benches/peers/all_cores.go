// The workloads of benches/all_cores as goroutines.
//
// Usage: all_cores_go <threads> <workload> <first> <second>
// with the workloads skynet, map, outside, pairs, fan-in and the numbers of workloads.rs.
// Prints: <nanoseconds> <answer>, or "cannot: " and the reason.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const fan = 100

// Region: the whole tree. As in the original, children answer over one channel per node.
func skynet(leaves, _ uint64) uint64 {
	result := make(chan uint64, 1)
	go node(result, 0, leaves)
	return <-result
}

func node(result chan uint64, first, leaves uint64) {
	if leaves == 1 {
		result <- first
		return
	}
	results := make(chan uint64, 10)
	share := leaves / 10
	for child := uint64(0); child < 10; child++ {
		go node(results, first+child*share, share)
	}
	sum := uint64(0)
	for child := 0; child < 10; child++ {
		sum += <-results
	}
	result <- sum
}

// The same chain of multiplications as in workloads.rs.
//
//go:noinline
func compute(item, steps uint64) uint64 {
	x := item
	for range steps {
		x = (x^(x>>29))*0x9e3779b97f4a7c15 + item
	}
	return x
}

// Region: a goroutine per item; the results in a slice, of which each goroutine writes one element.
func mapItems(items, steps uint64) uint64 {
	results := make([]uint64, items)
	var group sync.WaitGroup
	group.Add(int(items))
	for item := range items {
		go func() {
			results[item] = compute(item, steps)
			group.Done()
		}()
	}
	group.Wait()
	sum := uint64(0)
	for _, result := range results {
		sum += result
	}
	return sum
}

// Region: from the first spawn until the last goroutine has run. There is no outside in Go: the
// main goroutine, locked to its thread, comes closest to a plain thread.
func outside(jobs, _ uint64) uint64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var sum, left atomic.Uint64
	left.Store(jobs)
	done := make(chan bool)
	for job := range jobs {
		go func() {
			sum.Add(job)
			if left.Add(^uint64(0)) == 0 {
				close(done)
			}
		}()
	}
	<-done
	return sum.Load()
}

// Region: all pairs, with two channels of capacity one each.
func pairs(count, messages uint64) uint64 {
	sums := make(chan uint64, count)
	for range count {
		ping, pong := make(chan uint64, 1), make(chan uint64, 1)
		go func() {
			for ball := range ping {
				pong <- ball + 1
			}
		}()
		go func() {
			ball := uint64(0)
			for range messages / 2 {
				ping <- ball + 1
				ball = <-pong
			}
			close(ping)
			sums <- ball
		}()
	}
	sum := uint64(0)
	for range count {
		sum += <-sums
	}
	return sum
}

// Region: a hundred goroutines at a time. A goroutine has no handle: its result comes by a channel.
func fanIn(jobs, _ uint64) uint64 {
	sum := uint64(0)
	results := make(chan uint64, fan)
	for first := uint64(0); first < jobs; first += fan {
		end := min(first+fan, jobs)
		for job := first; job < end; job++ {
			go func() { results <- job }()
		}
		for range end - first {
			sum += <-results
		}
	}
	return sum
}

type workload struct {
	run func(first, second uint64) uint64
	// The numbers of a small run, which warms the scheduler.
	warmUp func(first, second uint64) (uint64, uint64)
}

func atMost(limit uint64) func(first, second uint64) (uint64, uint64) {
	return func(first, second uint64) (uint64, uint64) { return min(first, limit), second }
}

func main() {
	workloads := map[string]workload{
		"skynet":  {skynet, atMost(1000)},
		"map":     {mapItems, atMost(200)},
		"outside": {outside, atMost(1000)},
		"pairs":   {pairs, func(count, messages uint64) (uint64, uint64) { return count, min(messages, 20) }},
		"fan-in":  {fanIn, atMost(1000)},
	}
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: all_cores_go <threads> <workload> <first> <second>")
		os.Exit(2)
	}
	chosen, known := workloads[os.Args[2]]
	if !known {
		fmt.Println("cannot: does not apply")
		return
	}
	numbers := [3]uint64{}
	for i, word := range []string{os.Args[1], os.Args[3], os.Args[4]} {
		number, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		numbers[i] = number
	}
	runtime.GOMAXPROCS(int(numbers[0]))
	chosen.run(chosen.warmUp(numbers[1], numbers[2]))
	begin := time.Now()
	answer := chosen.run(numbers[1], numbers[2])
	fmt.Println(time.Since(begin).Nanoseconds(), answer)
}
