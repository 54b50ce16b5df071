//! Attacks on the state in which a thread has a scheduler and no fiber runs: code of tasks between
//! two turns, at the end of a runtime, and in destructors.

#![allow(unsafe_code, reason = "makes a waker whose clones run code")]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use fibra::Runtime;
use fibra::future::block_on;
use fibra::greenlet::Greenlet;
use fibra::sync::Event;

use crate::support::guest::{Flag, flag, host, parked, poll, tokio_runtime};
use crate::support::{OnDrop, in_child, name_of, stderr};

#[test]
fn a_frame_can_have_many_guests_in_a_row() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        for n in 0..100 {
            assert_eq!(tokio.block_on(fibra::guest(move || n)), Ok(n));
        }
    });
}

#[test]
fn a_task_cannot_leave_the_greenlet_on_which_its_runtime_runs() {
    fibra::frame(|| {
        let runs = Greenlet::new(|()| {
            Runtime::builder().tokio().build().unwrap().run(|| {
                let left = block_on(tokio::spawn(async {
                    let left = catch_unwind(|| fibra::greenlet::main::<()>().switch(()).is_ok());
                    left.unwrap_or(false)
                }));
                assert!(!left.unwrap(), "it has left the run loop");
            });
        });
        runs.switch(()).unwrap();
        assert!(runs.is_dead());
    });
    assert_eq!(fibra::run(|| 1), 1);
}

struct Acts(Box<dyn Fn()>);

/// Returns a waker that calls `f` when it is cloned.
fn acting_waker(f: impl Fn() + 'static) -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            // SAFETY: it comes from `acting_waker`, which leaks it.
            (unsafe { &*data.cast::<Acts>() }).0();
            RawWaker::new(data, &TABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );
    let acts: *const Acts = Box::leak(Box::new(Acts(Box::new(f))));
    // SAFETY: the functions of the table leave `acts` alone, or call it by a shared reference; and
    // nothing in this test moves the waker to another thread.
    unsafe { Waker::from_raw(RawWaker::new(acts.cast(), &TABLE)) }
}

#[test]
fn wakers_may_do_anything_to_the_fibers_of_the_guest_that_clones_them() {
    let run = |action: Box<dyn Fn(&fibra::Fiber)>| {
        fibra::frame(|| {
            let tokio = tokio_runtime();
            let _context = tokio.enter();
            let fibers: Rc<RefCell<Vec<fibra::Fiber>>> = Rc::default();
            let published = fibers.clone();
            let mut guest = fibra::guest(move || {
                let child = fibra::spawn(|| fibra::park());
                published.borrow_mut().push(child.fiber().clone());
                fibra::sleep(Duration::from_millis(1));
                child.fiber().unpark();
                drop(child.join());
                "done"
            });
            let waker = acting_waker(move || {
                let first = fibers.borrow().first().cloned();
                first.iter().for_each(&action);
            });
            let mut polls = 0;
            let outcome = loop {
                polls += 1;
                let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut guest, &waker)));
                match polled {
                    Ok(Poll::Ready(outcome)) => break outcome,
                    _ if polls == 200 => break Ok("never"),
                    _ => std::thread::sleep(Duration::from_millis(1)),
                }
            };
            drop(guest);
            assert_eq!(outcome, Ok("done"));
        });
    };
    run(Box::new(|fiber| fiber.unpark()));
    run(Box::new(|fiber| fiber.kill()));
    run(Box::new(|fiber| {
        fiber.pause();
    }));
    run(Box::new(|fiber| {
        fiber.unpark();
        fiber.pause();
        fiber.resume();
    }));
    run(Box::new(|_| assert!(std::thread::panicking(), "in a waker")));
    run(Box::new(|_| {
        assert!(catch_unwind(|| fibra::run(|| ())).is_err());
        let mut other = fibra::guest(|| ());
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut other, Waker::noop()))).is_err());
        assert_eq!(fibra::generator::iter(|y| y.yield_(1)).next(), Some(1));
    }));
}

