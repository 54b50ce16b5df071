//! Fibers as a future of tokio: how they run, and how they end whatever becomes of the future.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fibra::future::block_on;
use std::future::Future;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

fn tokio_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sets its flag when it is dropped.
struct Flag(Rc<Cell<bool>>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn fibers_and_tasks_take_turns() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let (fibers, tasks) = (log.clone(), log.clone());
    let pause = Duration::from_millis(1);
    let outcome = fibra::frame(|| {
        tokio_runtime().block_on(async move {
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
        })
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
    let text = fibra::frame(|| {
        tokio_runtime().block_on(fibra::guest(|| {
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
        }))
    });
    assert_eq!(text.unwrap(), "hello");
}

#[test]
fn other_threads_wake_a_guest() {
    let outcome = fibra::frame(|| {
        tokio_runtime().block_on(fibra::guest(|| {
            let unparker = fibra::current().unparker();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                unparker.unpark();
            });
            fibra::park();
            thread.join().unwrap();
            fibra::blocking(|| 9)
        }))
    });
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
    let (main, child) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let flags = (Flag(main.clone()), Flag(child.clone()));
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let guest = fibra::guest(move || {
                let (main, child) = flags;
                let _main = main;
                fibra::spawn(move || {
                    let _child = child;
                    fibra::park();
                });
                fibra::park();
            });
            let limit = Duration::from_millis(10);
            assert!(tokio::time::timeout(limit, guest).await.is_err());
            assert!(main.get() && child.get());
            assert_eq!(fibra::guest(|| 1).await, Ok(1));
        });
    });
}

#[test]
fn the_frame_unwinds_the_fibers_of_a_guest_that_was_forgotten() {
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(dropped.clone());
    fibra::frame(|| {
        let tokio = tokio_runtime();
        tokio.block_on(async {
            let mut guest = Box::pin(fibra::guest(move || {
                let _flag = flag;
                fibra::park();
            }));
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
        let dropped = Rc::new(Cell::new(false));
        let flag = Flag(dropped.clone());
        fibra::frame(|| {
            let (tokio, set) = (tokio_runtime(), LocalSet::new());
            TASK.set(Some(set.spawn_local(fibra::guest(move || {
                let _flag = flag;
                fibra::park();
            }))));
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
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(dropped.clone());
    let ended = catch_unwind(AssertUnwindSafe(|| {
        fibra::frame(|| {
            tokio_runtime().block_on(async {
                let guest = fibra::guest(move || {
                    let _flag = flag;
                    fibra::park();
                });
                let host = async {
                    tokio::task::yield_now().await;
                    panic!("in the host");
                };
                let _ = tokio::join!(guest, host);
            });
        });
    }));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"in the host"));
    assert!(dropped.get());
    assert_eq!(fibra::run(|| 3), 3);
}

/// Polls `guest` once. Its fibers park.
async fn start(guest: &mut std::pin::Pin<Box<fibra::Guest<()>>>) {
    tokio::select! {
        biased;
        _ = guest => unreachable!("it is parked"),
        () = tokio::task::yield_now() => {}
    }
}

#[test]
fn a_guest_that_a_generator_drops_ends_with_the_frame() {
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(dropped.clone());
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let mut guest = Box::pin(fibra::guest(move || {
                let _flag = flag;
                fibra::park();
            }));
            start(&mut guest).await;
            let mut drops = fibra::generator::iter(move |y| {
                drop(guest);
                y.yield_(());
            });
            assert_eq!(drops.next(), Some(()));
            assert!(!dropped.get(), "fibers run on the thread's own stack only");
        });
    });
    assert!(dropped.get());
}

#[test]
fn a_guest_in_a_destructor_that_a_panic_runs_ends_with_the_frame() {
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(dropped.clone());
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let mut guest = Box::pin(fibra::guest(move || {
                let _flag = flag;
                fibra::park();
            }));
            start(&mut guest).await;
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _guest = guest;
                panic!("with a guest");
            }));
            assert!(panicked.is_err());
            assert!(!dropped.get());
        });
    });
    assert!(dropped.get());
}

#[test]
fn destructors_that_wait_are_run_to_their_end_when_a_guest_is_dropped() {
    struct Waits(Rc<Cell<bool>>);

    impl Drop for Waits {
        fn drop(&mut self) {
            fibra::sleep(Duration::from_millis(5));
            self.0.set(true);
        }
    }

    let dropped = Rc::new(Cell::new(false));
    let waits = Waits(dropped.clone());
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let mut guest = Box::pin(fibra::guest(move || {
                let _waits = waits;
                fibra::park();
            }));
            start(&mut guest).await;
            drop(guest);
            assert!(dropped.get());
        });
    });
}

#[test]
fn an_output_that_is_not_taken_is_dropped_with_the_frame() {
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(dropped.clone());
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let mut guest = Box::pin(fibra::guest(move || {
                fibra::shield(|| fibra::park_timeout(Duration::from_millis(5)));
                flag
            }));
            tokio::select! {
                biased;
                _ = &mut guest => unreachable!("it is parked"),
                () = tokio::task::yield_now() => {}
            }
            std::mem::forget(guest);
        });
    });
    assert!(dropped.get());
}

#[test]
fn misuse_panics_with_what_to_do() {
    let message = |f: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| String::from(*text))).unwrap()
    };
    let tokio = tokio_runtime();
    assert_eq!(
        message(&|| drop(tokio.block_on(fibra::guest(|| ())))),
        "a guest was polled outside of `fibra::frame`: call \
         `fibra::frame(|| runtime.block_on(..))` on this thread"
    );
    assert_eq!(
        message(&|| fibra::frame(|| drop(futures_lite::future::block_on(fibra::guest(|| ()))))),
        "a guest was polled outside of a runtime of tokio: pass it to `block_on` of one"
    );
    assert!(
        message(&|| fibra::run(|| drop(block_on(fibra::guest(|| ())))))
            .starts_with("a guest was polled on a thread that has a scheduler already")
    );
    assert_eq!(
        message(&|| drop(fibra::Runtime::builder().threads(2).build().unwrap().guest(|| ()))),
        "a guest has one thread: build its runtime with one thread"
    );
}

#[test]
fn two_guests_of_one_thread_at_a_time_are_refused() {
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let mut first = Box::pin(fibra::guest(fibra::park));
            start(&mut first).await;
            let second = catch_unwind(AssertUnwindSafe(|| {
                let mut second = Box::pin(fibra::guest(|| ()));
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                let _ = second.as_mut().poll(&mut cx);
            }));
            assert!(second.is_err());
            drop(first);
            assert_eq!(fibra::guest(|| 2).await, Ok(2));
        });
    });
}
