//! A fiber as a future that is polled, dropped and read on any thread.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fibra::JoinError;
use fibra::future::{FiberFuture, JoinFuture, block_on, spawn, spawn_now};

use crate::support::{OnDrop, apart, check, in_child, log, ms, name_of, run_virtually, stderr};

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn a_future_that_awaits_a_fiber_is_send_if_the_output_is() {
    fibra::run(|| {
        let length = assert_send(async {
            let word = spawn(|| {
                let word = Rc::new(String::from("not Send"));
                fibra::yield_now();
                word.len()
            });
            word.await.unwrap()
        });
        assert_eq!(block_on(length), 8);
    });
}

#[test]
fn a_handler_of_axum_awaits_a_fiber() {
    use tower::ServiceExt;

    async fn nap() -> String {
        spawn(|| {
            let text = Rc::new("slept");
            fibra::sleep(ms(2));
            String::from(*text)
        })
        .await
        .unwrap()
    }
    fibra::run(|| {
        let router = axum::Router::new().route("/", axum::routing::get(nap));
        let request = axum::http::Request::new(axum::body::Body::empty());
        let body = block_on(async {
            let response = router.oneshot(request).await.unwrap();
            axum::body::to_bytes(response.into_body(), 99).await.unwrap()
        });
        assert_eq!(&body[..], b"slept");
    });
}

#[test]
fn another_thread_waits_for_a_fiber() {
    fibra::run(|| {
        let (late, early) = (spawn(|| fibra::sleep(ms(5))), spawn(|| 7));
        let panics = spawn(|| -> u32 { panic!("burnt") });
        let elsewhere = fibra::blocking(move || {
            block_on(late).unwrap();
            let Err(JoinError::Panicked(payload)) = block_on(panics) else { unreachable!() };
            (payload.message().to_owned(), block_on(early).unwrap())
        });
        assert_eq!(elsewhere, (String::from("burnt"), 7));
    });
}

#[test]
fn a_future_that_another_thread_drops_kills_its_fiber() {
    fibra::run(|| {
        let (done, ended) = fibra::sync::oneshot();
        let future = spawn(move || {
            let mut done = Some(done);
            let _done = OnDrop(move || assert!(done.take().unwrap().send("unwound").is_ok()));
            fibra::sleep(ms(60_000));
        });
        fibra::yield_now();
        fibra::blocking(move || drop(future));
        assert_eq!(ended.recv().unwrap(), "unwound");
    });
}

#[test]
fn a_fiber_that_another_thread_may_yet_kill_is_in_no_deadlock() {
    fibra::run(|| {
        let (sender, receiver) = fibra::channel::oneshot();
        let future = spawn(move || {
            let mut sender = Some(sender);
            let _told = OnDrop(move || assert!(sender.take().unwrap().send("unwound").is_ok()));
            let never = fibra::channel::Channel::<()>::new();
            never.recv().map_err(|error| error.to_string())
        });
        fibra::yield_now();
        let thread = std::thread::Builder::new().spawn(move || {
            // On a plain thread, this call blocks the thread.
            std::thread::park_timeout(ms(50));
            drop(future);
        });
        assert_eq!(receiver.recv().unwrap(), "unwound");
        thread.unwrap().join().unwrap();
        // No other thread is left that could end a wait.
        assert!(fibra::channel::Channel::<()>::new().recv().is_err(), "a deadlock again");
    });
}

#[test]
fn an_output_is_dropped_once_whichever_comes_first() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    const ROUNDS: usize = 500;
    fibra::run(|| {
        let (sender, receiver) = std::sync::mpsc::channel::<FiberFuture<Counted>>();
        let thread = std::thread::scope(|scope| {
            let dropper = scope.spawn(move || receiver.into_iter().for_each(drop));
            for round in 0..ROUNDS {
                let made = Counted;
                let future = spawn(move || {
                    (0..round % 5).for_each(|_| fibra::yield_now());
                    made
                });
                sender.send(future).unwrap();
                fibra::yield_now();
            }
            drop(sender);
            dropper.join()
        });
        thread.unwrap();
    });
    assert_eq!(DROPPED.load(Ordering::SeqCst), ROUNDS);
}

#[test]
fn a_future_may_outlive_the_run_of_its_fiber() {
    let (ended, killed, unread) = fibra::run(|| {
        let ended = spawn_now(|| 7);
        (ended, spawn(fibra::park), spawn_now(|| log("read by none")))
    });
    assert_eq!(block_on(ended).unwrap(), 7);
    assert!(block_on(killed).unwrap_err().is_killed());
    drop(unread);
    check("read by none");
}

#[test]
fn it_is_ready_when_the_fiber_locals_are_gone() {
    run_virtually(|| {
        fibra::local! { static LATE: OnDrop<fn()> = OnDrop(|| {
            fibra::sleep(ms(5));
            log("gone");
        }); }
        block_on(spawn(|| LATE.with(|_| log("used")))).unwrap();
        log("ready");
    });
    check("used gone ready");
}

#[test]
fn a_fiber_that_refuses_to_end_is_an_error_of_its_future() {
    apart(|| {
        fibra::run(|| {
            let refuses = spawn(|| {
                let fiber = fibra::current();
                fibra::spawn(move || fiber.kill());
                loop {
                    let _ = std::panic::catch_unwind(fibra::park);
                }
            });
            let error = block_on(refuses).unwrap_err();
            assert!(matches!(error, JoinError::Abandoned), "{error}");
        });
    });
}

#[test]
fn a_panic_that_no_one_awaits_is_reported_once() {
    let test = name_of!(a_panic_that_no_one_awaits_is_reported_once);
    let child = in_child(test, &[], || {
        fibra::run(|| {
            let future = spawn_now(|| std::panic::resume_unwind(Box::new("burnt")));
            drop::<FiberFuture<()>>(future);
            let handle = fibra::spawn_now(|| std::panic::resume_unwind(Box::new("drowned")));
            drop::<JoinFuture<()>>(handle.into_future());
        });
    });
    let text = stderr(&child);
    for payload in ["burnt", "drowned"] {
        let report = format!("panicked and was not joined: {payload}");
        assert_eq!(text.matches(&report).count(), 1, "{text}");
    }
}

/// A waker of another crate, which runs user code.
struct Foreign(AtomicUsize);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        assert!(fibra::in_fiber(), "user code runs on a fiber");
        fibra::yield_now();
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_foreign_waker_is_called_by_a_fiber_when_the_end_has_come() {
    fibra::run(|| {
        let foreign = Arc::new(Foreign(AtomicUsize::new(0)));
        let waker = Waker::from(foreign.clone());
        let mut future = pin!(spawn(|| 7));
        let mut poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        (0..5).for_each(|_| fibra::yield_now());
        assert_eq!(foreign.0.load(Ordering::SeqCst), 1);
        assert!(matches!(poll(), Poll::Ready(Ok(7))));
    });
}