#[test]
fn a_guest_that_a_destructor_at_the_end_of_its_frame_starts_is_ended() {
    struct Starts(Option<Flag>, Rc<tokio::runtime::Runtime>);
    impl Drop for Starts {
        fn drop(&mut self) {
            let _context = self.1.enter();
            let mut guest = parked(self.0.take());
            let _ = catch_unwind(AssertUnwindSafe(|| poll(&mut guest, Waker::noop())));
            std::mem::forget(guest);
        }
    }
    let tokio = Rc::new(tokio_runtime());
    let (flag, ended) = flag();
    fibra::frame(|| {
        fibra::greenlet::locals().set(Starts(Some(flag), tokio.clone()));
    });
    assert!(ended.get());
    assert_eq!(fibra::run(|| 1), 1);
}

/// A destructor that waits for an event.
struct Waits(Arc<Event>);

impl Drop for Waits {
    fn drop(&mut self) {
        fibra::shield(|| self.0.wait());
    }
}

#[test]
fn a_guest_may_be_suspended_in_the_middle_of_an_unwind() {
    for drops in [false, true] {
        let outcome = host(async {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let event = Arc::new(Event::new());
            let waits = Waits(event.clone());
            let mut guest = fibra::guest(move || {
                let other = fibra::spawn(|| {
                    fibra::sleep(Duration::from_millis(10));
                    4
                });
                let unwinds = fibra::spawn(move || {
                    let _waits = waits;
                    panic!("with a destructor that waits");
                });
                fibra::yield_now();
                let _ = sender.send(());
                (other.join().ok(), unwinds.join().is_err())
            });
            assert!(poll(&mut guest, Waker::noop()).is_pending());
            let _ = poll(&mut guest, Waker::noop());
            assert!(std::thread::panicking());
            receiver.await.unwrap();
            event.set();
            if drops {
                drop(guest);
                return Ok((Some(4), true));
            }
            guest.await
        });
        assert_eq!(outcome, Ok((Some(4), true)));
        assert!(!std::thread::panicking());
    }
}

#[test]
fn a_host_that_panics_while_a_fiber_unwinds_ends_its_guest() {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        host(async {
            let event = Arc::new(Event::new());
            let waits = Waits(event.clone());
            let mut guest = fibra::guest(move || {
                let unwinds = fibra::spawn(move || {
                    let _waits = waits;
                    panic!("with a destructor that waits");
                });
                fibra::spawn(|| fibra::park());
                unwinds.join().is_err()
            });
            assert!(poll(&mut guest, Waker::noop()).is_pending());
            assert!(std::thread::panicking());
            event.set(); // the end of the guest waits for the destructor
            panic!("in the host");
        })
    }));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"in the host"));
    assert!(!std::thread::panicking());
    assert_eq!(fibra::run(|| 1), 1);
}

#[test]
fn tasks_may_call_everything_that_works_outside_of_a_fiber() {
    Runtime::builder().tokio().build().unwrap().run(|| {
        let handle = fibra::Handle::current();
        let lock = Arc::new(fibra::sync::Mutex::new(0));
        let (sender, receiver) = fibra::sync::mpmc::bounded::<u32>(1);
        let held = lock.clone();
        let task = tokio::spawn(async move {
            assert!(catch_unwind(|| fibra::run(|| ())).is_err());
            assert!(catch_unwind(fibra::park).is_err());
            assert!(catch_unwind(fibra::yield_now).is_err());
            assert!(catch_unwind(fibra::current).is_err());
            assert!(catch_unwind(|| fibra::spawn(|| ())).is_err());
            *held.lock() += 1;
            sender.try_send(3).unwrap();
            let job = handle.spawn(|| 5);
            assert_eq!(job.await.unwrap(), 5);
            fibra::frame(|| {
                let mut numbers = fibra::generator::iter(|y| y.yield_(7));
                assert_eq!(numbers.next(), Some(7));
            });
            handle
        });
        assert_eq!(receiver.recv(), Ok(3));
        let handle = block_on(task).unwrap();
        assert_eq!(*lock.lock(), 1);
        assert_eq!(handle.spawn(|| 1).join().unwrap(), 1);
    });
}

