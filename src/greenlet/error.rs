//! The errors of switches between greenlets, and the payload that ends one.

mod setters;

use std::any::{self, Any};
use std::error::Error;
use std::fmt;
use std::io;
use std::panic;

use crate::fiber::brief::{Brief, same_io_error};
use crate::fiber::frame::Frame;
use crate::fiber::panic::Panic;

pub use self::setters::{LocalsError, ParentError, RunError};

/// The payload of a panic.
pub(super) type Payload = Box<dyn Any + Send>;

/// The payload that a greenlet is unwound with to end it: by
/// [`kill`](crate::greenlet::Greenlet::kill), and when its last handle is dropped.
///
/// It is a request and not an order: code may catch it (`payload.is::<GreenletExit>()`) and
/// continue. Where it leaves a greenlet's function, it is not raised in the parent but returned to
/// it, as [`SwitchError::Exit`].
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{Greenlet, GreenletExit, SwitchError};
///
/// fibra::frame(|| {
///     let quitter = Greenlet::new(|_: u32| GreenletExit::new("bye").raise());
///     match quitter.switch(1) {
///         Err(SwitchError::Exit(exit)) => assert_eq!(exit.message(), Some("bye")),
///         other => unreachable!("{other:?}"),
///     }
/// });
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct GreenletExit {
    message: Option<Box<str>>,
}

impl GreenletExit {
    /// Creates an exit with a message that states the reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::GreenletExit;
    ///
    /// assert_eq!(GreenletExit::new("bye").message(), Some("bye"));
    /// assert_eq!(GreenletExit::default().message(), None);
    /// ```
    pub fn new(message: impl Into<String>) -> GreenletExit {
        GreenletExit { message: Some(message.into().into_boxed_str()) }
    }

    /// Returns the message, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Unwinds with this exit, and prints nothing: ends the current greenlet from any call depth,
    /// unless code catches the exit.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{Greenlet, GreenletExit, SwitchError};
    ///
    /// fibra::frame(|| {
    ///     let quitter = Greenlet::new(|_: u32| GreenletExit::default().raise());
    ///     assert!(matches!(quitter.switch(1), Err(SwitchError::Exit(_))));
    ///     assert!(quitter.is_dead());
    /// });
    /// ```
    pub fn raise(self) -> ! {
        panic::resume_unwind(Box::new(self))
    }
}

impl fmt::Display for GreenletExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().unwrap_or("the greenlet was asked to exit"))
    }
}

impl fmt::Debug for GreenletExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message().map(Brief);
        f.debug_struct("GreenletExit").field("message", &message).finish()
    }
}

impl Error for GreenletExit {}

/// The reason why a switch returned no value. `T` is the type of the value to deliver, which is
/// returned if it was not delivered.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{Greenlet, SwitchError};
///
/// fibra::frame(|| {
///     let nothing_to_run = Greenlet::<u32>::empty();
///     let Err(SwitchError::NoRun(value)) = nothing_to_run.switch(42) else { unreachable!() };
///     assert_eq!(value, 42); // it was not delivered
/// });
/// ```
#[non_exhaustive]
pub enum SwitchError<T> {
    /// A [`GreenletExit`] has ended a greenlet, and that end leads to the caller.
    Exit(GreenletExit),
    /// A payload should be raised in the caller but cannot be: the thread is unwinding, so the
    /// caller may be a destructor, or the program is built with `panic = "abort"`.
    Unraised(Panic),
    /// The greenlet belongs to another fiber.
    Elsewhere(T, Elsewhere),
    /// The greenlet has no function to run. It is still unstarted.
    NoRun(T),
    /// The current greenlet, or a waiting main greenlet, exchanges values of another type.
    Family(T, Families),
    /// There is no `fibra::run` and no `fibra::frame` on this thread, or the fiber is ending.
    NoFrame(T),
    /// No stack could be allocated. The greenlet is still unstarted.
    NoStack(T, io::Error),
    /// The frame of the greenlet has ended, or is ending.
    Gone(T),
    /// The caller is a tracer, which must not switch.
    Tracing(T),
}

