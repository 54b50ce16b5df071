//! "Why does it grow?": the difference of two dumps names the line that spawns fibers which never
//! end.
//!
//! A server handles requests. For each of them a fiber waits until the request has ended, in order
//! to log that, and ends when the sender of its channel is dropped. But requests that fail leave
//! their sender in a table. This is no deadlock, because the server goes on, and one dump alone
//! shows fibers that wait.
//!
//! 1. `Dump::difference` compares a dump with an earlier one: what grew, by the place of the spawn
//!    and the place of the wait.
//! 2. The dump itself is a tree with one line for fibers that are alike, however many there are:
//!    where they were spawned, at which channel they wait, and for how long at most.
//!
//! ```text
//! $ cargo run --release --example find_a_leak
//! from 502 to 20502 fibers:
//! +20000 (500 before, 20500 after): receiving on an empty channel at examples/find_a_leak.rs:...
//! ...
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::channel::{Sender, bounded};
use std::cell::RefCell;
use std::io;
use std::time::Duration;

thread_local! {
    static UNFINISHED: RefCell<Vec<Sender<()>>> = const { RefCell::new(Vec::new()) };
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let requests = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let server = fibra::Builder::new().name("server").spawn(serve);
        fibra::sleep(Duration::from_secs(1)); // It has warmed up.
        let before = fibra::dump();
        fibra::sleep(Duration::from_millis(2 * requests));
        let after = fibra::dump();
        println!("from {} to {} fibers:", before.fibers.len(), after.fibers.len());
        println!("{}", after.difference(&before));
        println!("all fibers:\n{after}");
        server.kill();
        UNFINISHED.take();
    });
    Ok(())
}

fn serve() {
    for number in 0_u64.. {
        fibra::Builder::new().name(format!("request {number}")).spawn(move || handle(number));
        fibra::sleep(Duration::from_millis(1));
    }
}

fn handle(number: u64) {
    let (done, ended) = bounded::<()>(1);
    fibra::spawn(move || {
        let _ = ended.recv();
        // A line in a log.
    });
    fibra::sleep(Duration::from_micros(500));
    if number % 2 == 0 {
        // "Tried again later": but nothing ever does.
        UNFINISHED.with_borrow_mut(|unfinished| unfinished.push(done));
    }
}
