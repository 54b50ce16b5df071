//! Streams that are polled, and descriptors that are invalid.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fibra::io::{PollIo, Waitable};
use fibra::spawn;

use crate::support::net::kind_of;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static WOKEN: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Counted {
    fn waker() -> Waker {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Arc::new(Counted).into()
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        WOKEN.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

fn poll(stream: &impl PollIo) {
    let waker = Counted::waker();
    let polled = stream.poll_read(&mut Context::from_waker(&waker), &mut [0]);
    assert!(matches!(polled, Poll::Pending));
}

#[test]
fn a_polled_stream_keeps_the_last_waker_of_each_fiber_that_lives() {
    fibra::run(|| {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = std::rc::Rc::new(Waitable::new(Reads(reader)).unwrap());
        for _ in 0..60_000 {
            poll(&*reader);
        }
        assert_eq!(LIVE.load(Ordering::Relaxed), 1);
        for _ in 0..1_000 {
            let reader = reader.clone();
            spawn(move || poll(&*reader)).join().unwrap();
        }
        let live = LIVE.load(Ordering::Relaxed);
        assert!(live < 50, "{live} wakers of fibers that have ended");
        writer.write_all(b"!").unwrap();
        while LIVE.load(Ordering::Relaxed) != 0 {
            fibra::sleep(crate::support::ms(1));
        }
        assert_eq!(WOKEN.load(Ordering::Relaxed), live);
    });
}

/// The read side of a pipe, as a stream of both directions.
struct Reads(io::PipeReader);

impl std::os::fd::AsFd for Reads {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl io::Read for &Reads {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

impl io::Write for &Reads {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_no_descriptor_cannot_be_waited_for() {
    let bad = rustix::io::Errno::BADF.raw_os_error();
    let wait = || fibra::io::wait_readable(rustix::fs::CWD).unwrap_err().raw_os_error();
    assert_eq!(fibra::run(wait), Some(bad));
    assert_eq!(wait(), Some(bad));
    let waitable = fibra::run(|| Waitable::new(rustix::fs::CWD).map(drop));
    assert_ne!(kind_of(waitable), io::ErrorKind::WouldBlock);
}
