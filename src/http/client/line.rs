//! The fiber of one connection of the pool, and what the fiber and the pool share.
//!
//! Invariants:
//! - The fiber ends when the connection does: the server closed it, it was idle for too long, or
//!   the pool dropped or killed it. When the fiber ends, for whatever reason, it removes the
//!   connection from the pool.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

use crate::future::{Sleep, sleep_until, try_block_on};
use crate::http::client::pool::Permit;
use crate::io::PollIo;
use crate::io::uninit_buf::{Filled, UninitBuf};
use crate::sched::api::handle::Fiber;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::{clock_now, on_warm_stack};

/// A stream to a server: TCP, or TLS over it.
pub(super) trait Stream: PollIo + AsFd {}

impl<S: PollIo + AsFd> Stream for S {}

/// The state that the fiber of a connection and its users share.
pub(super) struct Line {
    stream: Box<dyn Stream>,
    /// The number of reads and writes that moved data.
    moved: Cell<u64>,
    pub(super) peer: Option<SocketAddr>,
    /// The time since which no request uses the connection.
    pub(super) idle_since: Cell<Option<Instant>>,
    /// The permit of a connection that is being closed, given back once it is.
    permit: Cell<Option<Permit>>,
}

impl Line {
    pub(super) fn new(stream: Box<dyn Stream>, peer: Option<SocketAddr>) -> Line {
        let (idle_since, permit) = (Cell::new(None), Cell::new(None));
        Line { stream, moved: Cell::new(0), peer, idle_since, permit }
    }

    /// Closes the connection, whose fiber is `fiber`. `permit` is given back when it is closed.
    pub(super) fn close(&self, fiber: &Fiber, permit: Option<Permit>) {
        if !fiber.is_finished() {
            self.permit.set(permit);
        }
        fiber.kill();
    }

    /// Returns how often data has moved in either direction: two calls tell whether any has.
    pub(super) fn moved(&self) -> u64 {
        self.moved.get()
    }

    /// Returns whether an idle connection has anything to read. That is its end, or a mistake: the
    /// server has nothing to send before it is asked.
    pub(super) fn has_input(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(self.stream.as_fd(), &mut [0_u8][..], flags);
        !matches!(peeked, Err(rustix::io::Errno::AGAIN))
    }

    fn count<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Ok(_)) = polled {
            self.moved.set(self.moved.get() + 1);
        }
        polled
    }
}

impl PollIo for Line {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.count(self.stream.poll_read(cx, buffer))
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.count(self.stream.poll_write(cx, data))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.count(self.stream.poll_write_vectored(cx, data))
    }

    fn writes_vectored(&self) -> bool {
        self.stream.writes_vectored()
    }

    fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        memory: UninitBuf<'_>,
    ) -> Poll<io::Result<Filled>> {
        self.count(self.stream.poll_read_uninit(cx, memory))
    }
}

/// Starts the fiber that runs `connection` until it ends, or is idle for longer than `most_idle`.
/// The fiber calls `at_end` last, even if it is killed, and even if it never ran before that.
#[track_caller]
pub(super) fn start<C, E>(
    line: Rc<Line>,
    most_idle: Option<Duration>,
    connection: C,
    at_end: E,
) -> Fiber
where
    C: Future + 'static,
    E: FnOnce(Rc<Line>) + 'static,
{
    let at_end = AtEnd { line: line.clone(), call: Some(at_end) };
    let idle = IdleTimer { line, most_idle, timer: None };
    let running = Running { connection, idle, at_end };
    let fiber = Builder::new().name("http client connection").spawn(|| running.run());
    fiber.fiber().clone()
}

/// What the fiber of a connection owns, in the order in which it is dropped if the fiber never
/// runs.
struct Running<C, E: FnOnce(Rc<Line>)> {
    connection: C,
    idle: IdleTimer,
    at_end: AtEnd<E>,
}

impl<C: Future, E: FnOnce(Rc<Line>)> Running<C, E> {
    #[track_caller]
    fn run(self) {
        // The last one of them is dropped first.
        let Running { at_end: _at_end, mut idle, connection } = self;
        let mut connection = pin!(connection);
        // Requests get the error that ends the connection; without any, no one wants to know.
        drop(try_block_on(poll_fn(|cx| {
            if idle.has_passed(cx) {
                return Poll::Ready(());
            }
            on_warm_stack(|| connection.as_mut().poll(cx)).map(drop)
        })));
    }
}

/// Calls a closure at the end of the fiber of a connection. By then the connection is closed: this
/// is dropped last.
struct AtEnd<E: FnOnce(Rc<Line>)> {
    line: Rc<Line>,
    call: Option<E>,
}

impl<E: FnOnce(Rc<Line>)> Drop for AtEnd<E> {
    fn drop(&mut self) {
        drop(self.line.permit.take());
        if let Some(call) = self.call.take() {
            call(self.line.clone());
        }
    }
}

/// The time limit of an idle connection. Its timer is not moved at each request: when it fires too
/// early, it is set again.
struct IdleTimer {
    line: Rc<Line>,
    most_idle: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    fn has_passed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(most_idle) = self.most_idle else { return false };
        loop {
            if let Some(timer) = &mut self.timer {
                if timer.as_mut().poll(cx).is_pending() {
                    return false;
                }
                self.timer = None;
                let ends = self.line.idle_since.get().and_then(|at| at.checked_add(most_idle));
                if ends.is_some_and(|at| at <= clock_now()) {
                    return true;
                }
            }
            let since = self.line.idle_since.get().unwrap_or_else(clock_now);
            let Some(at) = since.checked_add(most_idle) else { return false };
            self.timer = Some(Box::pin(sleep_until(at)));
        }
    }
}
