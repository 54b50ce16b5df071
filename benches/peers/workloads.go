// The workloads of the comparison as goroutines, on one thread (GOMAXPROCS=1).
//
// Usage: workloads <workload> <n>, with the workloads yield, spawn_join, rendezvous, skynet.
// Prints: go <workload> <n> <nanoseconds per operation> <answer>
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

const switches = 2_000_000

// Region: from the start of the last goroutine to the end of the last. Go may preempt the loop that
// spawns, so each goroutine first waits until all have started; that yield is counted.
func yieldRound(tasks int) (float64, int) {
	rounds := switches / tasks
	if rounds < 5 {
		rounds = 5
	}
	var started, finished, answer atomic.Int64
	var begin, end time.Time
	done := make(chan bool)
	for id := 0; id < tasks; id++ {
		go func(id int) {
			if started.Add(1) == int64(tasks) {
				begin = time.Now()
			}
			runtime.Gosched()
			for started.Load() < int64(tasks) {
				runtime.Gosched()
			}
			sum := 0
			for round := 0; round < rounds; round++ {
				runtime.Gosched()
				sum += id + round
			}
			answer.Add(int64(sum))
			if finished.Add(1) == int64(tasks) {
				end = time.Now()
				close(done)
			}
		}(id)
	}
	<-done
	check(int(answer.Load()), rounds*(tasks*(tasks-1)/2)+tasks*(rounds*(rounds-1)/2))
	return perOperation(end.Sub(begin), tasks*(rounds+1)), int(answer.Load())
}

// Region: the whole loop. A goroutine has no handle; a channel carries its result.
func spawnJoin(tasks int) (float64, int) {
	result := make(chan int)
	begin := time.Now()
	answer := 0
	for id := 0; id < tasks; id++ {
		go func(id int) { result <- id }(id)
		answer += <-result
	}
	elapsed := time.Since(begin)
	check(answer, tasks*(tasks-1)/2)
	return perOperation(elapsed, tasks), answer
}

// Region: from the first message to the last, over two unbuffered channels.
func rendezvous(messages int) (float64, int) {
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
	check(ball, messages)
	return perOperation(elapsed, messages), ball
}

// Region: the whole tree. As in the original, children answer over one channel per node.
func skynet(leaves int) (float64, int) {
	result := make(chan int, 1)
	begin := time.Now()
	go node(result, 0, leaves)
	answer := <-result
	elapsed := time.Since(begin)
	check(answer, leaves*(leaves-1)/2)
	tasks := 0
	for n := leaves; n > 0; n /= 10 {
		tasks += n
	}
	return perOperation(elapsed, tasks), answer
}

func node(result chan int, first, leaves int) {
	if leaves == 1 {
		result <- first
		return
	}
	results := make(chan int, 10)
	share := leaves / 10
	for child := 0; child < 10; child++ {
		go node(results, first+child*share, share)
	}
	sum := 0
	for child := 0; child < 10; child++ {
		sum += <-results
	}
	result <- sum
}

func perOperation(elapsed time.Duration, operations int) float64 {
	return float64(elapsed.Nanoseconds()) / float64(operations)
}

func check(answer, want int) {
	if answer != want {
		fmt.Fprintf(os.Stderr, "the answer is %d and should be %d\n", answer, want)
		os.Exit(1)
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	workloads := map[string]func(int) (float64, int){
		"yield": yieldRound, "spawn_join": spawnJoin, "rendezvous": rendezvous, "skynet": skynet,
	}
	if len(os.Args) != 3 || workloads[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: workloads yield|spawn_join|rendezvous|skynet <n>")
		os.Exit(2)
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil || n < 1 {
		fmt.Fprintln(os.Stderr, "n must be a positive number")
		os.Exit(2)
	}
	// A small run to warm the scheduler's caches of goroutines, then the measured run.
	if 1000 < n {
		workloads[os.Args[1]](1000)
	}
	cost, answer := workloads[os.Args[1]](n)
	fmt.Printf("go %s %d %.1f %d\n", os.Args[1], n, cost, answer)
}
