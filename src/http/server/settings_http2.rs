//! The settings of connections of HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;

use crate::http::server::settings::{Http, Versions};
use crate::http::server::streams::StreamExecutor;

impl Http {
    /// Serves HTTP/2 only.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn http2_only(self) -> Http {
        self.change(|settings| settings.versions = Versions::Http2)
    }

    /// Limits the number of requests that are served at a time on one connection of HTTP/2. Each
    /// has a fiber. Further ones of a client that ignores the limit are refused.
    ///
    /// The default is 100, the least that RFC 9113 recommends.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn max_streams(self, number: u32) -> Http {
        self.change(|settings| settings.limits.streams = number)
    }

    /// Sends a ping to each client of HTTP/2 from which nothing has come for this long, and closes
    /// the connection if there is no answer within
    /// [`http2_keep_alive_timeout`](Http::http2_keep_alive_timeout). So a connection ends, and its
    /// handlers are killed, when its client has disappeared. It is off by default.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn http2_keep_alive_interval(self, time: impl Into<Option<Duration>>) -> Http {
        let time = time.into();
        self.with_http2(move |http2| {
            http2.keep_alive_interval(time);
        })
    }

    /// Limits the time for the answer to a ping: see
    /// [`http2_keep_alive_interval`](Http::http2_keep_alive_interval). The default is 20 seconds.
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn http2_keep_alive_timeout(self, time: Duration) -> Http {
        self.with_http2(move |http2| {
            http2.keep_alive_timeout(time);
        })
    }

    /// Changes hyper's settings for HTTP/2: windows, limits against floods. `change` is called for
    /// each connection.
    ///
    /// # Examples
    ///
    /// ```
    /// let http = fibra::http::Http::new().with_http2(|http2| {
    ///     http2.max_pending_accept_reset_streams(5).max_send_buf_size(256 << 10);
    /// });
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    #[must_use]
    pub fn with_http2(
        self,
        change: impl Fn(&mut http2::Builder<StreamExecutor>) + Send + Sync + 'static,
    ) -> Http {
        self.change(|settings| settings.http2.push(Arc::new(change)))
    }
}
