//! A guide for users of Go: the names here, and a program in both languages. (This module contains
//! documentation only.)
//!
//! # A program
//!
//! ```go
//! package main
//!
//! import (
//!     "context"
//!     "fmt"
//!     "sync"
//!     "time"
//! )
//!
//! func worker(ctx context.Context, jobs <-chan int, results chan<- int) {
//!     for {
//!         select {
//!         case job, ok := <-jobs:
//!             if !ok {
//!                 return
//!             }
//!             time.Sleep(time.Millisecond)
//!             results <- job * job
//!         case <-ctx.Done():
//!             return
//!         }
//!     }
//! }
//!
//! func main() {
//!     ctx, cancel := context.WithTimeout(context.Background(), time.Second)
//!     defer cancel()
//!     jobs, results := make(chan int), make(chan int, 10)
//!     var group sync.WaitGroup
//!     for range 3 {
//!         group.Add(1)
//!         go func() {
//!             defer group.Done()
//!             worker(ctx, jobs, results)
//!         }()
//!     }
//!     go func() { group.Wait(); close(results) }()
//!     go func() {
//!         for job := 1; job <= 5; job++ {
//!             jobs <- job
//!         }
//!         close(jobs)
//!     }()
//!     sum := 0
//!     for result := range results {
//!         sum += result
//!     }
//!     fmt.Println(sum) // 55
//! }
//! ```
//!
//! ```
//! use std::time::Duration;
//! use fibra::channel::{self, Channel, Sender};
//!
//! fn worker(jobs: Channel<u32>, results: Sender<u32>) {
//!     for job in jobs.iter() {
//!         fibra::sleep(Duration::from_millis(1));
//!         results.send(job * job).unwrap();
//!     }
//! }
//!
//! fn main() {
//!     fibra::run(|| {
//!         let sum = fibra::time::timeout(Duration::from_secs(1), || {
//!             fibra::scope(|s| {
//!                 let (jobs, (results, sums)) = (Channel::new(), channel::bounded(10));
//!                 for _ in 0..3 {
//!                     let (jobs, results) = (jobs.clone(), results.clone());
//!                     s.spawn(|| worker(jobs, results));
//!                 }
//!                 drop(results); // the workers have the others: the iteration ends with them
//!                 s.spawn(move || {
//!                     (1..=5).for_each(|job| jobs.send(job).unwrap());
//!                     jobs.close();
//!                 });
//!                 sums.iter().sum::<u32>()
//!             })
//!         });
//!         println!("{}", sum.unwrap()); // 55
//!         # assert_eq!(sum.unwrap(), 55);
//!     });
//! }
//! ```
//!
//! # What differs
//!
//! - Goroutines run on all cores and are preempted. The fibers of a scheduler share one thread, and
//!   change only where one of them waits or yields. So they need no locks for what they do between
//!   two waits, and a program runs in the same order each time. A program for all cores spawns jobs
//!   in place of fibers: see [`many_cores`](super::many_cores).
//! - A loop that computes keeps the thread: [`yield_now`](crate::yield_now), or
//!   [`blocking`](fn@crate::blocking).
//! - A stack does not grow: its size is fixed when the fiber starts, and only touched pages take
//!   memory. See [`stack_sizes_and_memory`](super::stack_sizes_and_memory).
//! - Cancellation needs no argument that is passed along: [`timeout`](crate::time::timeout) and
//!   [`kill`](crate::Fiber::kill) unwind whatever waits. Where Go code selects on `ctx.Done()`,
//!   code here does nothing.
//! - A system call of a library blocks the thread: the runtime does not notice it. Use
//!   [`blocking`](fn@crate::blocking).
//! - A send to a closed channel is an error that returns the value, and not a panic. Closing twice
//!   is harmless.
//! - A leak is visible: what still waits at the end of `run` is killed, and a wait that nothing can
//!   end fails with a report, even if other fibers in the report are only waiting as well.
//!
//! # Names
//!
//! | Go | fibra |
//! |---|---|
//! | `go f()` | [`spawn(f)`](crate::spawn), [`detach`](crate::JoinHandle::detach); on any core [`Handle::spawn`](crate::Handle::spawn) |
//! | `func main` | `fn main() { fibra::run(\|\| ..) }`; with signals [`main`](crate::main()) |
//! | `make(chan T)` | [`Channel::new`](crate::channel::Channel::new) |
//! | `make(chan T, n)` | [`channel::bounded(n)`](crate::channel::bounded); between threads [`sync::mpmc::bounded(n)`](crate::sync::mpmc::bounded) |
//! | `c <- x`, `x, ok := <-c` | [`send`](crate::channel::Channel::send), [`recv`](crate::channel::Channel::recv): `Result`s |
//! | `close(c)`, `for x := range c` | [`close`](crate::channel::Channel::close) or dropping the senders, `for x in c.iter()` |
//! | `len(c)`, `cap(c)` | [`len`](crate::channel::Receiver::len), – |
//! | `select { case .. }` | [`select!`](crate::select!) |
//! | `select` with `default`, `case <-time.After(d)` | `default =>`, `after(d) =>` |
//! | a nil channel in a `select`, `reflect.Select` | [`Select`](crate::select::Select) |
//! | `context.WithTimeout` | [`time::timeout`](crate::time::timeout) |
//! | `context.WithCancel`, `cancel()` | [`kill`](crate::Fiber::kill), a [`nursery`](crate::nursery) |
//! | `context.WithValue` | [`local!` with `static inherit`](crate::local#inherited-values) |
//! | `defer` | a destructor; for clean-up that waits [`finally`](crate::finally) |
//! | `panic`, `recover` | `panic!`; [`JoinError`](crate::JoinError) of the one that joins: a panic ends its fiber, not the program |
//! | `sync.WaitGroup` | [`scope`](crate::scope), [`pool::Group`](crate::pool::Group), [`sync::WaitGroup`](crate::sync::WaitGroup) |
//! | `errgroup.Group`, `SetLimit` | [`nursery`](crate::nursery), [`try_join_all`](crate::pool::try_join_all), [`pool::Pool`](crate::pool::Pool) |
//! | `sync.Mutex`, `RWMutex`, `Cond`, `Once` | [`Mutex`](crate::sync::Mutex), [`RwLock`](crate::sync::RwLock), [`Condvar`](crate::sync::Condvar), [`Once`](crate::sync::Once) |
//! | `semaphore.Weighted` | [`Semaphore`](crate::sync::Semaphore) |
//! | `atomic.Int64` in one thread | a [`Cell`](std::cell::Cell) |
//! | `time.Sleep`, `time.Ticker`, `time.After` | [`sleep`](crate::sleep), [`time::interval`](crate::time::interval), `after` in a [`select!`](crate::select!) |
//! | `testing/synctest` | [`virtual_clock`](crate::RuntimeBuilder::virtual_clock), [`wait_all_blocked`](crate::testing::wait_all_blocked) |
//! | `GOMAXPROCS` | [`threads`](crate::RuntimeBuilder::threads), [`all_cores`](crate::RuntimeBuilder::all_cores): one by default |
//! | `runtime.Gosched()` | [`yield_now`](crate::yield_now) |
//! | `runtime.NumGoroutine()`, `SIGQUIT`, `pprof` | [`stats`](crate::stats()), [`dump`](crate::dump()), [`Handle::dump`](crate::Handle::dump) |
//! | "all goroutines are asleep - deadlock!" | [`Deadlock`](crate::Deadlock), for one wait, which may recover |
//! | `net.Dial`, `net.Listen`, `Accept` | [`TcpStream::connect`](crate::net::TcpStream::connect), [`TcpListener::bind`](crate::net::TcpListener::bind), [`accept`](crate::net::TcpListener::accept) |
//! | `SetDeadline` | [`time::deadline`](crate::time::deadline) around the conversation |
//! | `http.ListenAndServe`, `Shutdown` | [`Server`](crate::server::Server) with the feature `http`, [`Running::shutdown`](crate::server::Running::shutdown) |
//! | `http.Get`, `http.Client` | `http::get`, `http::Client` with the feature `http-client` or `https`; `gzip` as in Go with the feature `gzip` |
//! | `os/exec` | [`process::Command`](crate::process::Command) |
//! | `signal.Notify` | [`signal::Signals`](crate::signal::Signals), [`signal::ctrl_c`](crate::signal::ctrl_c) |
//! | `iter.Seq`, `iter.Pull` | [`generator::iter`](crate::generator::iter) |
