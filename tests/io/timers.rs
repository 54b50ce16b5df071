//! Times are exact even if the thread sleeps in the kernel's poller.

#![allow(clippy::disallowed_methods, reason = "compares with the real clock")]

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use fibra::io::Waitable;
use fibra::net::{TcpListener, TcpStream};

/// Runs `f` on a scheduler that watches a descriptor.
fn with_a_poller<T>(f: impl FnOnce() -> T) -> T {
    fibra::run(|| {
        let (reader, _writer) = std::io::pipe().unwrap();
        let reader = Waitable::new(reader).unwrap();
        let waits = fibra::spawn(move || {
            reader.read_with(|reader| std::io::Read::read(&mut &*reader, &mut [0]))
        });
        fibra::yield_now();
        let result = f();
        waits.kill();
        result
    })
}

#[test]
fn no_sleep_is_early_however_short_or_long() {
    with_a_poller(|| {
        for micros in [1, 50, 300, 999, 1_000, 1_500, 1_999, 2_000, 2_001, 2_999, 3_500, 12_345] {
            let asked = Duration::from_micros(micros);
            let start = Instant::now();
            fibra::sleep(asked);
            assert!(asked <= start.elapsed(), "{asked:?} took {:?}", start.elapsed());
        }
    });
}

/// Returns the order in which six sleeps end.
fn order_of_sleeps() -> Vec<u64> {
    let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let sleeps = [1_900, 300, 1_000, 100, 30_000, 2_500].map(|micros| {
        let order = order.clone();
        fibra::spawn(move || {
            fibra::sleep(Duration::from_micros(micros));
            order.borrow_mut().push(micros);
        })
    });
    sleeps.into_iter().for_each(|sleep| sleep.join().unwrap());
    order.take()
}

#[test]
fn a_later_deadline_does_not_hide_an_earlier_one_that_comes_after_it() {
    with_a_poller(|| {
        // On a busy machine the thread may be suspended between two of them, so that the later is
        // due first. A deadline that is hidden is hidden in every round.
        let sorted = [100, 300, 1_000, 1_900, 2_500, 30_000];
        assert!((0..50).any(|_| order_of_sleeps() == sorted));
    });
}

#[test]
fn another_thread_wakes_a_scheduler_that_sleeps_in_the_poller() {
    with_a_poller(|| {
        let me = fibra::current().unparker();
        let thread = std::thread::Builder::new().spawn(move || me.unpark()).unwrap();
        fibra::park();
        thread.join().unwrap();
    });
}

#[test]
fn data_that_came_in_time_is_read_also_if_the_thread_looks_too_late() {
    fibra::run(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let reads = fibra::spawn(move || server.read(&mut [0]));
        fibra::yield_now();
        client.write_all(b"!").unwrap();
        let hogs = Instant::now();
        while hogs.elapsed() < Duration::from_millis(310) {}
        assert_eq!(reads.join().unwrap().unwrap(), 1);
    });
}
