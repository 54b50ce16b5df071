//! The payload of a panic, in the form in which errors carry it.
//!
//! Invariants:
//! - The payload is returned by value only. So a reference to a [`Panic`] gives access to its text
//!   only, which never changes, and threads may share one although payloads need only be `Send`.
//! - Making and reading a `Panic` runs no user code. Dropping it drops the payload, which may.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::panic::{self, Location};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fiber::brief::Brief;
use crate::fiber::header::Header;
use crate::fiber::id::FiberId;
use crate::fiber::payload::other_text;
use crate::fiber::report::report_lost;

/// The payload with which a fiber, a generator or a greenlet panicked, and its text.
///
/// The payload itself is returned [by value](Panic::into_payload) only. That makes a `Panic`, and
/// the errors that hold one, `Sync`: `handle.join()?` works where the error becomes a
/// `Box<dyn Error + Send + Sync>`.
///
/// # Examples
///
/// ```
/// use fibra::JoinError;
///
/// fibra::run(|| {
///     let missing = String::from("cheese");
///     let fiber = fibra::spawn(move || panic!("no more {missing}"));
///     let Err(JoinError::Panicked(panic)) = fiber.join() else { unreachable!() };
///     assert_eq!(panic.message(), "no more cheese");
///     assert!(panic.is::<String>());
///     assert_eq!(panic.downcast::<String>().unwrap(), "no more cheese");
/// });
/// ```
pub struct Panic(Payload);

/// The payload. Texts stay in the box that they came in, so that the same box can be returned.
#[allow(
    clippy::redundant_allocation,
    clippy::box_collection,
    reason = "a payload is a box, and is not taken out of it"
)]
enum Payload {
    Literal(Box<&'static str>),
    Text(Box<String>),
    Other(Box<Other>),
    /// The payload of a fiber, and which fiber that was.
    OfFiber(Box<(Payload, Origin)>),
}

/// The fiber that has panicked.
pub(crate) struct Origin {
    name: Option<Arc<str>>,
    id: FiberId,
    spawned_at: &'static Location<'static>,
}

impl Origin {
    pub(crate) fn of(fiber: &Header) -> Origin {
        let name = fiber.peek_extra(|extra| extra.name.clone()).flatten();
        Origin { name, id: fiber.id(), spawned_at: fiber.spawned_at }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "fiber '{name}' ({})", self.id)?,
            None => write!(f, "fiber {}", self.id)?,
        }
        write!(f, ", spawned at {}", self.spawned_at)
    }
}

struct Other {
    /// The payload in a mutex that is never locked, and serves to make the type `Sync`. A `Mutex`
    /// is `Sync` if its contents are `Send`, because it gives them to one thread at a time. This
    /// one gives them to no thread before `into_inner`.
    payload: Mutex<Box<dyn Any + Send>>,
    of_type: TypeId,
    text: Cow<'static, str>,
}

