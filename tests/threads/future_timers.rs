//! `future::Sleep` on other threads, and wakers of users that remain in timers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use fibra::future::{Sleep, sleep};

use crate::support::{HOUR, OnDrop, check, log, panic_of, run_virtually};

/// Returns a `Sleep` that was polled once with `waker`.
fn polled(waker: &Waker) -> Sleep {
    let mut sleep = sleep(HOUR);
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(waker)).is_pending());
    sleep
}

/// A waker that drops a value when it is dropped.
struct Dropped(#[allow(dead_code, reason = "it is dropped")] Box<dyn Send + Sync>);

impl Wake for Dropped {
    fn wake(self: Arc<Self>) {}
}

fn waker_that<F: FnMut() + Send + Sync + 'static>(when_dropped: F) -> Waker {
    Waker::from(Arc::new(Dropped(Box::new(OnDrop(when_dropped)))))
}

#[test]
fn a_sleep_that_is_dropped_by_another_thread_leaves_the_timers() {
    run_virtually(|| {
        let start = fibra::now();
        let sleep = polled(Waker::noop());
        thread::spawn(move || drop(sleep)).join().unwrap();
        // There is no event left to wait for.
        assert!(panic_of(fibra::park).starts_with("deadlock:"));
        assert!(fibra::now() - start < HOUR);
    });
}

#[test]
fn its_waker_is_dropped_by_a_fiber_of_its_scheduler() {
    run_virtually(|| {
        let home = thread::current().id();
        let sleep = polled(&waker_that(move || {
            assert_eq!(thread::current().id(), home);
            fibra::yield_now();
            log("dropped");
        }));
        thread::spawn(move || drop(sleep)).join().unwrap();
        fibra::sleep(Duration::from_millis(1));
        check("dropped");
    });
}

#[test]
fn a_waker_left_in_a_timer_whose_destructor_panics_does_not_replace_the_output() {
    let output = fibra::run(|| {
        std::mem::forget(polled(&waker_that(|| panic!("in the destructor of a waker"))));
        7
    });
    assert_eq!(output, 7);
}

#[test]
fn a_waker_left_in_a_timer_is_dropped_on_the_main_fiber_and_may_wait_there() {
    fibra::run(|| {
        let waker = waker_that(|| {
            fibra::yield_now();
            log(fibra::current().id().number());
            // The timer that it leaves in turn is dropped as well.
            std::mem::forget(polled(&waker_that(|| log("the second"))));
        });
        std::mem::forget(polled(&waker));
    });
    check("1 the second");
}

#[test]
fn wakers_that_leave_others_without_end_are_leaked() {
    fn endless() {
        std::mem::forget(polled(&waker_that(endless)));
    }
    fibra::run(endless);
}

#[test]
#[cfg(feature = "net")]
fn a_waker_left_at_a_socket_is_dropped_where_its_panic_is_caught() {
    use fibra::io::PollIo;

    let output = fibra::run(|| {
        let (stream, there) = fibra::net::UnixStream::pair().unwrap();
        let waker = waker_that(|| panic!("in the destructor of a waker"));
        let mut cx = Context::from_waker(&waker);
        assert!(stream.poll_read(&mut cx, &mut [0; 8]).is_pending());
        std::mem::forget((stream, there));
        7
    });
    assert_eq!(output, 7);
}
