//! The program that `blocking_calls.rs` builds with `panic = "abort"`: a table of calls.
//!
//! Each call of the first column runs in a fiber that makes it twice, and is killed while it waits
//! and again afterwards: both calls return, and the fiber ends. Those of the second column cannot
//! fail: they wait on, and return when the event that they wait for happens.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3_600);
const MS: Duration = Duration::from_millis(1);
/// The time after which a call that has not returned never will.
const LATE: Duration = Duration::from_secs(10);

fn say(text: impl std::fmt::Display) {
    eprintln!("> {text}");
}

fn debug<T: Debug>(result: T) -> String {
    format!("{result:?}")
}

/// Makes `call` twice in a fiber that is killed.
fn kill(name: &str, mut call: impl FnMut() -> String + 'static) {
    let results = Rc::new(RefCell::new(Vec::new()));
    let told = results.clone();
    let fiber = fibra::spawn(move || {
        for _ in 0..2 {
            let result = call();
            told.borrow_mut().push(result);
        }
    });
    fibra::sleep(MS);
    if fiber.is_finished() {
        return say(format!("{name}: WRONG, it does not wait: {:?}", results.borrow()));
    }
    fiber.kill();
    fibra::sleep(MS);
    fiber.kill();
    let by = Instant::now() + LATE;
    while !fiber.is_finished() && Instant::now() < by {
        fibra::sleep(MS);
    }
    // A fiber that never ends is abandoned, and counts as finished.
    let ended = match (fiber.is_finished(), results.borrow().len()) {
        (true, 2) => "ends",
        (true, _) => "WRONG, it was given up",
        (false, _) => "WRONG, it hangs",
    };
    say(format!("{name}: {ended}: {:.200}", debug(&*results.borrow())));
}

/// Checks that `call` waits on when its fiber is killed, until `end`.
fn wait_on(name: &str, call: impl FnOnce() + 'static, end: impl FnOnce()) {
    let fiber = fibra::spawn(call);
    fibra::sleep(MS);
    fiber.kill();
    fibra::sleep(MS);
    let waited = !fiber.is_finished();
    end();
    let by = Instant::now() + LATE;
    while !fiber.is_finished() && Instant::now() < by {
        fibra::sleep(MS);
    }
    let right = waited && fiber.is_finished();
    say(format!("{name}: {}", if right { "waits on" } else { "WRONG, of the second column" }));
}

fn main() {
    fibra::run(|| {
        calls::all();
        say("the end");
    });
}
