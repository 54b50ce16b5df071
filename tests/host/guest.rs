//! Fibers as a future of tokio: how they run, and how they end whatever becomes of the future.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use fibra::future::block_on;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::support::guest::{Flag, flag, host, parked, poll, start, tokio_runtime};
use crate::support::panic_of;

#[test]
fn fibers_and_tasks_take_turns() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let (fibers, tasks) = (log.clone(), log.clone());
    let pause = Duration::from_millis(1);
    let outcome = host(async move {
        let guest = fibra::guest(move || {
            for n in 0..3 {
                while fibers.borrow().len() != 2 * n {
                    fibra::sleep(pause);
                }
                fibers.borrow_mut().push(format!("fiber {n}"));
            }
            "done"
        });
        let task = async move {
            for n in 0..3 {
                while tasks.borrow().len() != 2 * n + 1 {
                    tokio::time::sleep(pause).await;
                }
                tasks.borrow_mut().push(format!("task {n}"));
            }
        };
        tokio::join!(guest, task).0
    });
    assert_eq!(outcome, Ok("done"));
    assert_eq!(*log.borrow(), ["fiber 0", "task 0", "fiber 1", "task 1", "fiber 2", "task 2"]);
}

#[test]
fn a_local_set_runs_a_guest_beside_its_tasks() {
    let sum = fibra::frame(|| {
        let tokio = tokio_runtime();
        let set = LocalSet::new();
        set.block_on(&tokio, async {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<u32>();
            let (answers, answer) = async_channel::unbounded::<u32>();
            let guest = tokio::task::spawn_local(fibra::guest(move || {
                let mut sum = 0;
                for n in 0..100 {
                    sender.send(n).unwrap();
                    sum += block_on(answer.recv()).unwrap();
                }
                sum
            }));
            while let Some(n) = receiver.recv().await {
                answers.send(2 * n).await.unwrap();
            }
            guest.await.unwrap()
        })
    });
    assert_eq!(sum, Ok(9_900));
}

#[test]
fn tasks_unpark_and_kill_fibers_by_handles_that_stay_on_the_thread() {
    let outcome = fibra::frame(|| {
        let tokio = tokio_runtime();
        LocalSet::new().block_on(&tokio, async {
            let fibers: Rc<RefCell<Vec<fibra::Fiber>>> = Rc::default();
            let published = fibers.clone();
            let guest = tokio::task::spawn_local(fibra::guest(move || {
                let killed = fibra::spawn(fibra::park);
                published.borrow_mut().extend([fibra::current(), killed.fiber().clone()]);
                fibra::park();
                killed.join()
            }));
            while fibers.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await; // everything is asleep
            fibers.borrow()[0].unpark();
            tokio::time::sleep(Duration::from_millis(5)).await;
            fibers.borrow()[1].kill_with("a task has said so");
            guest.await.unwrap()
        })
    });
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the fiber was killed: a task has said so");
}

#[test]
fn sockets_of_fibra_work_in_a_guest() {
    let text = host(fibra::guest(|| {
        use std::io::{Read, Write};
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = fibra::spawn(move || {
            let stream = fibra::net::TcpStream::connect(address).unwrap();
            (&stream).write_all(b"hello").unwrap();
        });
        let (stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        (&stream).read_to_string(&mut text).unwrap();
        client.join().unwrap();
        text
    }));
    assert_eq!(text.unwrap(), "hello");
}

#[test]
fn other_threads_wake_a_guest() {
    let outcome = host(fibra::guest(|| {
        let unparker = fibra::current().unparker();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            unparker.unpark();
        });
        fibra::park();
        thread.join().unwrap();
        fibra::blocking(|| 9)
    }));
    assert_eq!(outcome, Ok(9));
}

#[test]
fn a_panic_and_a_kill_are_the_outcome() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let outcome = tokio.block_on(fibra::guest(|| -> u32 { panic!("in a guest") }));
        assert!(outcome.unwrap_err().is_panic());
        let outcome = tokio.block_on(fibra::guest(|| fibra::current().kill()));
        assert!(outcome.unwrap_err().is_killed());
        // The thread can have the next one.
        assert_eq!(tokio.block_on(fibra::guest(|| 1)), Ok(1));
        assert_eq!(fibra::run(|| 2), 2);
    });
}

#[test]
fn a_guest_that_is_dropped_unwinds_its_fibers_at_once() {
    let ((main, main_dropped), (child, child_dropped)) = (flag(), flag());
    host(async {
        let guest = fibra::guest(move || {
            let _main = main;
            fibra::spawn(move || {
                let _child = child;
                fibra::park();
            });
            fibra::park();
        });
        let limit = Duration::from_millis(10);
        assert!(tokio::time::timeout(limit, guest).await.is_err());
        assert!(main_dropped.get() && child_dropped.get());
        assert_eq!(fibra::guest(|| 1).await, Ok(1));
    });
}

