//! The use of a connection by one request, until its response has been read.
//!
//! Invariants:
//! - A connection of HTTP/1 goes back to the pool only after its response has been read to the end.
//!   A lease that is dropped earlier kills the fiber of the connection, which closes it.
//! - Dropping a response of HTTP/2 resets its stream, and leaves the connection open.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::{Request, Response};

use crate::future::block_on::wait_within;
use crate::http::client::error::{Error, Kind};
use crate::http::client::limits::Limits;
use crate::http::client::line::Line;
#[cfg(feature = "http2")]
use crate::http::client::multiplexed::{self, Multiplexed};
use crate::http::client::open::Wire;
use crate::http::client::pool::{Member, Permit};
use crate::http::client::request_body::RequestBody;
use crate::sched::lowlevel::{Interrupt, Limit, OnDeadlock, WaitReason, interrupted};

static WAITING: WaitReason =
    WaitReason::new("waiting for the response of a server", OnDeadlock::Fail)
        .ended_externally()
        .ended_by_wakers();

/// A connection, as a request uses it.
pub(super) enum Link {
    Own(Wire),
    #[cfg(feature = "http2")]
    Shared(Rc<Multiplexed>),
}

/// The use of a connection by one request.
pub(super) struct Lease {
    /// `None` once it has been given back.
    link: Option<Link>,
    /// Whether another request has used the connection before.
    pub(super) reused: bool,
    // In this order: the permit is given back after the connection, and before the server may be
    // forgotten.
    permit: Option<Permit>,
    member: Member,
}

/// The reason why there is no response.
pub(super) enum Failure {
    /// The connection broke. If the request is here, no part of it was sent.
    Lost(hyper::Error, Option<Box<Request<RequestBody>>>),
    Other(Error),
}

type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

impl Lease {
    pub(super) fn new(link: Link, reused: bool, permit: Option<Permit>, member: Member) -> Lease {
        #[cfg(feature = "http2")]
        if let Link::Shared(shared) = &link {
            shared.enter();
        }
        Lease { link: Some(link), reused, permit, member }
    }

    /// Returns whether requests need a full URL and no `host` header.
    pub(super) fn is_http2(&self) -> bool {
        !matches!(self.link, Some(Link::Own(_)))
    }

    /// Returns the address of the server, or of the proxy.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.line().and_then(|line| line.peer)
    }

    fn line(&self) -> Option<&Rc<Line>> {
        Some(match self.link.as_ref()? {
            Link::Own(wire) => &wire.line,
            #[cfg(feature = "http2")]
            Link::Shared(shared) => &shared.line,
        })
    }

    /// Sends `request`, and waits for the head of its response.
    #[track_caller]
    pub(super) fn exchange(
        &mut self,
        request: Request<RequestBody>,
        limits: &Limits,
    ) -> Result<Response<Incoming>, Failure> {
        let line = self.line().cloned();
        let sent = match &mut self.link {
            Some(Link::Own(wire)) => {
                wait(pin!(wire.sender.try_send_request(request)), limits, line.as_deref())
            }
            #[cfg(feature = "http2")]
            Some(Link::Shared(shared)) => {
                let mut sender = shared.sender();
                // Other requests move data on the same line.
                wait(pin!(sender.try_send_request(request)), limits, None)
            }
            None => unreachable!("it is given back after its response"),
        };
        match sent? {
            Ok(response) => Ok(response),
            Err(mut error) => {
                let unsent = error.take_message().map(Box::new);
                Err(Failure::Lost(error.into_error(), unsent))
            }
        }
    }

    /// Gives the connection back, after the response has been read to its end.
    pub(super) fn finish(mut self) {
        match self.link.take() {
            Some(Link::Own(wire)) if wire.sender.is_ready() => {
                drop(self.member.server.keep(wire, self.member.most_idle()));
            }
            // It closes, or the request is still being sent; or others share it.
            other => self.link = other,
        }
    }

    /// Makes sure that no later request uses the connection, which has failed.
    pub(super) fn discard(self) {
        #[cfg(feature = "http2")]
        if let Some(Link::Shared(shared)) = &self.link {
            multiplexed::remove(&self.member.server, &shared.line);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.link.take() {
            Some(Link::Own(wire)) => wire.line.close(&wire.fiber, self.permit.take()),
            #[cfg(feature = "http2")]
            Some(Link::Shared(shared)) => shared.leave(),
            None => {}
        }
    }
}

/// Waits for the head of a response. The limit between parts of data begins again whenever data
/// has moved on `line`.
#[track_caller]
fn wait<F: Future<Output = Sent>>(
    mut sent: Pin<&mut F>,
    limits: &Limits,
    line: Option<&Line>,
) -> Result<Sent, Failure> {
    loop {
        let moved = line.map(Line::moved);
        let until = limits.of_read();
        let limit = until.map_or(Limit::None, |(at, _)| Limit::At(at));
        match (wait_within(sent.as_mut(), limit, &WAITING), until) {
            (Ok(sent), _) => return Ok(sent),
            (Err(Interrupt::TimedOut), Some((_, limit))) => {
                if limit.is_read() && moved != line.map(Line::moved) {
                    continue;
                }
                return Err(Failure::Other(Error::new(Kind::Timeout(limit), None)));
            }
            (Err(interrupt), _) => {
                let error = Error::new(Kind::Request, None);
                return Err(Failure::Other(error.because(interrupted(interrupt, &WAITING))));
            }
        }
    }
}
