//! The program that `tests/panic_abort.rs` builds with `panic = "abort"`.

use std::time::Duration;

use fibra::channel::{Channel, SendError};

const HOUR: Duration = Duration::from_secs(3_600);

fn say(text: impl std::fmt::Display) {
    eprintln!("> {text}");
}

/// Runs `wait` in a fiber that is killed while it waits, and joins it.
fn kill_in(wait: impl FnOnce() + 'static) {
    let fiber = fibra::spawn(wait);
    fibra::yield_now();
    fiber.kill();
    fiber.join().expect("it was not unwound: it returned");
}

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        say(self.0);
    }
}

fn main() {
    fibra::run(|| {
        kill_in(|| say(format!("recv: {}", Channel::<()>::new().recv().unwrap_err())));
        kill_in(|| match Channel::new().send(7) {
            Err(SendError::Killed(value)) => say(format!("send: gave {value} back")),
            other => say(format!("send: {other:?}")),
        });
        kill_in(|| {
            let error = Channel::<()>::new().recv_timeout(HOUR).unwrap_err();
            say(format!("recv_timeout: {error}"));
        });
        let parked = fibra::spawn(fibra::park);
        let other = parked.fiber().clone();
        kill_in(move || say(format!("join: {}", parked.join().unwrap_err())));
        other.unpark();

        let channel = Channel::<()>::new();
        let bounded = fibra::time::timeout(Duration::from_millis(1), || channel.recv());
        say(format!("timeout: {}", bounded.expect("the closure returned").unwrap_err()));

        let infallible = fibra::spawn(|| {
            fibra::park();
            say("an infallible wait goes on, and ends when it is complete");
        });
        fibra::yield_now();
        infallible.kill();
        fibra::yield_now();
        assert!(!infallible.is_finished());
        infallible.fiber().unpark();
        infallible.join().expect("it returned");

        let owned = Says("an unstarted fiber dropped its closure");
        let unstarted = fibra::spawn(move || drop(owned));
        unstarted.kill();
        assert!(unstarted.join().unwrap_err().is_killed());

        drop(fibra::spawn(|| {
            let _never = Says("unreachable: its stack is kept");
            fibra::park();
        }));
        fibra::yield_now();
    });
    say("run has ended, with a fiber left on its stack");
    fibra::run(|| {
        drop(fibra::spawn(|| fibra::exit(42)));
        fibra::park();
    });
}
