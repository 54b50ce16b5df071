//! Two threads, each with a scheduler of its own, that share work, locks and a promise.
//!
//! A fiber stays on its thread. What threads share is in `fibra::sync` and `stackless`: a fiber
//! that waits there parks, and the other fibers of its thread run.
//!
//! - `sync::mpmc` is the queue of jobs: a fiber of any thread takes the next one.
//! - `SharedChannel` brings the results back.
//! - An `RwLock` holds prices that all read and one fiber changes.
//! - A `Mutex` with a `Condvar` counts the threads that are ready.
//! - A `promise` holds the total, which each thread waits for.
//!
//! ```text
//! $ cargo run --release --example two_schedulers [JOBS = 100]
//! 2 threads with 3 fibers each are ready
//! 100 jobs: 5050 pieces, all threads took part
//! thread 1 has heard: the total is 15150
//! thread 2 has heard: the total is 15150
//! ```

mod arguments;
mod broken_pipe;

use fibra::stackless::SharedChannel;
use fibra::sync::{Condvar, Mutex, Promised, RwLock, mpmc, promise};
use std::thread;

const THREADS: usize = 2;
const FIBERS: usize = 3;

/// The price of a piece.
static PRICE: RwLock<u64> = RwLock::new(1);
static READY: Mutex<usize> = Mutex::new(0);
static ONE_MORE_IS_READY: Condvar = Condvar::new();

/// A result: the thread, the pieces and what they cost.
type Results = SharedChannel<(usize, u64, u64)>;

fn main() {
    broken_pipe::end_quietly();
    let jobs = arguments::number(1, "JOBS", 10..=1_000_000, 100) as u64;
    let (sender, queue) = mpmc::bounded(1);
    let results = Results::new();
    let (total, promised) = promise();
    thread::scope(|s| {
        for number in 1..=THREADS {
            let (queue, results, promised) = (queue.clone(), results.clone(), promised.clone());
            s.spawn(move || fibra::run(|| work(number, &queue, &results, promised)));
        }
        drop(queue);
        fibra::run(move || {
            drop(ONE_MORE_IS_READY.wait_while(READY.lock(), |ready| *ready < THREADS * FIBERS));
            println!("{THREADS} threads with {FIBERS} fibers each are ready");
            *PRICE.write() = 3;
            fibra::spawn(move || (1..=jobs).for_each(|job| sender.send(job).unwrap()));
            let (mut pieces, mut cost, mut took_part) = (0, 0, [false; THREADS]);
            for _ in 0..jobs {
                let (thread, amount, price) = results.receive().unwrap();
                (pieces, cost) = (pieces + amount, cost + price);
                took_part[thread - 1] = true;
            }
            let who = if took_part == [true; THREADS] { "all threads" } else { "not all threads" };
            println!("{jobs} jobs: {pieces} pieces, {who} took part");
            total.set(cost);
        });
    });
    // The order in which threads print would be the kernel's: they leave their lines here.
    let mut lines = std::mem::take(&mut *LINES.lock());
    lines.sort();
    lines.iter().for_each(|line| println!("{line}"));
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn work(number: usize, queue: &mpmc::Receiver<u64>, results: &Results, total: Promised<u64>) {
    fibra::scope(|s| {
        for _ in 0..FIBERS {
            s.spawn(|| {
                *READY.lock() += 1;
                ONE_MORE_IS_READY.notify_one();
                for pieces in queue {
                    results.send((number, pieces, pieces * *PRICE.read())).unwrap();
                }
            });
        }
    });
    let total = total.wait().expect("the promise is kept");
    LINES.lock().push(format!("thread {number} has heard: the total is {total}"));
}
