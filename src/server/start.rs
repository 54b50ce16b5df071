//! The start of a server on the caller's scheduler, and in a scope.
//!
//! Invariant: a panic of a handler ends its connection and nothing else. It is reported once.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use crate::fiber::exit::is_unwind;
use crate::pool::{Permit, Pool};
use crate::sched::api::scope::{Scope, scope};
use crate::sched::core::end::report_unjoined;
use crate::sched::lowlevel::current_fiber;
use crate::server::accept::{Accept, accept_forever, report_last};
use crate::server::on_each::Settings;
use crate::server::running::{Accepting, Running};
use crate::server::settings::Server;

impl<L: Accept + 'static> Server<L> {
    /// Starts to accept connections, and runs `handler` for each in a fiber of its own.
    ///
    /// What the handler returns is dropped. A panic of the handler ends only its connection, and is
    /// reported on standard error. For a handler that borrows there is
    /// [`start_in`](Server::start_in).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn start<F, R>(self, handler: F) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + 'static,
    {
        let (listener, Settings { most, builder, on_error, stopping }) = self.into_parts();
        let pool = Pool::with_builder(most, builder);
        let (permits, handler) = (pool.clone(), Rc::new(handler));
        let accepting = Accepting::start(move || {
            let start = |permit: Permit<'_>, connection, peer| {
                let handler = handler.clone();
                drop(permit.spawn(move || drop(handler(connection, peer))));
            };
            accept(&listener, &permits, start, &*on_error)
        });
        Running::here(accepting, pool, stopping)
    }

    /// Starts like [`start`](Server::start), with a handler that may borrow from the caller: all
    /// fibers of the server belong to `scope`, which waits for their ends.
    ///
    /// A panic of a handler ends only its connection here, too, and not the scope.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::time::Duration;
    /// use fibra::net::TcpStream;
    /// use fibra::server::Server;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let served = Cell::new(0);
    ///     let server = Server::bind("127.0.0.1:0")?;
    ///     let address = server.listener().local_addr()?;
    ///     fibra::scope(|s| {
    ///         let running = server.start_in(s, |_stream, _peer| served.set(served.get() + 1));
    ///         let client = TcpStream::connect(address)?;
    ///         assert_eq!(std::io::read_to_string(client)?, "");
    ///         running.shutdown(Duration::from_secs(1));
    ///         std::io::Result::Ok(())
    ///     })?;
    ///     assert_eq!(served.get(), 1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn start_in<'scope, F, R>(self, scope: &'scope Scope<'scope, '_>, handler: F) -> Running
    where
        F: Fn(L::Connection, L::Peer) -> R + 'scope,
    {
        let (listener, Settings { most, builder, on_error, stopping }) = self.into_parts();
        let pool = Pool::with_builder(most, builder);
        let (permits, handler) = (pool.clone(), Rc::new(handler));
        let accepting = Accepting::start_in(scope, move || {
            let start = |permit: Permit<'_>, connection, peer| {
                let handler = handler.clone();
                permit.spawn_in(scope, move || {
                    without_the_scope(|| drop(handler(connection, peer)));
                });
            };
            accept(&listener, &permits, start, &*on_error)
        });
        Running::here(accepting, pool, stopping)
    }

    /// Serves until the listener is broken, then kills the connections and waits for their ends.
    /// The handler may borrow from the caller.
    ///
    /// If the caller is killed, the connections are killed, too. To end a server in an orderly way,
    /// start it with [`start`](Server::start) or [`start_in`](Server::start_in).
    ///
    /// # Errors
    ///
    /// Returns the error because of which no further connections can be accepted.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn serve<F, R>(self, handler: F) -> io::Result<()>
    where
        F: Fn(L::Connection, L::Peer) -> R,
    {
        scope(|scope| self.start_in(scope, handler).wait())
    }
}

/// Accepts on this scheduler: see [`accept_forever`].
fn accept<L: Accept>(
    listener: &L,
    pool: &Pool,
    start: impl Fn(Permit<'_>, L::Connection, L::Peer),
    on_error: &dyn Fn(&io::Error),
) -> io::Error {
    let reserve = || pool.reserve_unless_killed();
    let error = accept_forever(listener, reserve, start, |error| on_error(&error));
    report_last(on_error, error)
}

/// Calls `f` in a fiber of a scope. A panic is reported here, and does not reach the scope.
pub(super) fn without_the_scope(f: impl FnOnce()) {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Err(payload) if is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => report_unjoined(&current_fiber().fiber, payload),
        Ok(()) => {}
    }
}
