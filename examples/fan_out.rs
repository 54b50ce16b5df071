//! One task divided among several fibers: five ways to wait for them.
//!
//! - `race`: the first answer wins, and the other fibers are killed.
//! - `as_completed`: each answer when it is there.
//! - `try_join_all`: all answers in order, or the first failure, which ends the other fibers.
//! - `move_on_after`: what was done within a time limit.
//! - `PriorityQueue`: workers take the most urgent item first.
//!
//! ```text
//! $ cargo run --release --example fan_out
//! race:           north answers after 20 ms
//! as completed:   north after 20 ms, south after 50 ms, west after 90 ms
//! all or nothing: ["north", "west", "south"] after 90 ms
//! all or nothing: the fiber panicked: east is down after 40 ms
//! within 60 ms:   ["north", "south"]
//! by urgency:     fire, flood, noise, litter
//! ```
//!
//! The clock is virtual: the milliseconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::pool::{PriorityQueue, Ranked, as_completed, race, try_join_all};
use fibra::time::move_on_after;
use std::cell::RefCell;
use std::io;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

const SERVERS: [(&str, u64); 3] = [("north", 20), ("west", 90), ("south", 50)];
const EAST: (&str, u64) = ("east", 40);

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    timed("race", |start| {
        let winner = race(SERVERS.map(|server| move || ask(server)));
        format!("{} answers {}", winner.expect("no server panics"), after(start))
    })?;
    timed("as completed", |start| {
        let answers = as_completed(SERVERS.map(|server| fibra::spawn(move || ask(server))));
        let texts =
            answers.map(|answer| format!("{} {}", answer.expect("no server panics"), after(start)));
        texts.collect::<Vec<_>>().join(", ")
    })?;
    timed("all or nothing", |start| all_of(start, &SERVERS))?;
    timed("all or nothing", |start| all_of(start, &[SERVERS[0], EAST, SERVERS[1]]))?;
    timed("within 60 ms", |_| {
        let answers = RefCell::new(Vec::new());
        move_on_after(Duration::from_millis(60), || {
            fibra::scope(|s| {
                for server in SERVERS {
                    let answers = &answers;
                    s.spawn(move || {
                        let answer = ask(server);
                        answers.borrow_mut().push(answer);
                    });
                }
            });
        });
        format!("{:?}", answers.into_inner())
    })?;
    timed("by urgency", |_| {
        let calls = PriorityQueue::new();
        for (urgency, call) in [(3, "noise"), (1, "fire"), (4, "litter"), (2, "flood")] {
            calls.send(Ranked::new(urgency, call)).expect("the queue is open");
        }
        calls.close(); // The items that are in it are still received.
        calls.iter().map(|call| call.value).collect::<Vec<_>>().join(", ")
    })
}

/// Runs `wait` with the time of its start, and prints what it returns.
fn timed(title: &str, wait: fn(Instant) -> String) -> io::Result<()> {
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        println!("{:15} {}", format!("{title}:"), wait(fibra::now()));
    });
    Ok(())
}

fn after(start: Instant) -> String {
    format!("after {} ms", (fibra::now() - start).as_millis())
}

fn all_of(start: Instant, servers: &[(&'static str, u64)]) -> String {
    let fibers = servers.iter().map(|&server| fibra::spawn(move || ask(server)));
    match try_join_all(fibers) {
        Ok(answers) => format!("{answers:?} {}", after(start)),
        Err(error) => format!("{error} {}", after(start)),
    }
}

/// Waits for the answer of a server. The one in the east is down.
fn ask((name, milliseconds): (&'static str, u64)) -> &'static str {
    fibra::sleep(Duration::from_millis(milliseconds));
    if name == EAST.0 {
        // Like `panic!`, but without a message on the standard error.
        resume_unwind(Box::new("east is down"));
    }
    name
}