impl Panic {
    /// Wraps a payload that [`std::panic::catch_unwind`] has caught.
    #[must_use]
    pub fn new(payload: Box<dyn Any + Send>) -> Panic {
        let payload = match payload.downcast::<&'static str>() {
            Ok(text) => return Panic(Payload::Literal(text)),
            Err(payload) => payload,
        };
        let payload = match payload.downcast::<String>() {
            Ok(text) => return Panic(Payload::Text(text)),
            Err(payload) => payload,
        };
        let text = other_text(&*payload);
        Panic::with_text(payload, text)
    }

    /// Wraps a payload that is not a string, with a text that the caller has for it.
    pub(crate) fn with_text(
        payload: Box<dyn Any + Send>,
        text: impl Into<Cow<'static, str>>,
    ) -> Panic {
        let (of_type, text) = ((*payload).type_id(), text.into());
        Panic(Payload::Other(Box::new(Other { payload: Mutex::new(payload), of_type, text })))
    }

    /// Adds which fiber has panicked.
    pub(crate) fn of_fiber(self, fiber: &Header) -> Panic {
        Panic(Payload::OfFiber(Box::new((self.0, Origin::of(fiber)))))
    }

    /// Writes its text and its fiber on one line, after the name of a tuple.
    pub(crate) fn fmt_as(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        write!(f, "{name}({:?}", Brief(self.message()))?;
        match self.origin() {
            Some(origin) => write!(f, ", {origin})"),
            None => f.write_str(")"),
        }
    }

    /// Returns its payload, and the fiber that panicked if it is that of a fiber.
    pub(crate) fn into_parts(self) -> (Box<dyn Any + Send>, Option<Origin>) {
        match self.0 {
            Payload::OfFiber(of) => {
                let (payload, origin) = *of;
                (payload.into_box(), Some(origin))
            }
            payload => (payload.into_box(), None),
        }
    }

    pub(crate) fn from_parts(payload: Box<dyn Any + Send>, origin: Option<Origin>) -> Panic {
        let Panic(payload) = Panic::new(payload);
        match origin {
            Some(origin) => Panic(Payload::OfFiber(Box::new((payload, origin)))),
            None => Panic(payload),
        }
    }

    fn origin(&self) -> Option<&Origin> {
        match &self.0 {
            Payload::OfFiber(of) => Some(&of.1),
            _ => None,
        }
    }

    /// Returns the place where the fiber that panicked was spawned; `None` if the panic is not that
    /// of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::JoinError;
    ///
    /// fibra::run(|| {
    ///     let line = line!() + 1;
    ///     let fiber = fibra::spawn(|| panic!("no more cheese"));
    ///     let Err(JoinError::Panicked(panic)) = fiber.join() else { unreachable!() };
    ///     assert_eq!(panic.spawned_at().unwrap().line(), line);
    /// });
    /// ```
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.origin().map(|origin| origin.spawned_at)
    }

    /// Returns the identity of the fiber that panicked; `None` if the panic is not that of a fiber.
    #[must_use]
    pub fn fiber_id(&self) -> Option<FiberId> {
        self.origin().map(|origin| origin.id)
    }

    /// Reports the panic, which no caller receives, and drops it. `whose` is the subject of the
    /// report if the panic is not that of a fiber: "a job".
    #[cold]
    pub(crate) fn report_unjoined(self, whose: impl fmt::Display) {
        let subject = match self.origin() {
            Some(origin) => format!("{origin},"),
            None => whose.to_string(),
        };
        report_lost(format_args!("{subject} panicked and was not joined"), self.into_payload());
    }

    /// Returns the text of the panic: the payload, if that is a string, like std's panic hook
    /// prints it, and otherwise a description of it.
    #[must_use]
    pub fn message(&self) -> &str {
        self.0.message()
    }

    /// Returns whether the payload is a `T`.
    #[must_use]
    pub fn is<T: Any>(&self) -> bool {
        self.0.of_type() == TypeId::of::<T>()
    }

    /// Returns the payload, for [`std::panic::resume_unwind`] or `downcast`.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.into_box()
    }

    /// Returns the payload as a `T`.
    ///
    /// # Errors
    ///
    /// Returns the panic itself if its payload is not a `T`.
    pub fn downcast<T: Any>(self) -> Result<T, Panic> {
        self.into_payload().downcast().map(|payload| *payload).map_err(Panic::new)
    }

    /// Continues to unwind with the payload. The panic hook is not called.
    pub fn resume(self) -> ! {
        panic::resume_unwind(self.into_payload())
    }
}

impl Payload {
    fn message(&self) -> &str {
        match self {
            Payload::Literal(text) => text,
            Payload::Text(text) => text,
            Payload::Other(other) => &other.text,
            Payload::OfFiber(of) => of.0.message(),
        }
    }

    fn of_type(&self) -> TypeId {
        match self {
            Payload::Literal(_) => TypeId::of::<&'static str>(),
            Payload::Text(_) => TypeId::of::<String>(),
            Payload::Other(other) => other.of_type,
            Payload::OfFiber(of) => of.0.of_type(),
        }
    }

    fn is_text(&self) -> bool {
        match self {
            Payload::Literal(_) | Payload::Text(_) => true,
            Payload::Other(_) => false,
            Payload::OfFiber(of) => of.0.is_text(),
        }
    }

    fn into_box(self) -> Box<dyn Any + Send> {
        match self {
            Payload::Literal(text) => text,
            Payload::Text(text) => text,
            Payload::Other(other) => {
                other.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
            }
            Payload::OfFiber(of) => of.0.into_box(),
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(f, "Panic")
    }
}

/// Two panics are equal if their payloads are strings with the same text. A payload of another type
/// equals nothing.
impl PartialEq for Panic {
    fn eq(&self, other: &Panic) -> bool {
        self.0.is_text() && other.0.is_text() && self.message() == other.message()
    }
}
