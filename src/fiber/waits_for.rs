//! What a fiber waits for, as dumps show it.
//!
//! It is found when a dump is made, from the lists in which the fiber waits and from the other
//! fibers. Waits do no work for it.

#![forbid(unsafe_code)]

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::fiber::id::FiberId;

/// One of the things that a fiber waits for.
///
/// # Examples
///
/// ```
/// use fibra::WaitsFor;
///
/// fibra::run(|| {
///     let line = line!() + 1;
///     let (_sender, receiver) = fibra::channel::bounded::<u32>(1);
///     fibra::spawn(move || receiver.recv());
///     fibra::yield_now(); // it waits now
///     let dump = fibra::dump();
///     let WaitsFor::Channel(made_at) = &dump.fibers[1].waits_for[0] else { panic!("{dump}") };
///     assert_eq!(made_at.line(), line);
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The end of a fiber of the same scheduler.
    #[non_exhaustive]
    Fiber {
        /// The identity of that fiber.
        id: FiberId,
        /// The name of that fiber, if it has one.
        name: Option<Arc<str>>,
    },
    /// A channel that was made at this place.
    Channel(&'static Location<'static>),
    /// A descriptor that is not ready.
    Descriptor(Descriptor),
}

/// A descriptor for which a fiber waits.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "net")]
/// # fn main() -> std::io::Result<()> {
/// use fibra::WaitsFor;
///
/// fibra::run(|| {
///     let listener = fibra::net::TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?.to_string();
///     fibra::spawn(move || listener.accept());
///     fibra::yield_now(); // it waits now
///     let dump = fibra::dump();
///     let WaitsFor::Descriptor(listener) = &dump.fibers[1].waits_for[0] else { panic!("{dump}") };
///     assert_eq!((&listener.local, &listener.peer), (&Some(address), &None));
///     Ok(())
/// })
/// # }
/// # #[cfg(not(feature = "net"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Descriptor {
    /// The number of the descriptor.
    pub number: i32,
    /// The address of the peer, if it is a socket that is connected.
    pub peer: Option<String>,
    /// The address to which it is bound, if it is a socket and has one.
    pub local: Option<String>,
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitsFor::Fiber { id, name: Some(name) } => write!(f, "fiber '{name}' ({id})"),
            WaitsFor::Fiber { id, name: None } => write!(f, "fiber {id}"),
            WaitsFor::Channel(place) => write!(f, "channel made at {place}"),
            WaitsFor::Descriptor(descriptor) => descriptor.fmt(f),
        }
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {}", self.number)?;
        match (&self.peer, &self.local) {
            (Some(peer), _) => write!(f, ", peer {peer}"),
            (None, Some(local)) => write!(f, ", bound to {local}"),
            (None, None) => Ok(()),
        }
    }
}
