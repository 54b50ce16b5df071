//! Connections that leave HTTP: WebSockets, tunnels.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use hyper::rt::{Read as _, ReadBuf, Write as _};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, StatusCode};

use crate::future::try_block_on;
use crate::http::error::error_of;
use crate::io::PollIo;
use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::sched::lowlevel::locked;

/// Takes from a request what is needed to wait for its connection to leave HTTP.
///
/// The handler then returns a response with status 101 and the headers of the new protocol (or, to
/// the method `CONNECT`, one with a status of success). Another fiber [waits](Upgrade::wait) for
/// the stream.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read, Write};
/// use fibra::http::{BodyReader, hyper, upgrade};
/// use hyper::{Request, Response};
///
/// /// Leaves HTTP for a protocol that echoes.
/// fn handler(mut request: Request<BodyReader>) -> Response<String> {
///     let upgrade = upgrade(&mut request);
///     fibra::spawn(move || -> io::Result<u64> {
///         let stream = upgrade.wait().map_err(io::Error::other)?;
///         io::copy(&mut &stream, &mut &stream)
///     });
///     let response = Response::builder().status(101);
///     let response = response.header("connection", "upgrade").header("upgrade", "echo");
///     response.body(String::new()).unwrap()
/// }
/// ```
#[doc(alias = "WebSocket")]
pub fn upgrade<B>(request: &mut Request<B>) -> Upgrade {
    let declined = request.extensions_mut().remove::<Declined>().unwrap_or_default();
    Upgrade { leaves: hyper::upgrade::on(request), declined }
}

/// The right to the stream of a connection that leaves HTTP, made by [`upgrade()`].
#[derive(Debug)]
pub struct Upgrade {
    leaves: OnUpgrade,
    declined: Declined,
}

impl Upgrade {
    /// Waits until the connection has left HTTP, and returns its stream.
    ///
    /// # Errors
    ///
    /// Returns an error if the request or its response asks for no upgrade, or if the connection
    /// breaks.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn wait(self) -> hyper::Result<Upgraded> {
        let Upgrade { mut leaves, declined } = self;
        let leaves = poll_fn(|cx| {
            if declined.poll(cx).is_ready() {
                let text = "the response to this request does not upgrade the connection";
                return Poll::Ready(Err(error_of(io::Error::other(text))));
            }
            Pin::new(&mut leaves).poll(cx)
        });
        let upgraded = try_block_on(leaves).unwrap_or_else(|killed| Err(error_of(killed)))?;
        Ok(Upgraded(Mutex::new(upgraded)))
    }
}

/// Whether the response to a request declines the upgrade, once that is known. (hyper hands the
/// stream over at the end of the connection in that case.)
#[derive(Clone, Debug, Default)]
struct Declined(Arc<Mutex<(bool, Option<Waker>)>>);

impl Declined {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = locked(&self.0);
        if state.0 {
            return Poll::Ready(());
        }
        let replaced = state.1.replace(waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn set(&self) {
        let waker = {
            let mut state = locked(&self.0);
            state.0 = true;
            state.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The decision about the upgrade that a request asks for. Dropping it declines.
#[derive(Debug)]
pub(super) struct Decision {
    declined: Declined,
    is_connect: bool,
    upgrades: bool,
}

impl Decision {
    /// Returns the decision that `request` needs, if it asks for an upgrade.
    pub(super) fn about<B>(request: &mut Request<B>) -> Option<Decision> {
        request.extensions().get::<OnUpgrade>()?;
        let (declined, is_connect) = (Declined::default(), request.method() == Method::CONNECT);
        request.extensions_mut().insert(declined.clone());
        Some(Decision { declined, is_connect, upgrades: false })
    }

    /// Decides by the status of the response.
    pub(super) fn by(mut self, status: StatusCode) {
        let accepts = self.is_connect && status.is_success();
        self.upgrades = accepts || status == StatusCode::SWITCHING_PROTOCOLS;
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        if !self.upgrades {
            self.declined.set();
        }
    }
}

/// The stream of a connection that has left HTTP.
///
/// A reference to it can be read and written, too, so that one fiber may read while another writes.
/// It belongs to the fiber that serves the connection: that fiber waits until the stream is
/// dropped, and if it is killed (for example by
/// [`Running::shutdown`](crate::server::Running::shutdown)), reads and writes fail. The time limits
/// of [`Http`](crate::http::Http) do not apply to it.
pub struct Upgraded(Mutex<hyper::upgrade::Upgraded>);

impl PollIo for Upgraded {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut *locked(&self.0)).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *locked(&self.0)).poll_write(cx, data)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *locked(&self.0)).poll_write_vectored(cx, data)
    }

    fn writes_vectored(&self) -> bool {
        locked(&self.0).is_write_vectored()
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *locked(&self.0)).poll_flush(cx)
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *locked(&self.0)).poll_shutdown(cx)
    }
}

impl Upgraded {
    /// Signals the end of the stream to the other side. Reads continue to work.
    ///
    /// # Errors
    ///
    /// Returns the errors of writing to the stream.
    #[track_caller]
    pub fn shutdown(&self) -> io::Result<()> {
        wait(|cx| self.poll_shutdown(cx))
    }
}

#[track_caller]
fn wait<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    try_block_on(poll_fn(poll))?
}

read_by_reference!(Upgraded);
write_by_reference!(Upgraded);

impl Read for &Upgraded {
    read_exactly!();

    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        wait(|cx| self.poll_read(cx, buffer))
    }
}

impl Write for &Upgraded {
    write_entirely!();

    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        wait(|cx| self.poll_write(cx, data))
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        wait(|cx| self.poll_flush(cx))
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}
