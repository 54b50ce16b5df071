//! Many cores, for users of Go, tokio, may and rayon: a program in each, and the names here. (This
//! module contains documentation only.)
//!
//! [`many_cores`](super::many_cores) explains what runs where.
//!
//! # Coming from Go
//!
//! ```go
//! func count(texts []string) int {
//!     counts := make(chan int)
//!     for _, text := range texts {
//!         go func() { counts <- len(strings.Fields(text)) }()
//!     }
//!     total := 0
//!     for range texts {
//!         total += <-counts
//!     }
//!     return total
//! }
//! ```
//!
//! ```
//! use fibra::{Handle, RemoteHandle, Runtime};
//!
//! fn count(texts: Vec<String>) -> usize {
//!     let handle = Handle::current();
//!     let words = |text: String| handle.spawn(move || text.split_whitespace().count());
//!     let counts: Vec<RemoteHandle<usize>> = texts.into_iter().map(words).collect();
//!     counts.into_iter().map(|count| count.join().unwrap()).sum()
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let texts = ["to be", "or not to be"].map(String::from).to_vec();
//! assert_eq!(Runtime::builder().all_cores().build()?.run(|| count(texts)), 6);
//! # Ok(())
//! # }
//! ```
//!
//! # Coming from tokio
//!
//! An actor whose state needs no lock, reached from all threads:
//!
//! ```
//! use tokio::sync::{mpsc, oneshot};
//!
//! #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
//! async fn main() {
//!     let (sender, mut requests) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(16);
//!     tokio::spawn(async move {
//!         let mut total = 0; // all that lives across an `.await` must be `Send`
//!         while let Some((amount, reply)) = requests.recv().await {
//!             total += amount;
//!             let _ = reply.send(total);
//!         }
//!     });
//!     let clients: Vec<_> = (0..10)
//!         .map(|_| {
//!             let sender = sender.clone();
//!             tokio::spawn(async move {
//!                 let (reply, total) = oneshot::channel();
//!                 sender.send((1, reply)).await.unwrap();
//!                 total.await.unwrap()
//!             })
//!         })
//!         .collect();
//!     let mut totals = Vec::new();
//!     for client in clients {
//!         totals.push(client.await.unwrap());
//!     }
//!     assert_eq!(totals.iter().max(), Some(&10));
//! }
//! ```
//!
//! ```
//! use fibra::sync::{OneshotSender, mpmc, oneshot};
//! use fibra::{Handle, Runtime};
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().threads(2).build()?.run(|| {
//!     let (sender, requests) = mpmc::bounded::<(u64, OneshotSender<u64>)>(16);
//!     let handle = Handle::current();
//!     let actor = handle.spawn(move || {
//!         let mut total = 0; // may be anything, an `Rc` too
//!         for (amount, reply) in requests.iter() {
//!             total += amount;
//!             let _ = reply.send(total);
//!         }
//!     });
//!     let clients: Vec<_> = (0..10)
//!         .map(|_| {
//!             let sender = sender.clone();
//!             handle.spawn(move || {
//!                 let (reply, total) = oneshot();
//!                 sender.send((1, reply)).unwrap();
//!                 total.recv().unwrap()
//!             })
//!         })
//!         .collect();
//!     let totals = clients.into_iter().map(|client| client.join().unwrap());
//!     assert_eq!(totals.max(), Some(10));
//!     drop(sender);
//!     actor.join().unwrap();
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Coming from may
//!
//! ```
//! use may::{go, sync::mpsc};
//!
//! let (sender, numbers) = mpsc::channel();
//! let producers: Vec<_> = (0..4)
//!     .map(|n| {
//!         let sender = sender.clone();
//!         go!(move || sender.send(n * n).unwrap())
//!     })
//!     .collect();
//! drop(sender);
//! let sum = go!(move || numbers.iter().sum::<i32>());
//! producers.into_iter().for_each(|producer| producer.join().unwrap());
//! assert_eq!(sum.join().unwrap(), 14);
//! ```
//!
//! ```
//! use fibra::sync::mpmc;
//! use fibra::{Handle, Runtime};
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().all_cores().build()?.run(|| {
//!     let handle = Handle::current();
//!     let (sender, numbers) = mpmc::unbounded();
//!     let producers: Vec<_> = (0..4)
//!         .map(|n| {
//!             let sender = sender.clone();
//!             handle.spawn(move || sender.send(n * n).unwrap())
//!         })
//!         .collect();
//!     drop(sender);
//!     let sum = handle.spawn(move || numbers.iter().sum::<i32>());
//!     producers.into_iter().for_each(|producer| producer.join().unwrap());
//!     assert_eq!(sum.join().unwrap(), 14);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Coming from rayon
//!
//! ```
//! use rayon::prelude::*;
//!
//! fn sum(numbers: &[u64]) -> u64 {
//!     if numbers.len() < 1_000 {
//!         return numbers.iter().sum();
//!     }
//!     let (left, right) = numbers.split_at(numbers.len() / 2);
//!     let (left, right) = rayon::join(|| sum(left), || sum(right));
//!     left + right
//! }
//!
//! let numbers: Vec<u64> = (0..10_000_u64).into_par_iter().map(|n| n % 7).collect();
//! assert_eq!(sum(&numbers), numbers.iter().sum::<u64>());
//! ```
//!
//! ```
//! use fibra::{Runtime, par};
//!
//! fn sum(numbers: &[u64]) -> u64 {
//!     if numbers.len() < 1_000 {
//!         return numbers.iter().sum();
//!     }
//!     let (left, right) = numbers.split_at(numbers.len() / 2);
//!     let (left, right) = par::join(|| sum(left), || sum(right));
//!     left + right
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().all_cores().build()?.run(|| {
//!     let items: Vec<u64> = (0..10_000).collect();
//!     let numbers = par::map(&items, |n| n % 7);
//!     assert_eq!(sum(&numbers), numbers.iter().sum::<u64>());
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Names
//!
//! | fibra | Go | tokio | may | rayon |
//! |---|---|---|---|---|
//! | [`Runtime`](crate::Runtime), [`threads(n)`](crate::RuntimeBuilder::threads), [`all_cores`](crate::RuntimeBuilder::all_cores) | `GOMAXPROCS`: all by default | `Builder::new_multi_thread`, `worker_threads` | `config().set_workers` | `ThreadPoolBuilder` |
//! | [`Handle::spawn`](crate::Handle::spawn) | `go f()` | `tokio::spawn` | `go!` | `rayon::spawn` |
//! | [`fibra::spawn`](crate::spawn()) | – | `spawn_local` | – | – |
//! | [`Handle::spawn_on`](crate::Handle::spawn_on), [`on_each`](crate::Handle::on_each) | – | – | – | –, `broadcast` |
//! | [`RemoteHandle::join`](crate::RemoteHandle::join), [`kill`](crate::RemoteHandle::kill) | a channel, a `context` | `JoinHandle`: `.await`, `abort` | `JoinHandle::join`, `cancel` | – |
//! | [`par::scope`](crate::par::scope()) | – | – | `coroutine::scope` | `rayon::scope` |
//! | [`par::map`](crate::par::map()), [`for_each`](crate::par::for_each()) | – | – | – | `par_iter().map()`, `for_each` |
//! | [`par::join`](crate::par::join()) | – | `join!`, on one thread | `join!` | `rayon::join` |
//! | [`sync::mpmc`](crate::sync::mpmc) | `make(chan T, n)` | `sync::mpsc` | `sync::mpmc` | – |
//! | [`sync::Mutex`](crate::sync::Mutex) | `sync.Mutex` | `sync::Mutex` | `sync::Mutex` | – |
//! | `static inherit send` of [`local!`](crate::local) | `context.WithValue` | `task_local!`, not inherited | `coroutine_local!`, not inherited | – |
//!
//! What differs:
//!
//! - **Go**: goroutines move and are preempted, and two that talk may meet on one thread. Here a
//!   job that computes for long keeps its thread to itself, and placement is by hand. Shared values
//!   are checked by the compiler in place of a race detector.
//! - **tokio**: a job may wait at any call depth, and hold what is not `Send`. A task that has
//!   started moves between workers in tokio, and does not here.
//! - **may**: its coroutines move with all that lies on their stacks, see
//!   [why fibers do not](super::many_cores#why-started-fibers-do-not-move). Its programs work here
//!   if each `go!` becomes a job.
//! - **rayon**: a closure in rayon must not wait for a lock, a channel or a socket, because it has
//!   no stack of its own. A job may. For a tree of tiny tasks rayon's jobs, which have no stacks,
//!   cost less.
