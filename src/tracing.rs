//! Spans of the crate [tracing](https://docs.rs/tracing) that stay with a fiber across its waits.
//!
//! A subscriber of `tracing` keeps the current span per thread. So a span that a fiber has entered
//! is also current for the other fibers that run while it waits, and the span that one of them
//! enters meanwhile becomes current for the first one: the spans mix. [`in_span`] enters a span for
//! the code of a closure only. It is exited each time that the fiber is suspended in there, and
//! entered again when the fiber resumes.
//!
//! `Span::enter` and `#[instrument]` on a function that is not `async` use a guard, which cannot be
//! taken off the thread. They are fine around code that does not wait.
//!
//! The spans are a [context](crate::context), whose rules hold here as well: a fiber that has
//! entered no span in this way pays nothing, and the code of a subscriber that is called when a
//! span is entered or exited must not wait.
//!
//! # Examples
//!
//! ```
//! use fibra::tracing::{in_span, instrument};
//! use tracing::{Span, info, info_span};
//!
//! fibra::run(|| {
//!     let serve = |id: u64| {
//!         move || in_span(&info_span!("request", id), || {
//!             info!("begin");
//!             fibra::yield_now(); // the other request runs now, in its own span
//!             info!("end");
//!
//!             // A fiber that runs in the span of its maker.
//!             let part = fibra::spawn(instrument(Span::current(), || info!("a part of it")));
//!             part.join().unwrap();
//!         })
//!     };
//!     let (a, b) = (fibra::spawn(serve(1)), fibra::spawn(serve(2)));
//!     a.join().unwrap();
//!     b.join().unwrap();
//! });
//! ```

use std::cell::Cell;

use ::tracing::dispatcher::{self, DefaultGuard, Dispatch};
use ::tracing::span::Span;

use crate::context::{Carried, carry};

/// Runs `f` in `span`, which is current whenever the caller's fiber runs the code of `f`.
///
/// It is the counterpart of `Span::in_scope` for code that waits. May also be called outside of a
/// fiber. A disabled span costs nothing.
///
/// # Panics
///
/// Panics with the panic of `f`, and of the subscriber if it panics when the span is first entered
/// or last exited.
///
/// # Examples
///
/// See the [module](self).
pub fn in_span<R>(span: &Span, f: impl FnOnce() -> R) -> R {
    if span.is_disabled() { f() } else { carry(&Entered(span), f) }
}

/// Returns a closure that runs `f` in `span`, like [`in_span`]: for a fiber or a job that runs in a
/// span as long as it lives.
///
/// It is the counterpart of tracing's `Instrument` for closures. With `Span::current()`, a fiber
/// inherits the span of its maker.
///
/// # Examples
///
/// ```
/// use fibra::tracing::instrument;
/// use tracing::info_span;
///
/// fibra::run(|| {
///     let worker = fibra::spawn(instrument(info_span!("worker"), || 6 * 7));
///     assert_eq!(worker.join().unwrap(), 42);
/// });
/// ```
pub fn instrument<R, F: FnOnce() -> R>(span: Span, f: F) -> impl FnOnce() -> R + use<R, F> {
    move || in_span(&span, f)
}

/// Runs `f` with `dispatch` as the default dispatcher of the thread whenever the caller's fiber
/// runs the code of `f`.
///
/// It is the counterpart of `tracing::dispatcher::with_default` for code that waits. May also be
/// called outside of a fiber.
///
/// # Panics
///
/// Panics with the panic of `f`.
///
/// # Examples
///
/// ```
/// use tracing::{Dispatch, subscriber::NoSubscriber};
///
/// fibra::run(|| {
///     let quiet = Dispatch::new(NoSubscriber::default());
///     fibra::tracing::with_default(&quiet, || {
///         fibra::yield_now(); // the other fibers keep their dispatcher
///         tracing::info!("not seen");
///     });
/// });
/// ```
pub fn with_default<R>(dispatch: &Dispatch, f: impl FnOnce() -> R) -> R {
    carry(&Default { dispatch, guard: Cell::new(None) }, f)
}

/// A span as a context. (The guard of `Span::enter` borrows the span.)
struct Entered<'a>(&'a Span);

impl Carried for Entered<'_> {
    fn enter(&self) {
        self.0.with_subscriber(|(id, dispatch)| dispatch.enter(id));
    }

    fn leave(&self) {
        self.0.with_subscriber(|(id, dispatch)| dispatch.exit(id));
    }
}

/// A default dispatcher as a context.
struct Default<'a> {
    dispatch: &'a Dispatch,
    /// The guard that restores the dispatcher before, while this one is the default.
    guard: Cell<Option<DefaultGuard>>,
}

impl Carried for Default<'_> {
    fn enter(&self) {
        self.guard.set(Some(dispatcher::set_default(self.dispatch)));
    }

    fn leave(&self) {
        drop(self.guard.take());
    }
}
