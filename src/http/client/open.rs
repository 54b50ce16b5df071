//! HTTP on a new stream to a server.

use std::rc::Rc;

use hyper::client::conn::http1;

use crate::future::block_on;
use crate::http::client::connect::Connected;
use crate::http::client::error::{Error, Kind};
use crate::http::client::lease::Link;
use crate::http::client::line::{self, Line};
use crate::http::client::pool::{Member, Pool};
use crate::http::client::request_body::RequestBody;
use crate::http::io::Io;
use crate::sched::api::handle::Fiber;

/// A connection of HTTP/1, for one request at a time.
///
/// If it is dropped while it is idle, its fiber ends it in an orderly way.
pub(super) struct Wire {
    pub(super) sender: http1::SendRequest<RequestBody>,
    pub(super) line: Rc<Line>,
    pub(super) fiber: Fiber,
}

impl Wire {
    /// Returns whether an idle connection has ended, or is about to.
    pub(super) fn is_lost(&self) -> bool {
        !self.sender.is_ready() || self.line.has_input()
    }
}

/// Starts HTTP on the stream of `connected`, for a pool and the use of its server.
#[track_caller]
pub(super) fn open(connected: Connected, pool: &Rc<Pool>, member: &Member) -> Result<Link, Error> {
    let line = Rc::new(Line::new(connected.stream, connected.peer));
    #[cfg(feature = "http2")]
    {
        member.server.protocol.learn(connected.http2);
        if connected.http2 {
            let shared = crate::http::client::multiplexed::open(line, pool, member)?;
            return Ok(Link::Shared(shared));
        }
    }
    let (sender, connection) =
        block_on(http1::handshake(Io::new(line.clone()))).map_err(refused)?;
    let server = member.downgrade();
    let at_end = move |ended: Rc<Line>| {
        if let Some(member) = Member::upgrade(&server) {
            member.server.remove(&ended);
        }
    };
    let fiber = line::start(line.clone(), pool.settings.idle_timeout, connection, at_end);
    Ok(Link::Own(Wire { sender, line, fiber }))
}

pub(super) fn refused(error: hyper::Error) -> Error {
    Error::new(Kind::Connect, None).because(error)
}
