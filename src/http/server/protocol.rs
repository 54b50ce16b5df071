//! One connection of either version of HTTP, as one thing to poll.
//!
//! Invariant: the connection of hyper is dropped before its streams, so that these end as those of
//! a connection that is lost.

use std::error::Error;
#[cfg(feature = "http2")]
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::HttpService;

#[cfg(feature = "http2")]
use crate::http::error::error_of;
#[cfg(feature = "http2")]
use crate::http::rt::FiberTimer;
use crate::http::server::life::Life;
use crate::http::server::settings::Settings;
#[cfg(feature = "http2")]
use crate::http::server::settings::Versions;
#[cfg(feature = "http2")]
use crate::http::server::streams::{StreamExecutor, Streams};
use crate::http::server::transport::Transport;
use crate::io::PollIo;

/// The bytes of one stream that wait to be sent: four frames. hyper's default of 400 KiB would let
/// a client that takes nothing bind 40 MiB with its 100 streams.
#[cfg(feature = "http2")]
const SEND_BUFFER: usize = 64 << 10;

/// A connection, whose version may be unknown so far.
pub(super) struct Protocol<'a, S: PollIo + Unpin, V: HttpService<Incoming>> {
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "to start HTTP/2"))]
    http: &'a Settings,
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "to note HTTP/2"))]
    life: &'a Arc<Life>,
    state: State<S, V>,
}

#[allow(clippy::large_enum_variant, reason = "it is on a stack, where most are HTTP/1 in the end")]
enum State<S: PollIo + Unpin, V: HttpService<Incoming>> {
    #[cfg(feature = "http2")]
    Unknown(Transport<S>, V),
    Http1(http1::UpgradeableConnection<Transport<S>, V>),
    #[cfg(feature = "http2")]
    Http2(Box<http2::Connection<Transport<S>, V, StreamExecutor>>, Streams),
    #[cfg(feature = "http2")]
    Ended,
}

impl<'a, S, V> Protocol<'a, S, V>
where
    S: PollIo + Unpin + Send + 'static,
    V: HttpService<Incoming>,
    V::Future: 'static,
    V::ResBody: 'static,
    <V::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(super) fn new(
        http: &'a Settings,
        life: &'a Arc<Life>,
        stream: S,
        service: V,
    ) -> Protocol<'a, S, V> {
        #[cfg(feature = "http2")]
        let agreed = stream.alpn_protocol();
        let transport = Transport::new(stream, life.clone());
        #[cfg(feature = "http2")]
        {
            let state = match (http.versions, agreed.as_deref()) {
                (Versions::Http2, _) | (Versions::Both, Some(b"h2")) => {
                    start_http2(http, life, transport, service)
                }
                (Versions::Http1, _) | (Versions::Both, Some(b"http/1.1")) => {
                    start_http1(http, transport, service)
                }
                (Versions::Both, _) => State::Unknown(transport, service),
            };
            Protocol { http, life, state }
        }
        #[cfg(not(feature = "http2"))]
        Protocol { http, life, state: start_http1(http, transport, service) }
    }

    /// Polls the connection, and its streams.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        #[cfg(feature = "http2")]
        if matches!(self.state, State::Unknown(..)) && self.poll_version(cx)?.is_pending() {
            return Poll::Pending;
        }
        match &mut self.state {
            State::Http1(connection) => Pin::new(connection).poll(cx),
            #[cfg(feature = "http2")]
            State::Http2(connection, streams) => {
                let polled = Pin::new(connection).poll(cx);
                if polled.is_pending() {
                    streams.poll(cx);
                }
                polled
            }
            #[cfg(feature = "http2")]
            State::Unknown(..) | State::Ended => Poll::Ready(Ok(())),
        }
    }

    /// Returns whether it is certain that the client uses HTTP/1.
    pub(super) fn is_http1(&self) -> bool {
        matches!(self.state, State::Http1(_))
    }

    /// Asks the connection to end: see [`Graceful::shutdown`](crate::http::Graceful::shutdown).
    pub(super) fn graceful_shutdown(&mut self) {
        match &mut self.state {
            State::Http1(connection) => Pin::new(connection).graceful_shutdown(),
            #[cfg(feature = "http2")]
            State::Http2(connection, _) => Pin::new(&mut **connection).graceful_shutdown(),
            #[cfg(feature = "http2")]
            State::Unknown(..) | State::Ended => self.state = State::Ended,
        }
    }

    /// Starts the version of HTTP whose first bytes arrive.
    #[cfg(feature = "http2")]
    fn poll_version(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        let State::Unknown(transport, _) = &mut self.state else { return Poll::Ready(Ok(())) };
        let is_http2 = match transport.poll_is_http2(cx) {
            Poll::Ready(Ok(is_http2)) => is_http2,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error_of(error))),
            Poll::Pending => return Poll::Pending,
        };
        if let State::Unknown(transport, service) = mem::replace(&mut self.state, State::Ended) {
            self.state = if is_http2 {
                start_http2(self.http, self.life, transport, service)
            } else {
                start_http1(self.http, transport, service)
            };
        }
        Poll::Ready(Ok(()))
    }
}

fn start_http1<S, V>(http: &Settings, transport: Transport<S>, service: V) -> State<S, V>
where
    S: PollIo + Unpin + Send + 'static,
    V: HttpService<Incoming>,
    V::ResBody: 'static,
    <V::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    State::Http1(http.http1.serve_connection(transport, service).with_upgrades())
}

#[cfg(feature = "http2")]
fn start_http2<S, V>(
    http: &Settings,
    life: &Life,
    transport: Transport<S>,
    service: V,
) -> State<S, V>
where
    S: PollIo + Unpin + Send + 'static,
    V: HttpService<Incoming>,
    V::Future: 'static,
    V::ResBody: 'static,
    <V::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    life.note_http2();
    let streams = Streams::new();
    let mut builder = http2::Builder::new(streams.executor());
    builder
        .timer(FiberTimer)
        .max_concurrent_streams(http.limits.streams)
        .max_header_list_size(u32::try_from(http.limits.head_size).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER);
    http.http2.iter().for_each(|change| change(&mut builder));
    State::Http2(Box::new(builder.serve_connection(transport, service)), streams)
}
