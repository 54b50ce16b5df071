//! The settings of a client for HTTP/2.

use std::time::Duration;

use crate::http::client::builder::{ClientBuilder, Http2};

impl ClientBuilder {
    /// Uses HTTP/2 for all servers, also for those without TLS, which must support it.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub fn http2_prior_knowledge(mut self) -> ClientBuilder {
        self.http2 = Http2::Always;
        self
    }

    /// Sends a ping on each connection of HTTP/2 on which nothing has come for this long. If there
    /// is no answer within
    /// [`http2_keep_alive_timeout`](ClientBuilder::http2_keep_alive_timeout), the connection is
    /// closed. So requests fail, and do not wait forever, when a server has disappeared. It is off
    /// by default.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub fn http2_keep_alive_interval(mut self, time: impl Into<Option<Duration>>) -> ClientBuilder {
        self.pool.pings.interval = time.into();
        self
    }

    /// Sets how long the answer to a ping may take: 20 seconds by default.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub fn http2_keep_alive_timeout(mut self, time: Duration) -> ClientBuilder {
        self.pool.pings.timeout = time;
        self
    }

    /// Sets whether pings are also sent while a connection has no request. By default they are not.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub fn http2_keep_alive_while_idle(mut self, on: bool) -> ClientBuilder {
        self.pool.pings.while_idle = on;
        self
    }
}
