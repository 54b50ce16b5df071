//! Channels between the fibers of one thread.
//!
//! | channel | holds | a send waits | made by |
//! |---|---|---|---|
//! | [`Channel`] | nothing: values pass directly | for a receiver | [`Channel::new`] |
//! | bounded | up to `n` values | while it is full | [`bounded`] |
//! | unbounded | any number | never | [`unbounded`] |
//! | one-shot | one value, once | never | [`oneshot`] |
//!
//! [`Channel`] has the semantics of Stackless Python: a single clonable handle for both ends,
//! strict first come, first served order, a balance that can be read, and a preference that decides
//! which of two partners runs first. The others have the two ends, the names and the errors of the
//! standard library.
//!
//! All of them are for one thread (`!Send`): they use no atomics, a rendezvous allocates nothing,
//! and their order is as deterministic as the scheduler's. `x` waits, `try_x` never waits,
//! `x_timeout` waits for a [`Duration`](std::time::Duration), `x_deadline` until an
//! [`Instant`](std::time::Instant) of the scheduler's clock.
//!
//! A fiber that is killed or times out during a wait leaves no trace in the channel. A value that
//! was handed over before that is delivered; one that was not is returned to the sender, or dropped
//! with its stack. Every wait is a kill point. Waiting outside of a fiber panics.

pub(crate) mod error;
pub(crate) mod face;
mod oneshot;
pub(crate) mod pairing;
pub(crate) mod queue;
pub(crate) mod rendezvous;
pub(crate) mod waiter;

pub use error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};
pub use pairing::Preference;
pub use queue::{IntoValues, Receiver, Sender, Values, bounded, unbounded};
pub use rendezvous::{Channel, IntoIter, Iter};
