//! A nursery: several steps run together, the first failure ends the others, and each undoes what
//! it did.
//!
//! A new version is installed on four servers at the same time. One installation fails. When its
//! fiber has ended, `nursery` kills the others: they unwind from where they wait, and the clean-up
//! of `finally` runs in each. The clean-up may wait, too: a kill does not interrupt it. Only when
//! all four have ended does `nursery` return, with the panic of the one that failed.
//!
//! ```text
//! $ cargo run --release --example nursery
//! version 2:
//!   0s  berlin: stopped, installing
//!   ...
//!   7s  tokyo: installed
//!   7s  all servers run version 2
//! version 3:
//!   0s  berlin: stopped, installing
//!   ...
//!   3s  boston: failed: no space left on the disk
//!   4s  boston: the old version runs again
//!   5s  lagos: the old version runs again
//!   5s  tokyo: the old version runs again
//!   5s  not installed: no space left on the disk
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod broken_pipe;

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// The servers, and the seconds that each takes to install a version.
const SERVERS: [(&str, u64); 4] = [("berlin", 2), ("boston", 3), ("lagos", 5), ("tokyo", 7)];

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    for version in [2, 3] {
        println!("version {version}:");
        fibra::Runtime::builder().virtual_clock().build()?.run(|| roll_out(version));
    }
    Ok(())
}

fn roll_out(version: u32) {
    let log = Log { start: fibra::now() };
    let installed = catch_unwind(AssertUnwindSafe(|| {
        fibra::nursery(|n| {
            for (server, seconds) in SERVERS {
                let log = &log;
                n.spawn(move || install(server, seconds, version, log));
            }
        });
    }));
    match installed {
        Ok(()) => log.line(format_args!("all servers run version {version}")),
        Err(panic) => {
            let reason = fibra::Panic::new(panic);
            log.line(format_args!("not installed: {}", reason.message()));
        }
    }
}

fn install(server: &str, seconds: u64, version: u32, log: &Log) {
    let done = Cell::new(false);
    fibra::finally(
        || {
            log.line(format_args!("{server}: stopped, installing"));
            fibra::sleep(Duration::from_secs(seconds));
            if server == "boston" && version == 3 {
                log.line(format_args!("{server}: failed: no space left on the disk"));
                // Like `panic!`, but without a message on the standard error.
                resume_unwind(Box::new("no space left on the disk"));
            }
            log.line(format_args!("{server}: installed"));
            done.set(true);
        },
        || {
            // Runs after the end, a panic and a kill.
            if !done.get() {
                fibra::sleep(Duration::from_secs(1));
                log.line(format_args!("{server}: the old version runs again"));
            }
        },
    );
}

/// Prints lines with the time since the start.
struct Log {
    start: Instant,
}

impl Log {
    fn line(&self, text: std::fmt::Arguments<'_>) {
        println!("{:3}s  {text}", (fibra::now() - self.start).as_secs());
    }
}
