//! Errors of tasklets: raising one, and catching it without catching fibra's own kill.
//!
//! Invariant: what unwinds a fiber that was killed, or a scope that was cancelled, is caught by nothing
//! here: its unwind goes on.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::exit;

/// Unwinds the caller with `error`, as Python's `raise` does. No panic hook runs, and nothing is
/// printed.
///
/// What leaves a tasklet goes to the innermost [`run`](crate::stackless::run), or to the main tasklet
///. What [`caught`] has returned is raised again as it was.
///
/// It needs no fiber. As any panic it aborts the process in a destructor that runs because of an
/// unwind, and under `panic = "abort"`.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, caught, raise};
///
/// #[derive(Debug)]
/// struct OutOfMilk;
///
/// fibra::run(|| {
///     stackless::spawn(|| raise(OutOfMilk));
///     let error = caught(stackless::run).unwrap_err();
///     assert!(error.is::<OutOfMilk>());
/// });
/// ```
pub fn raise(error: impl Any + Send) -> ! {
    let error: Box<dyn Any + Send> = Box::new(error);
    // A box that was caught is not put into another.
    let payload = match error.downcast::<Box<dyn Any + Send>>() {
        Ok(caught) => *caught,
        Err(error) => error,
    };
    panic::resume_unwind(payload)
}

/// Calls `f`, and catches what it unwinds with, as Python's `except` does: what was [raised](raise),
/// thrown at the tasklet, or panicked.
///
/// A [`TaskletExit`](crate::stackless::TaskletExit) is caught, too: a tasklet that is to end
/// when it is asked to raises that again. The unwind of a [kill](crate::Fiber::kill), of a cancelled
/// scope and of [`fibra::exit`](crate::exit) is not caught: it goes on. (With
/// [`std::panic::catch_unwind`] it would be caught, and met again at the next wait.)
///
/// It needs no fiber. What `f` leaves half done is seen by the caller: that is for it to know.
///
/// # Errors
///
/// What `f` has unwound with.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{TaskletExit, caught, raise};
///
/// fn served(request: impl FnOnce() -> u32) -> Option<u32> {
///     match caught(request) {
///         Ok(answer) => Some(answer),
///         Err(error) if error.is::<TaskletExit>() => raise(error),
///         Err(_) => None,
///     }
/// }
///
/// assert_eq!(served(|| 7), Some(7));
/// assert_eq!(served(|| raise("no more cheese")), None);
/// ```
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
        result => result,
    }
}