/// The error of [`throw`](crate::greenlet::Greenlet::throw): it returns the payload.
pub type ThrowError = SwitchError<Panic>;

impl<T> SwitchError<T> {
    /// Returns the value of the switch, if it was not delivered.
    ///
    /// # Errors
    ///
    /// Returns the error unchanged if the value was delivered, and the error is the answer.
    pub fn into_inner(self) -> Result<T, SwitchError<T>> {
        match self {
            SwitchError::Exit(_) | SwitchError::Unraised(_) => Err(self),
            SwitchError::Elsewhere(value, _)
            | SwitchError::NoRun(value)
            | SwitchError::Family(value, _)
            | SwitchError::NoFrame(value)
            | SwitchError::NoStack(value, _)
            | SwitchError::Gone(value)
            | SwitchError::Tracing(value) => Ok(value),
        }
    }

    /// Returns the payload that could not be raised here, to be raised with
    /// [`std::panic::resume_unwind`] where that is possible.
    ///
    /// # Errors
    ///
    /// Returns the error unchanged if it is not [`SwitchError::Unraised`].
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, SwitchError<T>> {
        match self {
            SwitchError::Unraised(panic) => Ok(panic.into_payload()),
            other => Err(other),
        }
    }

    /// Returns whether the error is a payload that could not be raised here.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, SwitchError::Unraised(_))
    }
}

impl<T> fmt::Display for SwitchError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SwitchError::Exit(exit) => write!(f, "a greenlet has exited: {exit}"),
            SwitchError::Unraised(panic) => write!(f, "this cannot be raised here: {panic}"),
            SwitchError::Elsewhere(_, places) => {
                write!(f, "Cannot switch to a different fiber\n{places}")
            }
            SwitchError::NoRun(_) => {
                f.write_str("the greenlet has no function to run: give it one with `set_run`")
            }
            SwitchError::Family(_, families) => families.fmt(f),
            SwitchError::NoFrame(_) => f.write_str(
                "a greenlet was used outside of `fibra::frame(|| ...)` and `fibra::run(|| ...)`: \
                 wrap the call in one of them (see `fibra::guide::pitfalls`)",
            ),
            SwitchError::NoStack(_, error) => {
                write!(f, "the greenlet could not get a stack: {error}")
            }
            SwitchError::Gone(_) => {
                f.write_str("cannot switch to a different fiber (which happens to have ended)")
            }
            SwitchError::Tracing(_) => f.write_str("a tracer must not switch greenlets"),
        }
    }
}

impl<T> fmt::Debug for SwitchError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SwitchError::Exit(exit) => write!(f, "Exit({exit:?})"),
            SwitchError::Unraised(panic) => write!(f, "Unraised({:?})", Brief(panic.message())),
            SwitchError::Elsewhere(_, places) => write!(f, "Elsewhere(.., {places:?})"),
            SwitchError::NoRun(_) => f.write_str("NoRun(..)"),
            SwitchError::Family(_, families) => write!(f, "Family(.., {families:?})"),
            SwitchError::NoFrame(_) => f.write_str("NoFrame(..)"),
            SwitchError::NoStack(_, error) => write!(f, "NoStack(.., {error:?})"),
            SwitchError::Gone(_) => f.write_str("Gone(..)"),
            SwitchError::Tracing(_) => f.write_str("Tracing(..)"),
        }
    }
}

impl<T> Error for SwitchError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SwitchError::Exit(exit) => Some(exit),
            SwitchError::NoStack(_, error) => Some(error),
            _ => None,
        }
    }
}

