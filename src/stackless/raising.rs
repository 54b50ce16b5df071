//! Errors of tasklets: `raise` raises one, and `caught` catches one, but not fibra's own kill.
//!
//! Invariant: nothing here catches the unwind of a fiber that was killed, or of a scope that was
//! cancelled. That unwind continues.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::exit;

/// Unwinds the caller with `error`, like Python's `raise`. No panic hook runs, and nothing is
/// printed.
///
/// An error that leaves a tasklet goes to the innermost [`run`](crate::stackless::run), or to the
/// main tasklet. A box that [`caught`] has returned is raised again unchanged.
///
/// It may be called outside of a fiber. Like any panic, it aborts the process in a destructor that
/// runs because of an unwind, and under `panic = "abort"`.
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
    // A box that was caught is not put into another box.
    let payload = match error.downcast::<Box<dyn Any + Send>>() {
        Ok(caught) => *caught,
        Err(error) => error,
    };
    panic::resume_unwind(payload)
}

/// Calls `f`, and catches its unwind, like Python's `except`: a payload that was [raised](raise),
/// thrown into the tasklet, or that a panic carries.
///
/// A [`TaskletExit`](crate::stackless::TaskletExit) is caught, too: a tasklet that should end when
/// it is asked to raises it again. The unwind of a [kill](crate::Fiber::kill), of a cancelled scope
/// and of [`fibra::exit`](crate::exit) is not caught: it continues. (With
/// [`std::panic::catch_unwind`] it would be caught, and raised again at the next wait.)
///
/// It may be called outside of a fiber. State that `f` has left half changed stays so: the caller
/// has to handle that.
///
/// # Errors
///
/// Returns the payload that `f` has unwound with.
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