#[test]
fn destructors_of_tasks_after_the_last_fiber_may_do_anything() {
    struct Acts(Option<Box<dyn FnOnce() + Send>>);
    impl Drop for Acts {
        fn drop(&mut self) {
            (self.0.take().unwrap())();
        }
    }
    struct Counts(Arc<AtomicU32>);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let count = Arc::new(AtomicU32::new(0));
    let counts = count.clone();
    Runtime::builder().tokio().build().unwrap().run(move || {
        let handle = fibra::Handle::current();
        let (sender, receiver) = fibra::sync::mpmc::bounded::<Counts>(4);
        let (once, promise) = fibra::sync::oneshot::<Counts>();
        let unparker = fibra::current().unparker();
        let lock = Arc::new(fibra::sync::Mutex::new(Counts(counts.clone())));
        let job = handle.spawn(|| fibra::park());
        let spawned = Arc::new(Mutex::new(None));
        let timer = fibra::future::sleep(Duration::from_secs(1_000));
        let mut timer = Box::pin(timer);
        let waker = Waker::from(Arc::new(Counts(counts.clone())));
        let _ = timer.as_mut().poll(&mut Context::from_waker(&waker));
        let acts = Acts(Some(Box::new(move || {
            drop(timer);
            unparker.unpark();
            job.kill();
            sender.try_send(Counts(counts.clone())).ok();
            drop((sender, receiver));
            once.send(Counts(counts.clone())).ok();
            drop(promise);
            drop(lock.lock());
            drop(lock);
            let owned = Counts(counts.clone());
            *spawned.lock().unwrap() = Some(handle.spawn(move || drop(owned)));
            let owned = Counts(counts.clone());
            drop(handle.spawn_future(async move { drop(owned) }));
            assert!(catch_unwind(|| fibra::run(|| ())).is_err());
            fibra::frame(|| {
                assert_eq!(fibra::generator::iter(|y| y.yield_(1)).next(), Some(1));
            });
            counts.fetch_add(100, Ordering::Relaxed);
        })));
        tokio::spawn(async move {
            let _acts = acts;
            std::future::pending::<()>().await;
        });
        block_on(tokio::task::yield_now());
    });
    assert_eq!(Arc::strong_count(&count), 1, "everything was dropped");
    assert!(100 <= count.load(Ordering::Relaxed));
    assert_eq!(fibra::run(|| 1), 1);
}

#[test]
fn tasks_do_not_see_the_contexts_of_fibers() {
    thread_local! { static CURRENT: Cell<u32> = const { Cell::new(0) } }
    let in_fiber = || {
        fibra::context::with_value(&CURRENT, 7, || {
            fibra::sleep(Duration::from_millis(5));
            fibra::yield_now();
            CURRENT.get()
        })
    };
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let seen = tokio.block_on(async {
            let task = async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                CURRENT.get()
            };
            tokio::join!(fibra::guest(in_fiber), task)
        });
        assert_eq!(seen, (Ok(7), 0));
        // A guest that is dropped in the middle of a region leaves it.
        tokio.block_on(async {
            let mut guest = fibra::guest(in_fiber);
            assert!(poll(&mut guest, Waker::noop()).is_pending());
            assert_eq!(CURRENT.get(), 0);
            drop(guest);
            assert_eq!(CURRENT.get(), 0);
        });
    });
    Runtime::builder().tokio().build().unwrap().run(|| {
        let seen = fibra::context::with_value(&CURRENT, 7, || {
            block_on(async { tokio::spawn(async { CURRENT.get() }).await.unwrap() })
        });
        assert_eq!(seen, 0);
    });
}

