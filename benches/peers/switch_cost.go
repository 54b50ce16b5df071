// The workloads of the example switch_cost as goroutines, on one thread (GOMAXPROCS=1).
//
// Usage: switch_cost <workload> <a> <b> <c>, with the words that the example gives to a process
// that takes a sample. Prints the nanoseconds of the measured region (bytes for `parked`) and the
// answer, which the example checks, or "unknown" for a workload that does not apply.
//
// The scheduler decides when a goroutine starts, and its timer may preempt the loop that spawns.
// So goroutines that take turns first wait until all have started.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A workload with its numbers; returns the cost and the answer.
type workload func(a, b, c int) (int, int)

// Runs body in each of tasks goroutines, from the start of the last to the end of the last. The
// wait for the others counts as the first of the rounds of each.
func crowd(tasks int, body func(id int) int) (int, int) {
	var started, finished, answer atomic.Int64
	var begin, end time.Time
	done := make(chan bool)
	for id := 0; id < tasks; id++ {
		go func() {
			if started.Add(1) == int64(tasks) {
				begin = time.Now()
			}
			runtime.Gosched()
			for started.Load() < int64(tasks) {
				runtime.Gosched()
			}
			answer.Add(int64(body(id)))
			if finished.Add(1) == int64(tasks) {
				end = time.Now()
				close(done)
			}
		}()
	}
	<-done
	return int(end.Sub(begin)), int(answer.Load())
}

func turns(id, rounds int) int {
	sum := id
	for round := 1; round < rounds; round++ {
		runtime.Gosched()
		sum += id + round
	}
	return sum
}

func yieldRound(tasks, rounds, _ int) (int, int) {
	return crowd(tasks, func(id int) int { return turns(id, rounds) })
}

// Suspended ten calls deep, which do not return in between.
func yieldDeep(tasks, rounds, _ int) (int, int) {
	return crowd(tasks, func(id int) int { return descend(10, id, rounds) })
}

//go:noinline
func descend(depth, id, rounds int) int {
	if depth == 1 {
		return turns(id, rounds) + 1
	}
	return descend(depth-1, id, rounds) + 1
}

// Each wait is under depth calls, all of which return.
func yieldReturning(tasks, rounds, depth int) (int, int) {
	return crowd(tasks, func(id int) int {
		sum := id + depth
		for round := 1; round < rounds; round++ {
			if depth == 0 {
				runtime.Gosched()
				sum += id + round
			} else {
				sum += below(depth, id+round)
			}
		}
		return sum
	})
}

//go:noinline
func below(depth, value int) int {
	if depth == 1 {
		runtime.Gosched()
		return value + 1
	}
	return below(depth-1, value) + 1
}

// A goroutine has no handle; a channel carries its result.
func spawnJoin(tasks, _, _ int) (int, int) {
	result := make(chan int)
	begin := time.Now()
	answer := 0
	for id := 0; id < tasks; id++ {
		go func() { result <- id }()
		answer += <-result
	}
	return int(time.Since(begin)), answer
}

// Two unbuffered channels.
func rendezvous(messages, _, _ int) (int, int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for ball := range ping {
			pong <- ball + 1
		}
	}()
	runtime.Gosched()
	begin := time.Now()
	ball := 0
	for i := 0; i < messages/2; i++ {
		ping <- ball + 1
		ball = <-pong
	}
	elapsed := time.Since(begin)
	close(ping)
	return int(elapsed), ball
}

// Two unbuffered channels per pair.
func pairs(tasks, rounds, _ int) (int, int) {
	return crowdOfPairs(tasks/2, func(ping, pong chan int) int {
		ball := 0
		for round := 0; round < rounds; round++ {
			ping <- ball + 1
			ball = <-pong
		}
		return ball
	}, func(ping, pong chan int) {
		for round := 0; round < rounds; round++ {
			pong <- <-ping + 1
		}
	})
}

