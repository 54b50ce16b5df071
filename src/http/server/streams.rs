//! The streams of one HTTP/2 connection, which run in the task of the connection.
//!
//! hyper hands each stream to an executor. A fiber for each would be a second one beside that of
//! its handler. So the connection keeps them, and polls those that were woken.
//!
//! Invariants:
//! - Streams are dropped with their connection, and their handlers are killed then.
//! - A stream holds the inbox and not the list: dropping the list breaks all circles.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::Executor;

use crate::future::woken::{ChildWaker, Woken};

/// The executor that hyper's HTTP/2 connections get. Programs meet its name in
/// [`Http::with_http2`](crate::http::Http::with_http2), and cannot make one.
#[derive(Clone)]
pub struct StreamExecutor(Rc<Inbox>);

/// The streams that have not been polled.
type Inbox = RefCell<Vec<Stream>>;

type Stream = Pin<Box<dyn Future<Output = ()>>>;

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, stream: F) {
        self.0.borrow_mut().push(Box::pin(stream));
    }
}

/// The streams of one connection.
pub(super) struct Streams {
    inbox: Rc<Inbox>,
    streams: Vec<Option<(Stream, ChildWaker)>>,
    /// The empty places in `streams`.
    free: Vec<usize>,
    woken: Woken,
}

impl Streams {
    pub(super) fn new() -> Streams {
        let (inbox, woken) = (Rc::default(), Woken::default());
        Streams { inbox, streams: Vec::new(), free: Vec::new(), woken }
    }

    pub(super) fn executor(&self) -> StreamExecutor {
        StreamExecutor(self.inbox.clone())
    }

    /// Polls the streams that are new or were woken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.empty_inbox();
        for index in self.woken.take(cx.waker()) {
            let Some(Some((stream, waker))) = self.streams.get_mut(index) else { continue };
            let polled = stream.as_mut().poll(&mut Context::from_waker(waker.begin_poll()));
            if polled == Poll::Ready(()) {
                let ended = self.streams[index].take();
                self.free.push(index);
                drop(ended);
            }
        }
    }

    fn empty_inbox(&mut self) {
        let new = self.inbox.take();
        for stream in new {
            let index = self.free.pop().unwrap_or(self.streams.len());
            let entry = Some((stream, self.woken.waker(index)));
            match self.streams.get_mut(index) {
                Some(place) => *place = entry,
                None => self.streams.push(entry),
            }
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        let unpolled = self.inbox.take();
        drop(unpolled);
    }
}

impl fmt::Debug for StreamExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamExecutor").finish_non_exhaustive()
    }
}
