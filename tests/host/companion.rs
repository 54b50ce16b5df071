//! A runtime that has a runtime of tokio: what works there, and how it ends.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fibra::future::block_on;
use fibra::{Runtime, RuntimeBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn with_tokio() -> RuntimeBuilder {
    Runtime::builder().tokio()
}

fn run<T>(f: impl FnOnce() -> T) -> T {
    with_tokio().build().unwrap().run(f)
}

#[test]
fn timers_tasks_and_sockets_of_tokio_work_in_fibers() {
    run(|| {
        let fibers: Vec<_> = (0..10)
            .map(|n: u64| {
                fibra::spawn(move || {
                    block_on(tokio::time::sleep(Duration::from_millis(n % 3)));
                    block_on(async move { tokio::spawn(async move { n * n }).await.unwrap() })
                })
            })
            .collect();
        let sum: u64 = fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum();
        assert_eq!(sum, 285);
        let listener = block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = fibra::spawn(move || {
            let (mut stream, _) = block_on(listener.accept()).unwrap();
            let mut text = String::new();
            block_on(stream.read_to_string(&mut text)).unwrap();
            text
        });
        let mut client = block_on(tokio::net::TcpStream::connect(address)).unwrap();
        block_on(client.write_all(b"over tokio's sockets")).unwrap();
        drop(client);
        assert_eq!(server.join().unwrap(), "over tokio's sockets");
    });
}

#[test]
fn tasks_run_while_fibers_wait_and_while_fibers_are_busy() {
    run(|| {
        let count = Arc::new(AtomicU32::new(0));
        let counts = count.clone();
        let task = tokio::spawn(async move {
            for _ in 0..50 {
                tokio::task::yield_now().await;
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        let begun = Instant::now();
        while count.load(Ordering::Relaxed) < 50 {
            assert!(begun.elapsed() < Duration::from_secs(20), "the tasks starve");
            fibra::yield_now();
        }
        block_on(task).unwrap();
    });
}

#[test]
fn fibers_wake_tasks_and_tasks_wake_fibers() {
    run(|| {
        let (to_task, mut in_task) = tokio::sync::mpsc::unbounded_channel::<u32>();
        let (to_fiber, in_fiber) = async_channel::unbounded::<u32>();
        tokio::spawn(async move {
            while let Some(n) = in_task.recv().await {
                to_fiber.send(n + 1).await.unwrap();
            }
        });
        let answered = Rc::new(Cell::new(0));
        for n in 0..1_000 {
            to_task.send(n).unwrap();
            assert_eq!(block_on(in_fiber.recv()).unwrap(), n + 1);
            answered.set(answered.get() + 1);
        }
        assert_eq!(answered.get(), 1_000);
    });
}

#[test]
fn sockets_timers_and_threads_of_fibra_work_beside_tokio() {
    run(|| {
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echo = fibra::spawn(move || -> io::Result<u64> {
            let (stream, _) = listener.accept()?;
            io::copy(&mut &stream, &mut &stream)
        });
        let stream = fibra::net::TcpStream::connect(address).unwrap();
        let writer = stream.try_clone().unwrap();
        fibra::spawn(move || {
            for _ in 0..100 {
                io::Write::write_all(&mut &writer, &[7; 1000]).unwrap();
                fibra::sleep(Duration::from_micros(10));
            }
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut got = Vec::new();
        io::Read::read_to_end(&mut &stream, &mut got).unwrap();
        assert_eq!(got, vec![7; 100_000]);
        assert_eq!(echo.join().unwrap().unwrap(), 100_000);
        assert_eq!(fibra::blocking(|| 6 * 7), 42);
        let unparker = fibra::current().unparker();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            unparker.unpark();
        });
        fibra::park();
        thread.join().unwrap();
    });
}

#[test]
fn the_order_of_fibers_is_that_of_a_runtime_without_tokio() {
    fn trace() -> String {
        let log = Rc::new(std::cell::RefCell::new(String::new()));
        let channel = Rc::new(fibra::channel::Channel::new());
        for name in ["a", "b", "c"] {
            let (log, channel) = (log.clone(), channel.clone());
            fibra::spawn(move || {
                for turn in 0..3 {
                    log.borrow_mut().push_str(name);
                    if turn == 1 {
                        channel.send(name).unwrap();
                    }
                    fibra::yield_now();
                }
            });
        }
        for _ in 0..3 {
            let name: &str = channel.recv().unwrap();
            log.borrow_mut().push_str(&name.to_uppercase());
        }
        (0..5).for_each(|_| fibra::yield_now());
        log.take()
    }
    let alone = fibra::run(trace);
    assert_eq!(run(trace), alone);
    assert_eq!(alone, "abcaAbBcCabc");
}

#[test]
fn every_scheduler_of_a_runtime_has_tokio() {
    let runtime = with_tokio().threads(2).build().unwrap();
    runtime.run(|| {
        let handle = fibra::Handle::current();
        let jobs: Vec<_> = (0..2)
            .map(|index| {
                handle.spawn_on(index, || {
                    block_on(tokio::time::sleep(Duration::from_millis(1)));
                    let task = tokio::spawn(async { std::thread::current().id() });
                    (block_on(task).unwrap(), std::thread::current().id())
                })
            })
            .collect();
        for job in jobs {
            let (task, fiber) = job.join().unwrap();
            assert_eq!(task, fiber, "a task runs on the thread of its scheduler");
        }
    });
}

#[test]
fn a_task_that_panics_harms_nothing_else() {
    run(|| {
        let task = tokio::spawn(async { panic!("on purpose") });
        assert!(block_on(task).unwrap_err().is_panic());
        assert_eq!(block_on(tokio::spawn(async { 1 })).unwrap(), 1);
    });
}

#[test]
fn a_fiber_that_is_killed_drops_its_future_of_tokio() {
    run(|| {
        let (sender, receiver) = tokio::sync::oneshot::channel::<u32>();
        let fiber = fibra::spawn(move || block_on(receiver));
        fibra::yield_now();
        fiber.fiber().kill();
        assert!(fiber.join().unwrap_err().is_killed());
        assert!(sender.is_closed());
    });
}

#[test]
fn time_limits_of_fibra_end_waits_for_tokio() {
    run(|| {
        let begun = Instant::now();
        let limit = Duration::from_millis(5);
        let wait = || block_on(tokio::time::sleep(Duration::from_secs(60)));
        assert!(fibra::time::timeout(limit, wait).is_err());
        assert!(begun.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn tasks_end_with_their_runtime_and_may_touch_fibers_that_are_gone() {
    struct Touches(fibra::Unparker, Arc<AtomicU32>);

    impl Drop for Touches {
        fn drop(&mut self) {
            self.0.unpark();
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    let dropped = Arc::new(AtomicU32::new(0));
    let counts = dropped.clone();
    run(move || {
        let touches = Touches(fibra::current().unparker(), counts);
        tokio::spawn(async move {
            let _touches = touches;
            std::future::pending::<()>().await;
        });
        block_on(tokio::task::yield_now());
    });
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_blocking_task_that_does_not_end_does_not_hold_up_the_end() {
    let begun = Instant::now();
    run(|| {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(60)));
        block_on(tokio::time::sleep(Duration::from_millis(1)));
    });
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_panic_of_the_main_fiber_passes_through() {
    let ended = std::panic::catch_unwind(|| run(|| panic!("out of the main fiber")));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"out of the main fiber"));
    assert_eq!(run(|| 3), 3);
}

#[test]
fn the_runtime_around_the_caller_is_used_if_it_has_threads() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let tokio = tokio.unwrap();
    tokio.block_on(async {
        let outer = std::thread::current().id();
        let (fiber, task) = run(move || {
            block_on(tokio::time::sleep(Duration::from_millis(1)));
            let task = tokio::spawn(async { std::thread::current().id() });
            (std::thread::current().id(), block_on(task).unwrap())
        });
        assert_eq!(fiber, outer);
        assert_ne!(task, outer, "the task ran on the worker");
    });
}

#[test]
fn inside_a_runtime_of_one_thread_tokio_gets_a_thread() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        run(|| {
            block_on(tokio::time::sleep(Duration::from_millis(1)));
            assert_eq!(block_on(tokio::spawn(async { 5 })).unwrap(), 5);
        });
    });
}

#[test]
fn a_runtime_that_is_never_run_can_be_dropped_anywhere() {
    drop(with_tokio().build().unwrap());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async { drop(with_tokio().build().unwrap()) });
}

#[test]
fn a_given_runtime_serves_the_fibers_of_every_scheduler() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let tokio = tokio.unwrap();
    let runtime =
        Runtime::builder().tokio_handle(tokio.handle().clone()).threads(2).build().unwrap();
    runtime.run(|| {
        let handle = fibra::Handle::current();
        let job = || block_on(async { tokio::spawn(async { 1 }).await.unwrap() });
        let jobs: Vec<_> = (0..2).map(|index| handle.spawn_on(index, job)).collect();
        let sum: u32 = jobs.into_iter().map(|job| job.join().unwrap()).sum();
        assert_eq!(sum, 2);
    });
}

#[test]
fn a_virtual_clock_is_refused() {
    let error = with_tokio().virtual_clock().build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a virtual clock needs a runtime without tokio, whose time is real"
    );
}

#[test]
fn a_future_that_waits_inside_its_poll_leaves_the_context_in_place() {
    run(|| {
        let waits = |n: u64| {
            block_on(async move {
                fibra::sleep(Duration::from_millis(n)); // the fiber waits in the middle of a poll
                tokio::time::sleep(Duration::from_millis(1)).await;
                n
            })
        };
        let fibers: Vec<_> =
            [3, 1, 2].map(|n| fibra::spawn(move || waits(n))).into_iter().collect();
        let sum: u64 = fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum();
        assert_eq!(sum, 6);
    });
}