func crowdOfPairs(count int, first func(ping, pong chan int) int,
	partner func(ping, pong chan int)) (int, int) {
	var started, finished, answer atomic.Int64
	var begin, end time.Time
	done := make(chan bool)
	for id := 0; id < count; id++ {
		ping, pong := make(chan int), make(chan int)
		go partner(ping, pong)
		go func() {
			if started.Add(1) == int64(count) {
				begin = time.Now()
			}
			runtime.Gosched()
			for started.Load() < int64(count) {
				runtime.Gosched()
			}
			answer.Add(int64(first(ping, pong)))
			if finished.Add(1) == int64(count) {
				end = time.Now()
				close(done)
			}
		}()
	}
	<-done
	return int(end.Sub(begin)), int(answer.Load())
}

func buffered(messages, capacity, _ int) (int, int) {
	queue, result := make(chan int, capacity), make(chan int)
	go func() {
		sum := 0
		for message := range queue {
			sum += message
		}
		result <- sum
	}()
	runtime.Gosched()
	begin := time.Now()
	for message := 0; message < messages; message++ {
		queue <- message
	}
	close(queue)
	answer := <-result
	return int(time.Since(begin)), answer
}

func burst(tasks int) int {
	var all sync.WaitGroup
	all.Add(tasks)
	answers := make([]int, tasks)
	for id := 0; id < tasks; id++ {
		go func() {
			runtime.Gosched()
			answers[id] = id
			all.Done()
		}()
	}
	all.Wait()
	sum := 0
	for _, answer := range answers {
		sum += answer
	}
	return sum
}

func firstBurst(tasks, _, _ int) (int, int) {
	begin := time.Now()
	answer := burst(tasks)
	return int(time.Since(begin)), answer
}

func laterBursts(tasks, bursts, _ int) (int, int) {
	burst(tasks)
	begin := time.Now()
	answer := 0
	for i := 0; i < bursts; i++ {
		answer += burst(tasks)
	}
	return int(time.Since(begin)), answer
}

// Goroutines that wait for the end of a channel; the cost is bytes.
func parked(tasks, _, _ int) (int, int) {
	var started, released atomic.Int64
	gate := make(chan int)
	before := resident()
	for id := 0; id < tasks; id++ {
		go func() {
			started.Add(1)
			<-gate
			released.Add(1)
		}()
	}
	for started.Load() < int64(tasks) {
		runtime.Gosched()
	}
	cost := max(0, resident()-before)
	close(gate)
	for released.Load() < int64(tasks) {
		runtime.Gosched()
	}
	return cost, int(released.Load())
}

// The resident bytes of this process, counted page by page, and its page tables.
func resident() int {
	return 1024 * (field("/proc/self/smaps_rollup", "Rss:") + field("/proc/self/status", "VmPTE:"))
}

func field(file, name string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, name) {
			n, _ := strconv.Atoi(strings.Fields(line)[1])
			return n
		}
	}
	return 0
}

func main() {
	runtime.GOMAXPROCS(1)
	workloads := map[string]workload{
		"yield": yieldRound, "yield-deep": yieldDeep, "yield-returning": yieldReturning,
		"spawn-join": spawnJoin, "rendezvous": rendezvous, "pairs": pairs, "buffered": buffered,
		"first-burst": firstBurst, "later-bursts": laterBursts, "parked": parked,
	}
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: switch_cost <workload> <a> <b> <c>")
		os.Exit(2)
	}
	run := workloads[os.Args[1]]
	if run == nil {
		fmt.Println("unknown")
		return
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(os.Args[2+i])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		numbers[i] = n
	}
	// A small run warms up the scheduler's caches of goroutines. First bursts and memory are
	// measured in a process that has done nothing else.
	switch os.Args[1] {
	case "yield", "yield-deep", "yield-returning", "pairs":
		tasks := min(numbers[0], 1000)
		run(tasks, 100_000/tasks, numbers[2])
	case "spawn-join", "rendezvous", "buffered":
		run(numbers[0]/20*2, numbers[1], 0)
	}
	cost, answer := run(numbers[0], numbers[1], numbers[2])
	fmt.Println(cost, answer)
}
