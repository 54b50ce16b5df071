//! Support for the tests of guests: a runtime of tokio for them, and fibers that note their end.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use fibra::{Guest, JoinError};

/// Creates a runtime of tokio with one thread.
pub(crate) fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns the output of `host`, which tokio runs in a frame of its own: it may poll guests.
pub(crate) fn host<T>(host: impl Future<Output = T>) -> T {
    fibra::frame(|| tokio_runtime().block_on(host))
}

/// Sets its flag when it is dropped.
pub(crate) struct Flag(Rc<Cell<bool>>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// Creates a value that a fiber can own, and the flag that is set when it is dropped.
pub(crate) fn flag() -> (Flag, Rc<Cell<bool>>) {
    let dropped = Rc::new(Cell::new(false));
    (Flag(dropped.clone()), dropped)
}

/// Creates a guest whose main fiber owns `value` and parks.
pub(crate) fn parked(value: impl Sized + 'static) -> Pin<Box<Guest<()>>> {
    Box::pin(fibra::guest(move || {
        let _value = value;
        fibra::park();
    }))
}

/// Polls `guest` once. It must not be ready.
pub(crate) async fn start<T: 'static>(guest: &mut Pin<Box<Guest<T>>>) {
    tokio::select! {
        biased;
        _ = guest => unreachable!("its main fiber waits"),
        () = tokio::task::yield_now() => {}
    }
}

/// Polls `guest` once, with `waker`.
pub(crate) fn poll<T: 'static>(guest: &mut Guest<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(guest).poll(&mut Context::from_waker(waker))
}
