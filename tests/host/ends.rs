//! The ends of guests whose fibers cannot be unwound, and what an ended guest leaves in its frame.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use fibra::{Guest, JoinError, Runtime};

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn poll<T: 'static>(guest: &mut Guest<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(guest).poll(&mut Context::from_waker(waker))
}

/// Runs `f` in a frame on a thread of its own, which may never end.
fn apart<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || to.send(catch_unwind(AssertUnwindSafe(|| fibra::frame(f)))));
    let ended = from.recv_timeout(Duration::from_secs(30)).expect("it ends");
    ended.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

/// Catches every kill and goes on waiting.
fn never_end() {
    loop {
        let _ = catch_unwind(fibra::park);
    }
}

#[test]
fn a_main_fiber_that_catches_every_kill_is_abandoned_when_its_guest_is_dropped() {
    let next = apart(|| {
        tokio_runtime().block_on(async {
            let limit = Duration::from_millis(5);
            assert!(tokio::time::timeout(limit, fibra::guest(never_end)).await.is_err());
            fibra::guest(|| fibra::spawn(|| 1).join().unwrap()).await
        })
    });
    assert_eq!(next, Ok(1));
}

#[test]
fn a_main_fiber_that_catches_every_kill_is_the_outcome_of_its_guest() {
    let (outcome, unwound) = apart(|| {
        let unwound = Arc::new(AtomicU32::new(0));
        let counts = unwound.clone();
        let outcome = tokio_runtime().block_on(fibra::guest(move || {
            let main = fibra::current();
            let counted = Counted(counts.clone());
            drop(fibra::spawn(move || {
                let _counted = counted;
                fibra::park();
            }));
            fibra::spawn(move || main.kill());
            let _stays = Counted(counts);
            never_end();
        }));
        (outcome, unwound.load(Ordering::Relaxed))
    });
    assert_eq!(outcome.unwrap_err().to_string(), JoinError::Abandoned.to_string());
    assert_eq!(unwound, 1, "the other fiber was unwound, and main was not");
}

#[test]
fn a_main_fiber_that_catches_every_kill_does_not_keep_its_frame() {
    apart(|| {
        tokio_runtime().block_on(async {
            let mut guest = fibra::guest(never_end);
            assert!(poll(&mut guest, Waker::noop()).is_pending());
            std::mem::forget(guest);
        });
    });
}

#[test]
fn a_main_fiber_whose_child_never_ends_is_abandoned_with_it() {
    let next = apart(|| {
        tokio_runtime().block_on(async {
            let mut guest = fibra::guest(|| {
                let word = String::from("lent");
                fibra::scope(|s| {
                    s.spawn(|| {
                        never_end();
                        assert_eq!(word, "lent");
                    });
                });
                unreachable!("the scope is never left");
            });
            assert!(poll(&mut guest, Waker::noop()).is_pending());
            drop(guest);
            fibra::guest(|| 2).await
        })
    });
    assert_eq!(next, Ok(2));
}

#[test]
fn a_guest_in_a_destructor_that_a_panic_runs_ends_with_its_frame() {
    struct Visits;
    impl Drop for Visits {
        fn drop(&mut self) {
            fibra::frame(|| {
                tokio_runtime().block_on(async {
                    let mut guest = fibra::guest(|| {
                        fibra::spawn(fibra::park);
                        fibra::park();
                    });
                    assert!(poll(&mut guest, Waker::noop()).is_pending());
                    // Nothing can be unwound here: its fibers are abandoned.
                });
            });
        }
    }
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        let ended = catch_unwind(|| {
            let _visits = Visits;
            panic!("around a guest");
        });
        to.send(ended.is_err() && !std::thread::panicking())
    });
    assert_eq!(from.recv_timeout(Duration::from_secs(30)), Ok(true));
}

#[test]
fn an_endless_shield_of_the_main_fiber_ends_as_a_deadlock() {
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let told = Rc::new(RefCell::new(String::new()));
            let tells = told.clone();
            let mut guest = fibra::guest(move || {
                fibra::shield(|| {
                    let ended = catch_unwind(fibra::park);
                    *tells.borrow_mut() = fibra::Panic::new(ended.unwrap_err()).to_string();
                });
            });
            assert!(poll(&mut guest, Waker::noop()).is_pending());
            drop(guest);
            assert!(told.borrow().starts_with("deadlock"), "{}", told.borrow());
            assert_eq!(fibra::guest(|| 2).await, Ok(2));
        });
    });
}

/// Adds one when it is dropped.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Wakes(#[allow(dead_code, reason = "counts")] Counted);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_guest_that_has_ended_lets_go_of_the_waker_of_its_host() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let _context = tokio.enter();
        for drops in [false, true] {
            let dropped = Arc::new(AtomicU32::new(0));
            let waker = Waker::from(Arc::new(Wakes(Counted(dropped.clone()))));
            let mut guest = fibra::guest(move || {
                if drops { fibra::park() } else { fibra::sleep(Duration::from_millis(1)) }
            });
            assert!(poll(&mut guest, &waker).is_pending());
            while !drops && poll(&mut guest, &waker).is_pending() {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop((guest, waker));
            assert_eq!(dropped.load(Ordering::Relaxed), 1);
        }
    });
}

