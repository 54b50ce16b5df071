//! Guests that move: between tasks with different wakers, runtimes, and executors of one thread.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fibra::{Guest, JoinError};

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn poll<T: 'static>(guest: &mut Guest<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(guest).poll(&mut Context::from_waker(waker))
}

#[derive(Default)]
struct Counts(AtomicU32);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        tokio.block_on(async {
            for unparks in [false, true] {
                let (fiber, is_sent) = std::sync::mpsc::channel();
                let mut guest = fibra::guest(move || {
                    fiber.send(fibra::current().unparker()).unwrap();
                    if unparks { fibra::park() } else { fibra::sleep(Duration::from_millis(5)) }
                });
                let (first, second) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
                assert!(poll(&mut guest, &Waker::from(first.clone())).is_pending());
                let _ = poll(&mut guest, &Waker::from(first.clone()));
                assert!(poll(&mut guest, &Waker::from(second.clone())).is_pending());
                let before = second.0.load(Ordering::Relaxed);
                let unparker = is_sent.recv().unwrap();
                if unparks {
                    std::thread::spawn(move || unparker.unpark()).join().unwrap();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(before < second.0.load(Ordering::Relaxed), "unparks: {unparks}");
                assert_eq!(guest.await, Ok(()));
            }
        });
    });
}

#[test]
fn a_guest_continues_in_another_runtime_of_its_thread() {
    for first_ends in [false, true] {
        let outcome = fibra::frame(|| {
            let mut guest = fibra::guest(|| {
                fibra::sleep(Duration::from_millis(10));
                let unparker = fibra::current().unparker();
                let thread = std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(10));
                    unparker.unpark();
                });
                fibra::park();
                thread.join().unwrap();
                fibra::blocking(|| 4)
            });
            let first = tokio_runtime();
            first.block_on(async {
                assert!(poll(&mut guest, Waker::noop()).is_pending());
                tokio::task::yield_now().await;
                let _ = poll(&mut guest, Waker::noop());
            });
            let first = (!first_ends).then_some(first);
            let second = tokio_runtime();
            let limit = Duration::from_secs(20);
            let outcome = second.block_on(async { tokio::time::timeout(limit, guest).await });
            drop(first);
            outcome.expect("it is woken in the second runtime")
        });
        assert_eq!(outcome, Ok(4));
    }
}

#[test]
fn each_poll_of_a_guest_outside_of_tokio_panics() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let mut guest = fibra::guest(|| fibra::sleep(Duration::from_millis(5)));
        tokio.block_on(async { assert!(poll(&mut guest, Waker::noop()).is_pending()) });
        let outside = AssertUnwindSafe(|| futures_lite::future::block_on(&mut guest));
        let payload = catch_unwind(outside).unwrap_err();
        assert_eq!(
            fibra::Panic::new(payload).to_string(),
            "a guest was polled outside of a runtime of tokio: pass it to `block_on` of one"
        );
        assert_eq!(tokio.block_on(guest), Ok(()));
    });
}

#[test]
fn misuse_names_the_guest() {
    let message = |f: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        fibra::Panic::new(payload).to_string()
    };
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let _context = tokio.enter();
        let mut guest = fibra::guest(fibra::park);
        assert!(poll(&mut guest, Waker::noop()).is_pending());
        let nested = message(&|| fibra::run(|| ()));
        assert!(nested.starts_with("`fibra::run` was called on the thread of a guest"), "{nested}");
        let second = message(&|| drop(poll(&mut fibra::guest(|| ()), Waker::noop())));
        assert!(second.starts_with("a guest was polled on a thread that has a scheduler"));
        drop(guest);
        let in_generator = message(&|| {
            let mut polls = fibra::generator::iter(|y| {
                drop(poll(&mut fibra::guest(|| ()), Waker::noop()));
                y.yield_(());
            });
            polls.next();
        });
        assert!(in_generator.starts_with("a guest was polled inside of a generator"));
    });
    let runtime = fibra::Runtime::builder().tokio().build().unwrap();
    let nested = runtime.run(|| {
        let polls = async { drop(poll(&mut fibra::guest(|| ()), Waker::noop())) };
        fibra::future::block_on(tokio::spawn(polls)).unwrap_err()
    });
    assert!(nested.to_string().contains("a guest was polled on a thread that has a scheduler"));
}

#[test]
fn a_guest_ends_in_its_own_poll_when_its_wrapper_drops_it() {
    /// Drops the guest directly after a poll, in the poll of the task.
    struct Once(Option<Guest<()>>);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let mut guest = self.0.take().unwrap();
            let _ = Pin::new(&mut guest).poll(cx);
            Poll::Ready(())
        }
    }
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let set = tokio::task::LocalSet::new();
        set.block_on(&tokio, async {
            let first = tokio::task::spawn_local(Once(Some(fibra::guest(fibra::park))));
            first.await.unwrap();
            // A task that a fiber of its own guest aborts.
            let (task, is_sent) = std::sync::mpsc::channel::<tokio::task::AbortHandle>();
            let guest = tokio::task::spawn_local(fibra::guest(move || {
                let task = is_sent.recv().unwrap();
                task.abort();
                fibra::park();
            }));
            task.send(guest.abort_handle()).unwrap();
            assert!(guest.await.unwrap_err().is_cancelled());
            assert_eq!(fibra::guest(|| 1).await, Ok(1));
        });
    });
}

#[test]
fn tasklets_and_greenlets_of_a_guest_run_beside_tasks() {
    use fibra::stackless;

    let outcome = fibra::frame(|| {
        let tokio = tokio_runtime();
        tokio.block_on(async {
            let log = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let logs = log.clone();
            let tasklets: std::rc::Rc<std::cell::RefCell<Vec<stackless::Tasklet>>> =
                std::rc::Rc::default();
            let published = tasklets.clone();
            let guest = fibra::guest(move || {
                let log = |what: &'static str| {
                    let logs = logs.clone();
                    move || logs.borrow_mut().push(what)
                };
                for what in ["a", "b", "c"] {
                    let tasklet = stackless::spawn(log(what));
                    published.borrow_mut().push(tasklet);
                }
                let last = published.borrow()[2].clone();
                last.run().unwrap(); // rotates the ring: c a b
                let removed = stackless::spawn(log("inserted by a task"));
                removed.remove().unwrap();
                published.borrow_mut().push(removed);
                let greenlet = fibra::greenlet::Greenlet::new({
                    let log = log("greenlet");
                    move |()| {
                        fibra::sleep(Duration::from_millis(1));
                        log();
                    }
                });
                greenlet.switch(()).unwrap();
                fibra::sleep(Duration::from_millis(20));
                stackless::run();
                logs.take()
            });
            let task = async {
                tokio::time::sleep(Duration::from_millis(8)).await;
                // The scheduler sleeps. Code of a task puts a fiber into its ring.
                let removed = tasklets.borrow()[3].clone();
                let inserted = catch_unwind(AssertUnwindSafe(|| removed.insert().is_ok()));
                let inserted = inserted.unwrap_or(false);
                assert!(inserted, "a task may insert a tasklet");
            };
            tokio::join!(guest, task).0
        })
    });
    assert_eq!(outcome.unwrap(), ["c", "a", "b", "greenlet", "inserted by a task"]);
}
