//! [`Graceful`]: the request to all connections of a server to end.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use crate::sched::lowlevel::locked;

/// A handle that asks connections to end, made by
/// [`Http::graceful`](crate::http::Http::graceful).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use fibra::http::{Http, hyper::Response};
/// use fibra::server::Server;
///
/// # fibra::run(|| -> std::io::Result<()> {
/// let http = Http::new();
/// let graceful = http.graceful();
/// let running = Server::bind("127.0.0.1:8080")?
///     .start(move |stream, _| http.serve_connection(stream, |_| Response::new(String::new())));
/// // ... later: connections that serve a request have five seconds to finish it.
/// graceful.shutdown();
/// running.shutdown(Duration::from_secs(5));
/// # Ok(()) });
/// ```
#[derive(Clone, Default)]
#[doc(alias("GracefulShutdown", "with_graceful_shutdown"))]
pub struct Graceful(Arc<Ending>);

#[derive(Default)]
struct Ending {
    /// Changed under the lock. A connection that is registered reads it without the lock, each time
    /// that it is polled: connections of several threads share this value.
    begun: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Wakers of connections that have not been asked to end yet, keyed by arrival order.
    connections: BTreeMap<u64, Waker>,
    next: u64,
}

impl Graceful {
    /// Asks all connections to end, and returns without waiting for that.
    ///
    /// Idle connections end now; the others end after the requests that they are serving. A client
    /// of HTTP/2 is told so (GOAWAY), and starts no further requests. Connections that begin later
    /// serve one request, because their clients could not know. So a listener can be handed to
    /// another process, and no client is refused. The connections may be on any thread, and so may
    /// the caller.
    pub fn shutdown(&self) {
        let connections = {
            let mut waiting = self.lock();
            self.0.begun.store(true, Ordering::Release);
            mem::take(&mut waiting.connections)
        };
        connections.into_values().for_each(Waker::wake);
    }

    /// Returns whether a shutdown has begun.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        locked(&self.0.waiting)
    }
}

/// The registration of one connection with its [`Graceful`], removed on drop.
pub(super) struct Member<'a> {
    graceful: &'a Graceful,
    /// The key of its waker, once it is registered. The waker never changes: it is always that of
    /// the `block_on` of its fiber.
    place: Option<u64>,
}

impl Member<'_> {
    pub(super) fn of(graceful: &Graceful) -> Member<'_> {
        Member { graceful, place: None }
    }

    /// Returns whether a shutdown has begun, and otherwise registers `waker` for it.
    pub(super) fn is_asked_to_end(&mut self, waker: &Waker) -> bool {
        if self.place.is_some() {
            return self.graceful.is_begun();
        }
        let mut waiting = self.graceful.lock();
        let begun = self.graceful.is_begun();
        if !begun {
            let place = waiting.next;
            waiting.next += 1;
            waiting.connections.insert(place, waker.clone());
            self.place = Some(place);
        }
        begun
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            self.graceful.lock().connections.remove(place);
        }
    }
}

impl fmt::Debug for Graceful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graceful").field("is_begun", &self.is_begun()).finish()
    }
}
