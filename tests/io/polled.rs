//! Streams that futures read and write, and fibers that use the streams at the same time.

use std::future::{Future, poll_fn};
use std::io::{IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fibra::future::block_on;
use fibra::io::{PollIo, Waitable};

use crate::support::{check, go, log};

fn pair() -> (Rc<Waitable<UnixStream>>, Waitable<UnixStream>) {
    let (a, b) = UnixStream::pair().unwrap();
    (Rc::new(Waitable::new(a).unwrap()), Waitable::new(b).unwrap())
}

/// Returns a future that reads one byte.
fn byte(stream: &Waitable<UnixStream>) -> impl Future<Output = u8> {
    let mut byte = [0];
    poll_fn(move |cx| {
        stream.poll_read(cx, &mut byte).map(|n| (n.unwrap() == 1).then_some(byte[0]).unwrap())
    })
}

#[test]
fn a_future_waits_for_two_streams_at_once() {
    fibra::run(|| {
        let ((a, _b), (c, mut d)) = (pair(), pair());
        go(move || d.write_all(b"!").unwrap());
        let (mut first, mut second) = (pin!(byte(&a)), pin!(byte(&c)));
        let got = block_on(poll_fn(|cx| match first.as_mut().poll(cx) {
            Poll::Ready(byte) => Poll::Ready(byte),
            Poll::Pending => second.as_mut().poll(cx),
        }));
        assert_eq!(got, b'!');
    });
}

#[test]
fn a_future_reads_and_writes_in_one_task() {
    const LENGTH: usize = 3_000_000;
    fibra::run(|| {
        let (a, b) = pair();
        let echo = fibra::spawn(move || std::io::copy(&mut &b, &mut &b).unwrap());
        let (data, mut sent, mut got) = (vec![7; 100_000], 0, 0);
        let mut buffer = vec![0; 100_000];
        block_on(poll_fn(|cx| {
            while sent < LENGTH {
                let now = data.len().min(LENGTH - sent);
                let Poll::Ready(n) = a.poll_write(cx, &data[..now]) else { break };
                sent += n.unwrap();
            }
            while got < LENGTH {
                let Poll::Ready(n) = a.poll_read(cx, &mut buffer) else { return Poll::Pending };
                got += n.unwrap();
            }
            Poll::Ready(())
        }));
        drop(a);
        assert_eq!(echo.join().unwrap(), LENGTH as u64);
    });
}

#[test]
fn fibers_in_line_are_served_before_futures() {
    fibra::run(|| {
        let (a, mut b) = pair();
        let fiber = a.clone();
        let reads = fibra::spawn(move || {
            let mut byte = [0];
            (&*fiber).read_exact(&mut byte).unwrap();
            log(format!("fiber {}", byte[0]));
        });
        fibra::testing::wait_all_blocked();
        let future = fibra::spawn(move || log(format!("future {}", block_on(byte(&a)))));
        fibra::testing::wait_all_blocked();
        b.write_all(&[1, 2]).unwrap();
        reads.join().unwrap();
        future.join().unwrap();
    });
    check("fiber 1 future 2");
}

#[test]
fn two_tasks_that_wait_for_one_stream_are_both_woken() {
    fibra::run(|| {
        let (a, mut b) = pair();
        let tasks = [a.clone(), a].map(|a| fibra::spawn(move || block_on(byte(&a))));
        fibra::testing::wait_all_blocked();
        b.write_all(&[5, 6]).unwrap();
        let got = tasks.map(|task| task.join().unwrap());
        assert_eq!(got.iter().sum::<u8>(), 11);
    });
}

#[test]
fn a_waiter_in_one_direction_is_kept_when_the_other_direction_is_done() {
    fibra::run(|| {
        let (a, b) = pair();
        let (reads, writes) = (a.clone(), a.clone());
        let reader = fibra::spawn(move || (&*reads).read_exact(&mut [0; 2]).unwrap());
        let future = fibra::spawn(move || block_on(byte(&a)));
        fibra::testing::wait_all_blocked();
        let writer = fibra::spawn(move || (&*writes).write_all(&[1; 1_000_000]).unwrap());
        fibra::testing::wait_all_blocked();
        (&b).read_exact(&mut vec![0; 1_000_000]).unwrap();
        writer.join().unwrap();
        (&b).write_all(b"abc").unwrap();
        reader.join().unwrap();
        assert_eq!(future.join().unwrap(), b'c');
    });
}

/// A waker that is not fibra's; it waits when it is called, and when it is dropped.
struct Foreign {
    count: Arc<AtomicUsize>,
    next: Waker,
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        fibra::yield_now();
        self.count.fetch_add(1, Ordering::SeqCst);
        self.next.wake_by_ref();
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if fibra::in_fiber() {
            fibra::yield_now();
        }
    }
}

