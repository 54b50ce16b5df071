//! The state that the parts of one connection share: its stream, its requests, and the code that
//! watches its time.
//!
//! Invariants:
//! - Once [`Life::close`] was called, no operation of the stream waits or succeeds any more.
//! - A request counts from the end of its head until hyper has taken its whole response, or dropped
//!   it, and its handler has dropped its body.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::http::server::watch::Phase;
use crate::sched::lowlevel::locked;

/// The state of one connection that its parts share.
///
/// The numbers of requests and of writes are changed by one thread at a time: by that of the
/// connection, and after an upgrade by those that lock the stream. The last owner of a request may
/// be on any thread.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// The number of requests so far.
    requests: AtomicU32,
    /// The number of requests that are being served.
    in_flight: AtomicU32,
    /// The number of handlers of HTTP/2 that have not ended. Handlers that were killed may be
    /// unwinding.
    handlers: AtomicU32,
    /// Whether bytes have arrived since the last request.
    received: AtomicBool,
    /// Whether it is certain that the connection uses HTTP/2. There the arrival of bytes means
    /// little: they may be pings.
    http2: AtomicBool,
    /// Whether the stream took nothing when it was asked last.
    blocked: AtomicBool,
    /// The number of writes that the stream has taken.
    sent: AtomicU32,
    /// Whether the stream may leave the connection, because a request asks for an upgrade.
    may_leave: AtomicBool,
    closed: AtomicBool,
    /// Whether the client is told, when the stream is dropped, that its head came too slowly.
    is_late: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Debug, Default)]
struct Wakers {
    /// The tasks that wait for the stream after an upgrade: to read, and to write.
    stream: [Option<Waker>; 2],
    /// The connection's, which waits until the stream is dropped.
    connection: Option<Waker>,
    gone: bool,
}

/// A direction of the stream.
#[derive(Copy, Clone, Debug)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Life {
    /// Returns what the connection waits for.
    pub(super) fn phase(&self) -> Phase {
        let requests = self.requests.load(Ordering::Relaxed);
        if self.blocked.load(Ordering::Relaxed) {
            Phase::Sends(self.sent.load(Ordering::Relaxed))
        } else if self.in_flight.load(Ordering::Relaxed) != 0 {
            Phase::Works
        } else if requests == 0 || self.has_a_part_of_a_head() {
            Phase::Head(requests)
        } else {
            Phase::Idle(requests)
        }
    }

    /// Returns whether there was no request so far.
    pub(super) fn is_new(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }

    /// Returns whether a part of the head of a request has arrived, as far as is known.
    pub(super) fn has_a_part_of_a_head(&self) -> bool {
        self.received.load(Ordering::Relaxed) && !self.http2.load(Ordering::Relaxed)
    }

    #[cfg(feature = "http2")]
    pub(super) fn note_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
    }

    /// Makes the stream send status 408 when it is dropped.
    pub(super) fn note_late(&self) {
        self.is_late.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Relaxed)
    }

    pub(super) fn note_received(&self) {
        self.received.store(true, Ordering::Relaxed);
    }

    /// Notes the result of an attempt to write or flush.
    pub(super) fn note_write<T>(&self, polled: &Poll<T>) {
        self.blocked.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            add_alone(&self.sent);
        }
    }

    pub(super) fn note_upgrade(&self) {
        self.may_leave.store(true, Ordering::SeqCst);
    }

    /// Registers the task of `cx` with a stream that may have left its connection. Returns whether
    /// the connection was closed.
    pub(super) fn is_closed(&self, cx: &Context<'_>, direction: Direction) -> bool {
        if !self.may_leave.load(Ordering::Relaxed) {
            return false;
        }
        let waker = cx.waker().clone();
        let replaced = locked(&self.wakers).stream[direction as usize].replace(waker);
        drop(replaced);
        self.closed.load(Ordering::SeqCst)
    }

    /// Makes all further operations of the stream fail, and wakes those that wait.
    pub(super) fn close(&self) {
        if !self.may_leave.load(Ordering::SeqCst) {
            return;
        }
        self.closed.store(true, Ordering::SeqCst);
        let wakers = mem::take(&mut locked(&self.wakers).stream);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Notes that the stream was dropped.
    pub(super) fn note_gone(&self) {
        let waker = {
            let mut wakers = locked(&self.wakers);
            wakers.gone = true;
            wakers.connection.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Is ready when the stream was dropped.
    pub(super) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut wakers = locked(&self.wakers);
        if wakers.gone {
            return Poll::Ready(());
        }
        let replaced = wakers.connection.replace(waker);
        drop(wakers);
        drop(replaced);
        Poll::Pending
    }

    pub(super) fn handlers(&self) -> u32 {
        self.handlers.load(Ordering::Relaxed)
    }
}

/// Adds one to a count that one thread changes at a time, which is faster than `fetch_add`.
fn add_alone(count: &AtomicU32) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The entry of a request in the count of those that are being served.
#[derive(Debug)]
pub(super) struct Flight(Arc<Life>);

impl Flight {
    pub(super) fn begin(life: &Arc<Life>) -> Flight {
        add_alone(&life.requests);
        Flight::of(life)
    }

    /// Returns another entry for a request that has one already.
    pub(super) fn of(life: &Arc<Life>) -> Flight {
        life.in_flight.fetch_add(1, Ordering::Relaxed);
        Flight(life.clone())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.received.store(false, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The entry of a handler in the count of those that have not ended.
#[derive(Debug)]
pub(super) struct Handling(Arc<Life>);

impl Handling {
    pub(super) fn begin(life: &Arc<Life>) -> Handling {
        life.handlers.fetch_add(1, Ordering::Relaxed);
        Handling(life.clone())
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.handlers.fetch_sub(1, Ordering::Relaxed);
    }
}
