//! Interrupted waits of reads, futures, bodies and names: nothing is lost, and nothing hangs.

#![allow(clippy::disallowed_methods, reason = "other threads sleep, and one that is to be late")]

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use fibra::future::block_on;
use fibra::io::{PollIo, Waitable};

use crate::support::{OnDrop, go, ms, run_virtually};

/// Far longer than any of these tests takes.
const HANGS: Duration = Duration::from_secs(20);

/// Runs `f` like `fibra::run`, but on its own thread: if it hangs, the test fails.
#[track_caller]
fn run_soon(f: impl FnOnce() + Send + 'static) {
    let (ended, has_ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        fibra::run(f);
        ended.send(()).unwrap();
    });
    assert!(has_ended.recv_timeout(HANGS) != Err(mpsc::RecvTimeoutError::Timeout), "it hangs");
    thread.join().unwrap();
}

/// A waker that only forwards to another one, like those of combinators.
struct Relay(Waker);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// Runs `future`, polled with wakers that are not fibra's.
async fn relayed<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Relay(cx.waker().clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

#[test]
fn while_run_ends_wakers_of_others_are_called_by_timers() {
    run_soon(|| {
        go(|| {
            let _late = OnDrop(|| block_on(relayed(fibra::future::sleep(ms(2)))));
            fibra::park();
        });
        fibra::yield_now();
    });
}

#[test]
fn while_run_ends_wakers_of_others_are_called_by_descriptors() {
    run_soon(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let a = Waitable::new(a).unwrap();
        go(move || {
            let mut byte = [0];
            let _late = OnDrop(|| {
                let mut b = b.try_clone().unwrap();
                let writer = std::thread::spawn(move || {
                    std::thread::sleep(ms(2));
                    b.write_all(b"!").unwrap();
                });
                let read = block_on(relayed(poll_fn(|cx| a.poll_read(cx, &mut byte))));
                assert_eq!(read.unwrap(), 1);
                writer.join().unwrap();
            });
            fibra::park();
        });
        fibra::yield_now();
    });
}

#[test]
fn a_timer_that_comes_when_main_has_ended_leaves_nothing_behind() {
    let mut nap = pin!(fibra::future::sleep(ms(1)));
    let left = fibra::run(|| {
        let relay = Arc::new(Relay(Waker::noop().clone()));
        let left = Arc::downgrade(&relay);
        let waker = Waker::from(relay);
        assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        std::thread::sleep(ms(5));
        left
    });
    assert!(left.upgrade().is_none(), "it was left with a fiber that never ran");
}

/// A stream that belongs to other code.
struct Lent<'a>(&'a UnixStream);

impl AsFd for Lent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for &Lent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self.0;
        stream.read(buffer)
    }
}

impl Write for &Lent<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut stream = self.0;
        stream.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// When it is dropped, closes a stream that is registered with the reactor.
struct Closes(Waitable<UnixStream>);

impl Wake for Closes {
    fn wake(self: Arc<Self>) {
        let _ = self.0.get_ref();
    }
}

/// If a stream was forgotten, its descriptor may be closed and the number reused.
#[test]
fn wakers_of_forgotten_streams_are_dropped_where_they_may_do_anything() {
    fn wait<S: PollIo>(stream: &S, waker: &Waker) {
        let mut cx = Context::from_waker(waker);
        assert!(stream.poll_read(&mut cx, &mut [0]).is_pending());
    }
    fn forget(stream: &UnixStream, waker: &Waker) {
        let waitable = Waitable::new(Lent(stream)).unwrap();
        wait(&waitable, waker);
        std::mem::forget(waitable);
    }
    run_soon(|| {
        // Several rounds, because other tests also open and close descriptors.
        for _ in 0..10 {
            let (first, _a) = UnixStream::pair().unwrap();
            let (second, _c) = UnixStream::pair().unwrap();
            let (other, _d) = UnixStream::pair().unwrap();
            let (known, _b) = UnixStream::pair().unwrap();
            let known = Waitable::new(known).unwrap();
            wait(&known, Waker::noop());
            forget(&first, Waker::noop());
            forget(&second, &Arc::new(Closes(known)).into());
            drop(first);
            // It has the number of the first, and its duplicate has the number of the second.
            let again = Waitable::new(other.try_clone().unwrap()).unwrap();
            drop(second);
            wait(&again, Waker::noop());
        }
    });
}

/// Where events are requested one by one, the event for a future that was dropped also serves a
/// writer.
#[test]
fn a_future_that_is_gone_takes_no_event_from_a_writer() {
    const LENGTH: usize = 2_000_000;
    run_soon(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, mut b) = (Rc::new(Waitable::new(a).unwrap()), Waitable::new(b).unwrap());
        let writer = a.clone();
        let writer = fibra::spawn(move || (&*writer).write_all(&vec![7; LENGTH]).unwrap());
        fibra::yield_now();
        // A reader waits for data, and leaves.
        let reader = a.clone();
        let reader = fibra::spawn(move || {
            let mut byte = [0];
            block_on(poll_fn(|cx| reader.poll_read(cx, &mut byte))).unwrap();
        });
        fibra::yield_now();
        reader.kill();
        reader.join().unwrap_err();
        b.write_all(b"!").unwrap();
        fibra::sleep(ms(5));
        // The event for the reader has arrived. Next comes the event for the writer.
        let mut data = vec![0; LENGTH];
        b.read_exact(&mut data).unwrap();
        writer.join().unwrap();
    });
}

/// A wait for an answer from another thread is an external wait.
#[test]
fn a_name_is_looked_up_in_real_time() {
    let resolver = fibra::net::Resolver::new(|_| {
        std::thread::sleep(ms(5));
        Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
    });
    run_virtually(|| {
        let found = fibra::time::timeout(HANGS, || resolver.lookup_host("slow.test:80"));
        assert_eq!(found.expect("the clock has jumped").unwrap().len(), 1);
    });
}

#[cfg(feature = "http")]
mod bodies {
    use fibra::http::{BodyReader, body};

    use super::*;

    const CHUNK: usize = 16 << 10;

    /// A body without a part in its middle would be taken for the whole body.
    #[test]
    fn what_a_body_has_accepted_is_not_lost_to_a_time_limit() {
        fibra::run(|| {
            let (mut writer, body) = body();
            writer.write_all(&[1; CHUNK]).unwrap();
            // The chunk is accepted, and waits for room.
            let cut_short = fibra::time::timeout(ms(2), || writer.write_all(&[2; CHUNK]));
            cut_short.unwrap_err();
            let cut_short = fibra::time::timeout(ms(2), || writer.write_all(&[9; 5]));
            cut_short.unwrap_err();
            go(move || writer.write_all(&[3; 10]).unwrap());
            let mut data = Vec::new();
            BodyReader::new(body).read_to_end(&mut data).unwrap();
            let whole = [vec![1; CHUNK], vec![2; CHUNK], vec![3; 10]].concat();
            assert!(data == whole, "{} bytes of {}", data.len(), whole.len());
        });
    }
}
