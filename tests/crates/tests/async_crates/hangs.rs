//! Calls that stop the thread, and with it all fibers: what happens, in a process of its own each,
//! and what to call instead.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use fibra::future::block_on;
use fibra::spawn;

use crate::with_tokio;

/// The variable that tells a child which call to make.
const VARIABLE: &str = "FIBRA_CRATES_HANGS";
/// For how long a call that hangs is watched.
const WATCHED: Duration = Duration::from_millis(200);

/// The name of a call, a program that makes it and hangs, and one with its replacement.
type Call = (&'static str, fn(), fn());

const CALLS: [Call; 9] = [
    ("std::sync::mpsc", std_mpsc, fibra_mpmc),
    ("std::sync::Mutex", std_mutex, fibra_mutex),
    ("std::sync::LazyLock", std_lazy, fibra_lazy),
    ("crossbeam-channel", crossbeam, fibra_mpmc),
    ("parking_lot", parking_lot, fibra_mutex),
    ("flume::Receiver::recv", flume_blocking, flume_async),
    ("tokio::sync::mpsc::Receiver::blocking_recv", tokio_blocking, tokio_async),
    ("futures::executor::block_on", futures_block_on, fibra_block_on),
    ("tokio_handle of a current_thread runtime", given_handle, own_runtime),
];

#[test]
fn calls_that_stop_the_thread_hang_and_their_replacements_return() {
    for (name, _, works) in CALLS {
        println!("{name}");
        works();
    }
    let children: Vec<_> = CALLS.iter().map(|(name, ..)| (name, start(name))).collect();
    thread::sleep(WATCHED);
    for (name, mut child) in children {
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ended, None, "{name} returned");
    }
}

/// Starts a process that makes the call `name`, and waits until it is about to do that.
fn start(name: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "hangs::a_child_makes_one_call", "--nocapture"]);
    let mut child = command.env(VARIABLE, name).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("calls")), "{name}");
    child
}

/// Does nothing, except in a process that [`start`] started.
#[test]
fn a_child_makes_one_call() {
    let Ok(wanted) = std::env::var(VARIABLE) else { return };
    let (_, hangs, _) = CALLS.iter().find(|(name, ..)| *name == wanted).unwrap();
    println!("calls {wanted}");
    hangs();
}

/// Not a hang: tokio refuses to wait in a thread that drives a runtime, with a panic.
#[test]
fn tokio_refuses_handle_block_on_in_a_fiber() {
    with_tokio(|| {
        let handle = tokio::runtime::Handle::current();
        let refused = spawn(move || handle.block_on(async { 42 })).join();
        let panic = refused.unwrap_err().into_panic().unwrap();
        let text = panic.downcast_ref::<&str>().unwrap();
        assert!(text.starts_with("Cannot start a runtime from within a runtime"), "{text}");
        assert_eq!(block_on(async { 42 }), 42);
    });
}

fn std_mpsc() {
    fibra::run(|| {
        let (sender, receiver) = mpsc::channel();
        spawn(move || sender.send(42).unwrap());
        assert_eq!(receiver.recv(), Ok(42)); // The sender never runs.
    });
}

fn crossbeam() {
    fibra::run(|| {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        spawn(move || sender.send(42).unwrap());
        assert_eq!(receiver.recv(), Ok(42));
    });
}

fn fibra_mpmc() {
    fibra::run(|| {
        let (sender, receiver) = fibra::sync::mpmc::bounded(1);
        spawn(move || sender.send(42).unwrap());
        assert_eq!(receiver.recv(), Ok(42));
    });
}

fn std_mutex() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(0));
        let held = mutex.clone();
        spawn(move || {
            let mut guard = held.lock().unwrap();
            fibra::yield_now(); // A wait with the guard in hand.
            *guard += 1;
        });
        fibra::yield_now();
        *mutex.lock().unwrap() += 1; // The holder never runs again.
    });
}

fn parking_lot() {
    fibra::run(|| {
        let mutex = Arc::new(parking_lot::Mutex::new(0));
        let held = mutex.clone();
        spawn(move || {
            let mut guard = held.lock();
            fibra::yield_now();
            *guard += 1;
        });
        fibra::yield_now();
        *mutex.lock() += 1;
    });
}

fn fibra_mutex() {
    fibra::run(|| {
        let mutex = Arc::new(fibra::sync::Mutex::new(0));
        let held = mutex.clone();
        spawn(move || {
            let mut guard = held.lock();
            fibra::yield_now();
            *guard += 1;
        });
        fibra::yield_now();
        *mutex.lock() += 1;
        assert_eq!(*mutex.lock(), 2);
    });
}

fn std_lazy() {
    static VALUE: LazyLock<u32> = LazyLock::new(|| {
        fibra::yield_now(); // An initialiser that waits.
        42
    });
    fibra::run(|| {
        spawn(|| *VALUE);
        fibra::yield_now();
        assert_eq!(*VALUE, 42);
    });
}

fn fibra_lazy() {
    static VALUE: fibra::sync::LazyLock<u32> = fibra::sync::LazyLock::new(|| {
        fibra::yield_now();
        42
    });
    fibra::run(|| {
        spawn(|| *VALUE);
        fibra::yield_now();
        assert_eq!(*VALUE, 42);
    });
}

fn flume_blocking() {
    fibra::run(|| {
        let (sender, receiver) = flume::bounded(1);
        spawn(move || sender.send(42).unwrap());
        assert_eq!(receiver.recv(), Ok(42));
    });
}

fn flume_async() {
    fibra::run(|| {
        let (sender, receiver) = flume::bounded(1);
        spawn(move || block_on(sender.send_async(42)).unwrap());
        assert_eq!(block_on(receiver.recv_async()), Ok(42));
    });
}

fn tokio_blocking() {
    fibra::run(|| {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        spawn(move || sender.blocking_send(42).unwrap());
        assert_eq!(receiver.blocking_recv(), Some(42));
    });
}

fn tokio_async() {
    fibra::run(|| {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        spawn(move || block_on(sender.send(42)).unwrap());
        assert_eq!(block_on(receiver.recv()), Some(42));
    });
}

fn futures_block_on() {
    fibra::run(|| {
        let (sender, receiver) = async_channel::bounded(1);
        spawn(move || sender.try_send(42).unwrap());
        assert_eq!(futures::executor::block_on(receiver.recv()), Ok(42));
    });
}

fn fibra_block_on() {
    fibra::run(|| {
        let (sender, receiver) = async_channel::bounded(1);
        spawn(move || sender.try_send(42).unwrap());
        assert_eq!(block_on(receiver.recv()), Ok(42));
    });
}

/// A runtime without threads of its own, which no one drives.
fn given_handle() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fibers = fibra::Runtime::builder().tokio_handle(runtime.handle().clone());
    fibers.build().unwrap().run(|| {
        assert_eq!(block_on(tokio::spawn(async { 42 })).unwrap(), 42);
    });
}

fn own_runtime() {
    with_tokio(|| assert_eq!(block_on(tokio::spawn(async { 42 })).unwrap(), 42));
}
