//! A supervisor tree: workers fail, are started again, and the failure goes up a level only when
//! restarts do not help.
//!
//! ```text
//! root
//! +-- database
//! +-- web
//!     +-- cache
//!     +-- requests   fails every 4 s
//! ```
//!
//! A supervisor is a fiber with a `Group`: it starts its children and waits for the next one that
//! ends. A child that fails is started again. A supervisor whose children failed three times within
//! ten seconds gives up: it kills the children that are left and fails itself, so that its own
//! supervisor starts the whole branch again. A child is a closure, so a supervisor is a child, too.
//!
//! ```text
//! $ cargo run --release --example supervisor [SECONDS = 15]
//!   0s  root starts database
//!   0s  root starts web
//!   0s  web starts cache
//!   0s  web starts requests
//!   4s  web: requests failed: connection lost
//!   4s  web starts requests
//!   ...
//!  12s  web gives up after 3 failures in 8s
//!  12s  root: web failed: too many failures
//!  12s  root starts web
//!   ...
//!  15s  the root is killed
//! root: the fiber was killed: the program ends; 1 fiber is left
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use fibra::pool::Group;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The end of a child.
type Outcome = Result<(), &'static str>;

/// A closure that can be started, and started again.
#[derive(Clone)]
struct Child {
    name: &'static str,
    run: Rc<dyn Fn() -> Outcome>,
}

const MOST_FAILURES: usize = 3;
const WINDOW: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let seconds = arguments::number(1, "SECONDS", 1..=1_000_000, 15) as u64;
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let log = Log { start: fibra::now() };
        let works = || -> Outcome {
            fibra::park(); // Works until it is killed.
            Ok(())
        };
        let fails = || {
            fibra::sleep(Duration::from_secs(4));
            Err("connection lost")
        };
        let web = log.supervisor("web", vec![child("cache", works), child("requests", fails)]);
        let root = log.supervisor("root", vec![child("database", works), web]);

        let tree = fibra::spawn(move || (root.run)());
        fibra::sleep(Duration::from_secs(seconds));
        log.line("the root is killed");
        tree.fiber().kill_with("the program ends");
        let error = tree.join().expect_err("it was killed");
        println!("root: {error}; {} fiber is left", fibra::stats().fibers);
    });
    Ok(())
}

fn child(name: &'static str, run: impl Fn() -> Outcome + 'static) -> Child {
    Child { name, run: Rc::new(run) }
}

#[derive(Clone, Copy)]
struct Log {
    start: Instant,
}

impl Log {
    fn line(self, text: impl std::fmt::Display) {
        println!("{:3}s  {text}", (fibra::now() - self.start).as_secs());
    }

    /// Makes a child that supervises `children`.
    fn supervisor(self, name: &'static str, children: Vec<Child>) -> Child {
        child(name, move || supervise(name, &children, self))
    }
}

/// Runs `children` until too many have failed. Its own end, by whatever cause, ends them.
fn supervise(name: &str, children: &[Child], log: Log) -> Outcome {
    let group = Group::new();
    fibra::finally(
        || keep_running(name, children, &group, log),
        || {
            group.kill_all();
            let _ = group.join();
        },
    )
}

/// Starts `children`, and starts each that ends again.
fn keep_running(name: &str, children: &[Child], group: &Group<Outcome>, log: Log) -> Outcome {
    let start = |child: Child, running: &mut HashMap<_, _>| {
        log.line(format_args!("{name} starts {}", child.name));
        let (run, builder) = (child.run.clone(), fibra::Builder::new().name(child.name));
        running.insert(group.spawn_with(builder, move || run()).id(), child);
    };
    let (mut running, mut failures) = (HashMap::new(), VecDeque::new());
    children.iter().for_each(|child| start(child.clone(), &mut running));
    while let Some((fiber, outcome)) = group.next_with_fiber() {
        let child = running.remove(&fiber.id()).expect("the fiber was started here");
        match outcome {
            Ok(Ok(())) => log.line(format_args!("{name}: {} has ended", child.name)),
            Ok(Err(reason)) => log.line(format_args!("{name}: {} failed: {reason}", child.name)),
            Err(error) => log.line(format_args!("{name}: {}: {error}", child.name)),
        }
        let now = fibra::now();
        failures.push_back(now);
        failures.retain(|&failure| now - failure <= WINDOW);
        if MOST_FAILURES <= failures.len() {
            let (count, span) = (failures.len(), (now - failures[0]).as_secs());
            log.line(format_args!("{name} gives up after {count} failures in {span}s"));
            return Err("too many failures");
        }
        start(child, &mut running);
    }
    Ok(())
}
