//! "Why does it hang?": a report for a deadlock, a report that names the circle of locks, and a
//! dump for a program that only waits.
//!
//! 1. Every fiber waits and nothing can wake one. fibra notices that, and the wait that completes
//!    the deadlock fails with a report: what each fiber waits for, where, for how long, and where
//!    it was spawned. Here a worker waits for the end of a queue whose sender is still held. `recv`
//!    returns the report as an error.
//! 2. Two fibers lock two mutexes in opposite order. `lock` returns no `Result`, so its wait panics
//!    with the report, which also names the holder of each lock.
//! 3. A fiber waits for a timer, a socket or another thread: that is no deadlock, so nothing is
//!    reported. `fibra::dump()` shows all fibers and their waits. A watchdog fiber prints it here
//!    when a result is late.
//!
//! ```text
//! $ cargo run --release --example why_does_it_hang
//! 1 a queue that no one closes
//! deadlock: all fibers wait and nothing can wake one (see `fibra::guide::pitfalls`); ...
//!   fiber 'main' (#1) is waiting for a fiber to end ('worker' #2) at ...
//!   fiber 'worker' (#2) is receiving on an empty channel (made at ...) at ..., spawned at ...
//! ...
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::channel::{RecvError, unbounded};
use fibra::sync::Mutex;
use fibra::{Builder, JoinHandle};
use std::io;
use std::rc::Rc;
use std::time::Duration;

fn main() -> io::Result<()> {
    // The program prints the reports: the copies that panics write to the standard error are noise.
    std::panic::set_hook(Box::new(|_| {}));
    broken_pipe::end_quietly();
    let runtime = || fibra::Runtime::builder().virtual_clock().build();
    println!("1 a queue that no one closes");
    runtime()?.run(a_queue_that_no_one_closes);
    println!("2 two locks in opposite order");
    runtime()?.run(two_locks_in_opposite_order);
    println!("3 a result that is late");
    runtime()?.run(a_result_that_is_late);
    Ok(())
}

fn a_queue_that_no_one_closes() {
    let (sender, queue) = unbounded();
    let worker = Builder::new().name("worker").spawn(move || {
        let mut sum = 0;
        loop {
            match queue.recv() {
                Ok(number) => sum += number,
                Err(RecvError::Closed) => break println!("the sum is {sum}"),
                Err(error) => break println!("{error}"),
            }
        }
    });
    sender.send(1).unwrap();
    // `drop(sender)` is missing here.
    worker.join().expect("the worker does not panic");
    drop(sender);
}

fn two_locks_in_opposite_order() {
    let (accounts, journal) = (Rc::new(Mutex::new(100)), Rc::new(Mutex::new(Vec::new())));
    let (own_accounts, own_journal) = (accounts.clone(), journal.clone());
    let auditor = Builder::new().name("auditor").spawn(move || {
        let mut journal = own_journal.lock();
        fibra::sleep(Duration::from_secs(1)); // Any wait is enough.
        journal.push(*own_accounts.lock());
    });
    let clerk = Builder::new().name("clerk").spawn(move || {
        let mut accounts = accounts.lock();
        fibra::sleep(Duration::from_secs(2));
        *accounts -= 10;
        journal.lock().push(*accounts);
    });
    report(clerk);
    report(auditor); // The clerk's locks were released when it unwound.
}

fn a_result_that_is_late() {
    let (answers, answer) = unbounded();
    Builder::new()
        .name("server")
        .spawn(move || {
            fibra::sleep(Duration::from_secs(60));
            answers.send("an answer").unwrap();
        })
        .detach();
    let client = Builder::new().name("client").spawn(move || answer.recv().unwrap());
    let watchdog = Builder::new().name("watchdog").spawn(|| {
        fibra::sleep(Duration::from_secs(5));
        println!("still waiting after 5 s:\n{}", fibra::dump());
    });
    println!("the client has {}", client.join().expect("the client does not panic"));
    watchdog.join().expect("the watchdog does not panic");
}

/// Joins a fiber and prints how it ended.
fn report(fiber: JoinHandle<()>) {
    let name = fiber.fiber().name().unwrap_or_default();
    match fiber.join() {
        Ok(()) => println!("the {name} has ended"),
        Err(error) => println!("the {name}: {error}"),
    }
}