impl<T: PartialEq> PartialEq for SwitchError<T> {
    fn eq(&self, other: &SwitchError<T>) -> bool {
        match (self, other) {
            (SwitchError::Exit(one), SwitchError::Exit(other)) => one == other,
            (SwitchError::Unraised(one), SwitchError::Unraised(other)) => one == other,
            (SwitchError::Elsewhere(one, places), SwitchError::Elsewhere(other, places_other)) => {
                one == other && places == places_other
            }
            (SwitchError::Family(one, types), SwitchError::Family(other, types_other)) => {
                one == other && types == types_other
            }
            (SwitchError::NoStack(one, why), SwitchError::NoStack(other, why_other)) => {
                one == other && same_io_error(why, why_other)
            }
            (SwitchError::NoRun(one), SwitchError::NoRun(other))
            | (SwitchError::NoFrame(one), SwitchError::NoFrame(other))
            | (SwitchError::Gone(one), SwitchError::Gone(other))
            | (SwitchError::Tracing(one), SwitchError::Tracing(other)) => one == other,
            _ => false,
        }
    }
}

/// Wraps a payload that was thrown and caught for an error. It may be a [`GreenletExit`].
#[cold]
pub(super) fn thrown(payload: Payload) -> Panic {
    match payload.downcast_ref::<GreenletExit>().map(ToString::to_string) {
        Some(text) => Panic::with_text(payload, text),
        None => Panic::new(payload),
    }
}

/// The type of the value that could not be delivered, and the type that is exchanged where it
/// should have arrived.
#[derive(Copy, Clone, Eq, PartialEq)]
pub struct Families {
    given: &'static str,
    expected: &'static str,
}

impl Families {
    /// Returns the name of the type of the value that could not be delivered.
    #[must_use]
    pub fn given(&self) -> &'static str {
        self.given
    }

    /// Returns the name of the type that the greenlets there exchange.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Families { given, expected } = self;
        write!(
            f,
            "values of type `{given}` cannot be exchanged here: the greenlets that run exchange \
             values of type `{expected}`; let one family use one type, an enum if need be"
        )
    }
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Families")
            .field("given", &Brief(self.given))
            .field("expected", &Brief(self.expected))
            .finish()
    }
}

/// The fiber that called, and the fiber that the greenlet belongs to.
#[derive(Clone, Eq, PartialEq)]
pub struct Elsewhere {
    current: Box<str>,
    expected: Box<str>,
}

impl Elsewhere {
    #[cold]
    pub(super) fn new(current: &Frame, expected: &Frame) -> Elsewhere {
        Elsewhere { current: name_of(current), expected: name_of(expected) }
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("current", &Brief(&self.current))
            .field("expected", &Brief(&self.expected))
            .finish()
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\tCurrent:  {}\n\tExpected: {}", self.current, self.expected)
    }
}

/// Returns "fiber 'parser' (#3)", or "the thread's own frame".
fn name_of(frame: &Frame) -> Box<str> {
    let Some(fiber) = frame.fiber.get() else { return "the thread's own frame".into() };
    match fiber.peek_extra(|extra| extra.name.clone()).flatten() {
        Some(name) => format!("fiber '{name}' ({})", fiber.id()).into(),
        None => format!("fiber {}", fiber.id()).into(),
    }
}

/// The reason why nothing can be delivered. [`with`](Refusal::with) adds the value.
pub(super) enum Refusal {
    Elsewhere(Elsewhere),
    NoRun,
    Family(Families),
    NoFrame,
    NoStack(io::Error),
    Gone,
    Tracing,
}

impl Refusal {
    /// Returns the refusal of a `V` where values of the type `expected` are exchanged.
    #[cold]
    pub(super) fn family<V>(expected: &'static str) -> Refusal {
        Refusal::Family(Families { given: any::type_name::<V>(), expected })
    }

    pub(super) fn with<T>(self, value: T) -> SwitchError<T> {
        match self {
            Refusal::Elsewhere(places) => SwitchError::Elsewhere(value, places),
            Refusal::NoRun => SwitchError::NoRun(value),
            Refusal::Family(families) => SwitchError::Family(value, families),
            Refusal::NoFrame => SwitchError::NoFrame(value),
            Refusal::NoStack(error) => SwitchError::NoStack(value, error),
            Refusal::Gone => SwitchError::Gone(value),
            Refusal::Tracing => SwitchError::Tracing(value),
        }
    }
}