#[test]
fn jobs_of_the_handle_of_a_guest_run_and_end_with_it() {
    let count = Arc::new(());
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let runtime = Runtime::builder().build().unwrap();
        let handle = runtime.handle();
        let early = handle.spawn(|| 1);
        let (owned, counted, late) = (count.clone(), count.clone(), handle.clone());
        tokio.block_on(async move {
            let (done, is_done) = fibra::sync::oneshot::<u32>();
            let guest = runtime.guest(|| is_done.recv().unwrap());
            let task = async move {
                tokio::time::sleep(Duration::from_millis(5)).await; // the scheduler sleeps
                let near = late.spawn(|| fibra::yield_now());
                near.await.unwrap();
                let far = late.clone();
                let far = std::thread::spawn(move || far.spawn(|| 3).join().unwrap());
                drop(late.spawn(move || {
                    let _owned = owned;
                    fibra::park();
                }));
                let far = tokio::task::spawn_blocking(move || far.join().unwrap()).await;
                done.send(far.unwrap()).unwrap();
            };
            assert_eq!(tokio::join!(guest, task), (Ok(3), ()));
            assert_eq!(Arc::strong_count(&counted), 2, "the job was unwound");
        });
        assert_eq!(early.join().unwrap(), 1);
        let owned = count.clone();
        assert!(handle.spawn(move || drop(owned)).join().is_err());
    });
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn channels_of_fibra_join_tasks_and_the_fibers_of_a_guest() {
    let guest = host(async {
        let (sender, receiver) = fibra::sync::mpmc::bounded::<u32>(1);
        let (sender_back, receiver_back) = fibra::sync::mpmc::bounded::<u32>(0);
        let guest = fibra::guest(move || {
            let mut sum = 0;
            while let Ok(n) = receiver.recv() {
                sum += n;
                sender_back.send(n).unwrap();
            }
            sum
        });
        let task = async {
            for n in 0..200 {
                sender.send_async(n).await.unwrap();
                assert_eq!(receiver_back.recv_async().await, Ok(n));
            }
            drop(sender);
        };
        tokio::join!(guest, task).0
    });
    assert_eq!(guest, Ok(19_900));
}

#[test]
fn neither_fibers_nor_tasks_starve_the_others() {
    host(async {
        let stop = Rc::new(Cell::new(0));
        let (of_fibers, of_tasks) = (stop.clone(), stop.clone());
        let busy = async move {
            while of_tasks.get() < 50 {
                tokio::task::yield_now().await;
                of_tasks.set(of_tasks.get() + 1);
            }
        };
        let guest = fibra::guest(move || {
            let mut turns = 0_u32;
            while of_fibers.get() < 50 {
                turns += 1;
                fibra::yield_now();
            }
            turns
        });
        let (turns, ()) = tokio::join!(guest, busy);
        assert!(0 < turns.unwrap());
    });
}

#[test]
fn guests_of_two_threads_work_together() {
    let (sender, receiver) = fibra::sync::mpmc::bounded::<u32>(1);
    let on_thread = |f: Box<dyn FnOnce() -> u32 + Send>| {
        std::thread::spawn(move || host(fibra::guest(f)).unwrap())
    };
    let sends = on_thread(Box::new(move || {
        (0..500).for_each(|n| sender.send(n).unwrap());
        1
    }));
    let receives = on_thread(Box::new(move || receiver.iter().sum()));
    assert_eq!(sends.join().unwrap(), 1);
    assert_eq!(receives.join().unwrap(), 124_750);
}

#[test]
fn a_fiber_of_a_guest_ends_the_process_after_all_were_unwound() {
    let test = name_of!(a_fiber_of_a_guest_ends_the_process_after_all_were_unwound);
    let output = in_child(test, &[], || {
        let _ = host(fibra::guest(|| {
            fibra::spawn(|| {
                let _prints = OnDrop(|| eprintln!("unwound"));
                fibra::park();
            });
            fibra::yield_now();
            fibra::exit(7)
        }));
    });
    assert_eq!(output.status.code(), Some(7));
    assert!(stderr(&output).contains("unwound"), "{}", stderr(&output));
}
