//! Calls that block their thread, made on other threads: jobs, files and host names.
//!
//! A library that knows nothing of fibers sleeps for 100 ms in each call. Ten fibers call it
//! through `fibra::blocking`. A ticker on the same thread goes on meanwhile, and the ten calls take
//! as long as one. A pool of two threads runs two calls at a time. A caller with a time limit
//! leaves, and its call goes on without it. A connection that may not leave its thread has one of
//! its own, and all fibers call it there. Files and names are served in the same way.
//!
//! ```text
//! $ cargo run --release --example blocking_calls
//! 10 calls of 100 ms, 10 answers: faster than one after another, and the ticker went on
//! 4 calls, a pool of 2: at most 2 at a time
//! a time limit: the time limit was reached before the work was done; the call ended ...
//! borrowed: "spam, eggs" was sorted in place to ["eggs", "spam"]
//! a connection: served 8 fibers in order, closed after 8 queries
//! a file: read back 12 bytes of "green fibers"
//! a name: localhost is this machine
//! ```

#![allow(clippy::disallowed_methods, reason = "blocking calls are the subject")]

mod broken_pipe;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fibra::blocking::{self, Owned, ThreadPool};
use fibra::sync::LazyLock;
use fibra::{fs, net, time};

const MS: Duration = Duration::from_millis(1);

/// A pool for a library that bears two calls at a time, started by the first call.
static LIBRARY: LazyLock<ThreadPool> = LazyLock::new(|| ThreadPool::new(2));

/// A call of a library that knows nothing of fibers.
fn slow_square(n: u64) -> u64 {
    thread::sleep(100 * MS);
    n * n
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::run(|| {
        ten_at_once();
        two_at_a_time();
        a_time_limit();
        borrowed();
        a_connection();
        a_file()?;
        a_name()
    })
}

fn ten_at_once() {
    let ticks = Rc::new(Cell::new(0));
    let counts = ticks.clone();
    let ticker = fibra::spawn(move || {
        loop {
            fibra::sleep(2 * MS);
            counts.set(counts.get() + 1);
        }
    });
    let start = fibra::now();
    let calls: Vec<_> =
        (0..10).map(|n| fibra::spawn(move || fibra::blocking(move || slow_square(n)))).collect();
    let answers = calls.into_iter().map(|call| call.join().unwrap()).filter(|n| *n <= 81).count();
    let faster = if fibra::now() - start < 1000 * MS { "faster than" } else { "as slow as" };
    let ticked = if ticks.get() < 2 { "was held up" } else { "went on" };
    ticker.kill();
    println!(
        "10 calls of 100 ms, {answers} answers: {faster} one after another, and the ticker {ticked}"
    );
}

fn two_at_a_time() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    fibra::scope(|s| {
        for n in 0..4 {
            let (now, most) = (now.clone(), most.clone());
            s.spawn(move || {
                LIBRARY.run(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    slow_square(n);
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            });
        }
    });
    println!("4 calls, a pool of 2: at most {} at a time", most.load(Ordering::SeqCst));
}

fn a_time_limit() {
    let (sender, receiver) = fibra::sync::oneshot();
    let call = move || {
        let answer = slow_square(3);
        let _ = sender.send(answer);
    };
    let left = time::timeout(5 * MS, || fibra::blocking(call)).unwrap_err();
    let end =
        if receiver.recv().is_ok_and(|n| n == 9) { "ended without its caller" } else { "was lost" };
    println!("a time limit: {left}; the call {end}");
}

fn borrowed() {
    let text = String::from("spam, eggs");
    let mut words: Vec<&str> = text.split(", ").collect();
    blocking::uninterruptible(|| words.sort_unstable());
    println!("borrowed: {text:?} was sorted in place to {words:?}");
}

/// A connection of a library that is not `Send`: it must be used and closed where it was opened.
struct Connection {
    queries: Rc<Cell<u64>>,
}

impl Connection {
    /// Returns the number of this query.
    fn query(&self) -> u64 {
        thread::sleep(MS);
        self.queries.replace(self.queries.get() + 1)
    }
}

fn a_connection() {
    let connection = Owned::new(|| Connection { queries: Rc::default() });
    let fibers = [(); 8].map(|()| {
        let connection = connection.clone();
        fibra::spawn(move || connection.call(|connection| connection.query()).unwrap())
    });
    let numbers = fibers.map(|fiber| fiber.join().unwrap());
    let order = if numbers.is_sorted() { "in order" } else { "in any order" };
    let queries = connection.call(|connection| connection.queries.get()).unwrap();
    connection.close(); // waits until it is dropped, on its thread
    println!("a connection: served 8 fibers {order}, closed after {queries} queries");
}

fn a_file() -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("fibra-example-{}", std::process::id()));
    fs::write(&path, "green fibers")?;
    let text = fs::read_to_string(&path)?;
    println!("a file: read back {} bytes of {text:?}", text.len());
    fs::remove_file(&path)
}

fn a_name() -> io::Result<()> {
    let mut addresses = net::lookup_host("localhost:80")?;
    let what =
        if addresses.all(|addr| addr.ip().is_loopback()) { "this machine" } else { "far away" };
    println!("a name: localhost is {what}");
    Ok(())
}