#[test]
fn a_foreign_waker_is_called_by_a_fiber_also_when_the_stream_is_dropped_under_it() {
    fibra::run(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let (a, mut b) = pair();
        let poll = |a: &Waitable<UnixStream>| {
            block_on(poll_fn(|cx| {
                let foreign = Foreign { count: count.clone(), next: cx.waker().clone() };
                let waker = Waker::from(Arc::new(foreign));
                Poll::Ready(pin!(byte(a)).poll(&mut Context::from_waker(&waker)).is_pending())
            }))
        };
        assert!(poll(&a));
        b.write_all(b"!").unwrap();
        while count.load(Ordering::SeqCst) == 0 {
            fibra::sleep(crate::support::ms(1));
        }
        assert!(!poll(&a) && poll(&a));
        drop(a);
        fibra::testing::wait_all_blocked();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    });
}

/// Sends `length` bytes to `write` in the task that reads them from `read`. Returns the count read.
fn through(write: impl PollIo, read: impl PollIo, length: usize) -> usize {
    let (data, mut sent, mut got) = (vec![7; length], 0, 0);
    let mut buffer = vec![0; 50_000];
    block_on(poll_fn(|cx| {
        while sent < length {
            let Poll::Ready(n) = write.poll_write(cx, &data[sent..]) else { break };
            sent += n.unwrap();
            if sent == length {
                assert!(write.poll_shutdown(cx).is_ready());
            }
        }
        loop {
            match read.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(got),
                Poll::Ready(n) => got += n.unwrap(),
            }
        }
    }))
}

#[test]
fn sockets_of_all_kinds_and_what_points_to_them_are_streams_for_futures() {
    fibra::run(|| {
        let unix = || fibra::net::UnixStream::pair().unwrap();
        let (a, b) = unix();
        assert_eq!(through(a, b, 1_000_000), 1_000_000);
        let (a, b) = unix();
        assert_eq!(through(&a, &b, 1_000_000), 1_000_000);
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let a = fibra::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let b: Box<dyn PollIo> = Box::new(listener.accept().unwrap().0);
        assert_eq!(through(Arc::new(a), b, 1_000_000), 1_000_000);
    });
}

/// Writes `data` by one call. Returns the number of bytes written, and the text that arrived.
fn write_vectored<A: PollIo, B: Read>(a: &A, b: &mut B, data: [&str; 3]) -> (usize, String) {
    let slices = data.map(|text| IoSlice::new(text.as_bytes()));
    let length = block_on(poll_fn(|cx| a.poll_write_vectored(cx, &slices))).unwrap();
    let mut got = vec![0; length];
    b.read_exact(&mut got).unwrap();
    (length, String::from_utf8(got).unwrap())
}

#[test]
fn sockets_write_several_buffers_at_once() {
    fibra::run(|| {
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let a = fibra::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut b = listener.accept().unwrap().0;
        assert!(a.writes_vectored());
        assert_eq!(write_vectored(&a, &mut b, ["one", "", "two"]), (6, "onetwo".into()));
        let (a, mut b) = fibra::net::UnixStream::pair().unwrap();
        let a = Arc::new(a);
        assert!(a.writes_vectored());
        assert_eq!(write_vectored(&a, &mut b, ["", "one", "two"]), (6, "onetwo".into()));
    });
}

#[test]
fn other_streams_write_the_first_buffer_that_holds_something() {
    fibra::run(|| {
        let (a, mut b) = pair();
        assert!(!a.writes_vectored());
        assert_eq!(write_vectored(&a, &mut b, ["", "one", "two"]), (3, "one".into()));
        assert_eq!(write_vectored(&a, &mut b, ["", "", ""]), (0, String::new()));
    });
}