#[test]
fn the_frame_unwinds_the_fibers_of_a_guest_that_was_forgotten() {
    let (flag, dropped) = flag();
    fibra::frame(|| {
        let tokio = tokio_runtime();
        tokio.block_on(async {
            let mut guest = parked(flag);
            tokio::select! {
                _ = &mut guest => unreachable!("it is parked"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            std::mem::forget(guest);
        });
        assert!(!dropped.get());
        let nested = catch_unwind(|| fibra::run(|| ()));
        assert!(nested.is_err(), "the thread has a scheduler");
    });
    assert!(dropped.get());
    assert_eq!(fibra::run(|| 3), 3);
}

type Guests = tokio::task::JoinHandle<Result<(), fibra::JoinError>>;

#[test]
fn a_guest_in_a_thread_local_ends_with_its_frame() {
    thread_local! {
        static SET: RefCell<Option<(Runtime, LocalSet)>> = const { RefCell::new(None) };
        static TASK: RefCell<Option<Guests>> = const { RefCell::new(None) };
    }
    std::thread::spawn(|| {
        let (flag, dropped) = flag();
        fibra::frame(|| {
            let (tokio, set) = (tokio_runtime(), LocalSet::new());
            TASK.set(Some(set.spawn_local(parked(flag))));
            tokio.block_on(set.run_until(tokio::task::yield_now()));
            SET.set(Some((tokio, set)));
        });
        assert!(dropped.get(), "the fibers have ended, and the future is still there");
        // Polled again, and dropped by the thread-local: nothing is left to run.
        let (tokio, set) = SET.take().unwrap();
        let outcome = tokio.block_on(set.run_until(TASK.take().unwrap())).unwrap();
        assert!(outcome.unwrap_err().is_killed());
        SET.set(Some((tokio, set)));
    })
    .join()
    .unwrap();
}

#[test]
fn a_panic_of_the_host_unwinds_the_fibers() {
    let (flag, dropped) = flag();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        host(async {
            let panics = async {
                tokio::task::yield_now().await;
                panic!("in the host");
            };
            let _ = tokio::join!(parked(flag), panics);
        });
    }));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"in the host"));
    assert!(dropped.get());
    assert_eq!(fibra::run(|| 3), 3);
}

#[test]
fn a_guest_that_a_generator_drops_ends_with_the_frame() {
    let (flag, dropped) = flag();
    host(async {
        let mut guest = parked(flag);
        start(&mut guest).await;
        let mut drops = fibra::generator::iter(move |y| {
            drop(guest);
            y.yield_(());
        });
        assert_eq!(drops.next(), Some(()));
        assert!(!dropped.get(), "fibers run on the thread's own stack only");
    });
    assert!(dropped.get());
}

#[test]
fn a_guest_in_a_destructor_that_a_panic_runs_ends_with_the_frame() {
    let (flag, dropped) = flag();
    host(async {
        let mut guest = parked(flag);
        start(&mut guest).await;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guest = guest;
            panic!("with a guest");
        }));
        assert!(panicked.is_err());
        assert!(!dropped.get());
    });
    assert!(dropped.get());
}

#[test]
fn destructors_that_wait_are_run_to_their_end_when_a_guest_is_dropped() {
    /// Waits, before it drops its flag.
    struct Waits(#[allow(dead_code, reason = "it is dropped")] Flag);

    impl Drop for Waits {
        fn drop(&mut self) {
            fibra::sleep(Duration::from_millis(5));
        }
    }

    let (flag, dropped) = flag();
    host(async {
        let mut guest = parked(Waits(flag));
        start(&mut guest).await;
        drop(guest);
        assert!(dropped.get());
    });
}

#[test]
fn an_output_that_is_not_taken_is_dropped_with_the_frame() {
    let (flag, dropped) = flag();
    host(async {
        let event = Arc::new(fibra::sync::Event::new());
        let waits = event.clone();
        let mut guest = Box::pin(fibra::guest(move || {
            fibra::shield(|| waits.wait());
            flag
        }));
        start(&mut guest).await;
        event.set();
        std::mem::forget(guest);
    });
    assert!(dropped.get());
}

#[test]
fn misuse_panics_with_what_to_do() {
    let tokio = tokio_runtime();
    assert_eq!(
        panic_of(|| drop(tokio.block_on(fibra::guest(|| ())))),
        "a guest was polled outside of `fibra::frame`: call \
         `fibra::frame(|| runtime.block_on(..))` on this thread"
    );
    assert_eq!(
        panic_of(|| fibra::frame(|| drop(futures_lite::future::block_on(fibra::guest(|| ()))))),
        "a guest was polled outside of a runtime of tokio: pass it to `block_on` of one"
    );
    assert!(
        panic_of(|| fibra::run(|| drop(block_on(fibra::guest(|| ())))))
            .starts_with("a guest was polled on a thread that has a scheduler already")
    );
    assert_eq!(
        panic_of(|| fibra::Runtime::builder().threads(2).build().unwrap().guest(|| ())),
        "a guest has one thread: build its runtime with one thread"
    );
}

#[test]
fn two_guests_of_one_thread_at_a_time_are_refused() {
    host(async {
        let mut first = parked(());
        start(&mut first).await;
        let second = catch_unwind(|| poll(&mut fibra::guest(|| ()), Waker::noop()));
        assert!(second.is_err());
        drop(first);
        assert_eq!(fibra::guest(|| 2).await, Ok(2));
    });
}
