//! A client whose server starts late: it tries again, and gives up after five attempts.
//!
//! Five attempts have four pauses. A loop that sleeps after each failure would sleep five times,
//! and report the failure after 15 seconds instead of 12. Only the client waits: the server, which
//! is also a fiber, starts meanwhile.
//!
//! ```text
//! $ cargo run --release --example retry_late_server [SECONDS = 7]
//! The server is up after 7s:
//!    0s  attempt 1: connection refused, next in 3s
//!    3s  attempt 2: connection refused, next in 3s
//!    6s  attempt 3: connection refused, next in 3s
//!    9s  attempt 4: hello from the server
//! The server is never up:
//!   ...
//!   12s  gave up after 5 attempts (all have failed): connection refused
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use fibra::pool::{Backoff, Retry, RetryError};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let late = arguments::number(1, "SECONDS", 0..=1_000_000, 7) as u64;
    println!("The server is up after {late}s:");
    tell(Backoff::fixed(seconds(3)), Some(seconds(late)))?;
    println!("The server is never up:");
    tell(Backoff::fixed(seconds(3)), None)?;
    println!("The same, with waits that double, up to 5 s:");
    tell(Backoff::exponential(seconds(1), 2.0, seconds(5)), None)
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn tell(wait: Backoff<'_>, up_after: Option<Duration>) -> io::Result<()> {
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let start = fibra::now();
        let since = || format!("{:4}s", (fibra::now() - start).as_secs());
        let server = Server::boot(up_after);
        match connect(&server, wait, since) {
            Ok(greeting) => println!("{greeting}"),
            Err(error) => println!("{}  {error}", since()),
        }
    });
    Ok(())
}

fn connect(
    server: &Server,
    wait: Backoff<'_>,
    since: impl Fn() -> String,
) -> Result<String, RetryError<io::Error>> {
    Retry::attempts(5)
        .wait(wait)
        .on(|error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused)
        .before_sleep(|attempt, error, wait| {
            println!("{}  attempt {attempt}: {error}, next in {wait:?}", since());
        })
        .run(|attempt| {
            let greeting = server.connect()?;
            Ok(format!("{}  attempt {attempt}: {greeting}", since()))
        })
}

/// A server that refuses connections until it has booted.
struct Server {
    up: Rc<Cell<bool>>,
}

impl Server {
    fn boot(after: Option<Duration>) -> Server {
        let up = Rc::new(Cell::new(false));
        if let Some(after) = after {
            let up = up.clone();
            fibra::spawn(move || {
                fibra::sleep(after);
                up.set(true);
            });
        }
        Server { up }
    }

    fn connect(&self) -> io::Result<&'static str> {
        if self.up.get() {
            return Ok("hello from the server");
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}
