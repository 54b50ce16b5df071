//! The program that `tests/abort/panics.rs` builds with `panic = "abort"`.

use std::time::Duration;

use fibra::channel::{Channel, SendError};
use fibra::sync::{Mutex, Semaphore};

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

/// An infallible lock waits on, one with a deadline fails, and a waiter that never runs again
/// leaves the line: those behind it go on.
fn wait_for_locks() {
    static MUTEX: Mutex<()> = Mutex::new(());
    static PERMITS: Semaphore = Semaphore::new(1);
    let guard = MUTEX.lock();
    kill_in(|| say(format!("lock_timeout: {}", MUTEX.lock_timeout(HOUR).unwrap_err())));
    let locks = fibra::spawn(|| {
        drop(MUTEX.lock());
        say("an infallible lock goes on");
    });
    fibra::yield_now();
    locks.kill();
    fibra::yield_now();
    assert!(!locks.is_finished());
    drop(guard);
    locks.join().expect("it returned");

    let (waits, is_waiting) = std::sync::mpsc::channel();
    let other = begin_apart(move || {
        fibra::run(|| {
            drop(fibra::spawn(|| PERMITS.acquire_many(2).forget()));
            fibra::yield_now();
            waits.send(()).unwrap();
        });
    });
    is_waiting.recv().unwrap();
    let permit = PERMITS.acquire_timeout(HOUR).expect("the first in line was abandoned");
    say(format!("behind one that was abandoned: {} permit", permit.permits()));
    other.recv().unwrap();
}

/// Runs `f` on its own thread, which sends a message when `f` is done. The thread does not end:
/// a fiber is left on it.
fn begin_apart(f: impl FnOnce() + Send + 'static) -> std::sync::mpsc::Receiver<()> {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        f();
        done.send(()).unwrap();
    });
    is_done
}

/// Waits for jobs go on. `run` ends when the job that borrows has returned, and the fiber is kept
/// afterwards.
fn wait_for_jobs() {
    let nap = || std::thread::sleep(Duration::from_millis(5));
    kill_in(move || {
        let mut lent = 1;
        fibra::blocking::uninterruptible(|| {
            nap();
            lent = 2;
        });
        say(format!("uninterruptible: {lent}"));
    });
    kill_in(move || {
        let answer = fibra::blocking(move || {
            nap();
            3
        });
        say(format!("blocking: {answer}"));
    });
    let owned = fibra::blocking::Owned::new(|| 0);
    let other = owned.clone();
    let (begin, begun) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let caller = fibra::spawn(move || {
        let call = move |n: &mut i32| {
            begin.send(()).unwrap();
            ended.recv().unwrap();
            *n += 1;
        };
        say(format!("a call to an owned value: {}", other.call(call).unwrap_err()));
    });
    fibra::yield_now();
    begun.recv().unwrap();
    caller.kill();
    caller.join().expect("it was not unwound: it returned");
    end.send(()).unwrap();
    say(format!("the owned value: {}", owned.call(|n| *n).unwrap()));
    let apart = begin_apart(move || {
        fibra::run(|| {
            drop(fibra::spawn(move || {
                let mut lent = 1;
                fibra::blocking::uninterruptible(|| {
                    nap();
                    lent = 4;
                });
                say(format!("uninterruptible at the end of run: {lent}"));
                fibra::park();
            }));
            fibra::yield_now();
        });
    });
    apart.recv().unwrap();
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

        wait_for_locks();
        wait_for_jobs();

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