#[cfg(target_os = "linux")]
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Other tests of this program open descriptors too, but not hundreds at the same time.
#[test]
#[cfg(target_os = "linux")]
fn guests_in_a_row_share_their_descriptors() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let guests = |count: u32| {
            for n in 0..count {
                let outcome = tokio.block_on(fibra::guest(move || {
                    fibra::sleep(Duration::from_micros(10));
                    fibra::spawn(move || n).join().unwrap()
                }));
                assert_eq!(outcome, Ok(n));
                tokio.block_on(async {
                    let mut dropped = fibra::guest(fibra::park);
                    assert!(poll(&mut dropped, Waker::noop()).is_pending());
                });
            }
        };
        guests(1);
        let before = open_descriptors();
        guests(200);
        let after = open_descriptors();
        assert!(after < before + 300, "{before} descriptors, and {after} after 400 guests");
    });
}

#[test]
fn a_socket_outlives_its_guest_and_serves_the_next_one() {
    use std::io::{Read, Write};

    let text = fibra::frame(|| {
        tokio_runtime().block_on(async {
            let (mut a, b) = fibra::guest(|| {
                let (a, mut b) = fibra::net::UnixStream::pair().unwrap();
                let mut reads = a;
                let limit = Duration::from_millis(1);
                fibra::time::timeout(limit, || reads.read(&mut [0])).unwrap_err();
                b.write_all(b"left over by the first").unwrap();
                (reads, b)
            })
            .await
            .unwrap();
            let second = fibra::guest(move || {
                let mut text = String::new();
                let mut writes = b;
                let writer = fibra::spawn(move || {
                    fibra::sleep(Duration::from_millis(5));
                    writes.write_all(b", and more").unwrap();
                });
                a.read_to_string(&mut text).unwrap();
                writer.join().unwrap();
                text
            });
            second.await.unwrap()
        })
    });
    assert_eq!(text, "left over by the first, and more");
}

#[test]
fn unparkers_of_an_ended_guest_do_no_harm_to_the_next_one() {
    let count = fibra::frame(|| {
        let tokio = tokio_runtime();
        let old = tokio.block_on(fibra::guest(|| fibra::current().unparker())).unwrap();
        let unparks = std::thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(30) {
                old.unpark();
            }
        });
        let count = tokio.block_on(fibra::guest(|| {
            let turns = Cell::new(0);
            for _ in 0..10 {
                fibra::sleep(Duration::from_millis(2));
                turns.set(turns.get() + 1);
            }
            turns.get()
        }));
        unparks.join().unwrap();
        count
    });
    assert_eq!(count, Ok(10));
}

#[test]
fn a_guest_may_have_a_limit_of_jobs_and_reports_of_stalls() {
    let text = fibra::frame(|| {
        let runtime = Runtime::builder().max_queued_jobs(2).build().unwrap();
        let handle = runtime.handle();
        let tokio = tokio_runtime();
        tokio.block_on(async move {
            let sums = runtime.guest(move || {
                let handle = fibra::Handle::current();
                let jobs: Vec<_> = (0..10).map(|n| handle.spawn(move || n)).collect();
                jobs.into_iter().map(|job| job.join().unwrap()).sum::<u32>()
            });
            let sum = sums.await;
            let refused = handle.spawn(|| 1).join().unwrap_err();
            format!("{sum:?}, {refused}")
        })
    });
    assert_eq!(text, "Ok(45), the job did not start, because its runtime has ended or is ending");
}

#[test]
fn jobs_of_a_guest_have_the_time_of_its_shutdown() {
    let done = Arc::new(AtomicU32::new(0));
    let counts = done.clone();
    fibra::frame(|| {
        let builder = Runtime::builder().max_queued_jobs(8);
        let runtime = builder.shutdown_timeout(Duration::from_secs(10)).build().unwrap();
        let guest = runtime.guest(move || {
            fibra::Handle::current()
                .spawn(move || {
                    fibra::sleep(Duration::from_millis(5));
                    counts.fetch_add(1, Ordering::Relaxed);
                })
                .detach();
        });
        tokio_runtime().block_on(guest).unwrap();
    });
    assert_eq!(done.load(Ordering::Relaxed), 1);
}

/// Runs this test again in a child process with `what`, and returns what that has printed.
fn in_child(name: &str, what: &str) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("FIBRA_TEST_STALLS", what)
        .env("FIBRA_HOG_LIMIT", "off")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn stalls_beside_tokio_are_reported() {
    let builder = || Runtime::builder().report_stalls(Duration::from_millis(40));
    let stalls = || fibra::sleep(Duration::from_millis(200));
    match std::env::var("FIBRA_TEST_STALLS").as_deref() {
        Ok("guest") => {
            let guest = builder().build().unwrap().guest(stalls);
            fibra::frame(|| tokio_runtime().block_on(guest)).unwrap();
        }
        Ok("one") => builder().tokio().build().unwrap().run(stalls),
        Ok("two") => builder().tokio().threads(2).build().unwrap().run(stalls),
        _ => {
            for what in ["guest", "one", "two"] {
                let text = in_child("ends::stalls_beside_tokio_are_reported", what);
                let reports = text.matches("stall: all schedulers have slept for").count();
                assert_eq!(reports, 1, "{what}: {text}");
            }
        }
    }
}
