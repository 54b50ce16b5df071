//! The channel callback: how it is set and called, and what it receives.
//!
//! Invariants:
//! - It is called before the operation, by the tasklet that performs it, and for each operation
//!   whose arguments alone do not exclude it: also for one that is refused afterwards.
//! - It can neither switch nor use a channel itself. Its panics are reported, and not passed on.

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use crate::channel::pairing::Side;
use crate::fiber::exit;
use crate::sched::core::end;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::stackless::Tasklet;
use crate::stackless::channel_error::ChannelError;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching::InCallback;

/// The type of a channel callback.
pub type ChannelCallback = Rc<dyn Fn(&ChannelEvent<'_>)>;

/// The identity of a channel, which differs from that of all other channels that exist at the same
/// time.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// fibra::run(|| {
///     let seen = Rc::new(Cell::new(None));
///     let last = seen.clone();
///     stackless::set_channel_callback(Some(Rc::new(move |event| last.set(Some(event.channel)))));
///     let channel = Channel::<u32>::new();
///     channel.close();
///     assert!(channel.receive().is_err());
///     println!("the last operation was at {:?}", seen.get());
/// });
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelId(usize);

impl ChannelId {
    /// Returns the identity of the channel whose shared part is at `address`.
    pub(super) fn of_address(address: usize) -> ChannelId {
        ChannelId(address)
    }
}

/// The description of a channel operation that is about to happen.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
/// use std::rc::Rc;
///
/// fibra::run(|| {
///     stackless::set_channel_callback(Some(Rc::new(|event| {
///         println!("{} {}", if event.sending { "send" } else { "receive" }, event.will_block);
///     })));
///     let channel = Channel::new();
///     let receiver = channel.clone();
///     stackless::spawn(move || drop(receiver.receive())); // "receive true"
///     stackless::run();
///     channel.send(1).unwrap(); // "send false"
/// });
/// ```
#[non_exhaustive]
pub struct ChannelEvent<'a> {
    /// The channel.
    pub channel: ChannelId,
    /// The tasklet that performs the operation.
    pub tasklet: &'a Tasklet,
    /// Whether it is a send.
    pub sending: bool,
    /// Whether no partner waits on the other side.
    pub will_block: bool,
    value: Option<&'a dyn Any>,
}

impl ChannelEvent<'_> {
    /// Returns the value that is about to be sent, if it has this type.
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.value.and_then(|value| value.downcast_ref())
    }
}

impl fmt::Debug for ChannelEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelEvent")
            .field("channel", &self.channel)
            .field("tasklet", &self.tasklet)
            .field("sending", &self.sending)
            .field("will_block", &self.will_block)
            .finish_non_exhaustive()
    }
}

/// Sets the function that is called before each operation at a channel of this module, in this
/// thread; `None` removes it. Returns the previous function.
///
/// It belongs to the scheduler, and not to the process as in Stackless. It is also called before an
/// operation whose partner is in another thread.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
/// use std::rc::Rc;
///
/// fibra::run(|| {
///     stackless::set_channel_callback(Some(Rc::new(|event| {
///         println!("sending: {}, value: {:?}", event.sending, event.value::<i32>());
///     })));
///     let channel = Channel::new();
///     let receiver = channel.clone();
///     stackless::spawn(move || println!("{}", receiver.receive().unwrap()));
///     stackless::run();
///     channel.send(42).unwrap();
/// });
/// ```
#[track_caller]
#[allow(clippy::must_use_candidate, reason = "the old callback is seldom of interest")]
pub fn set_channel_callback(callback: Option<ChannelCallback>) -> Option<ChannelCallback> {
    state(&current_fiber().sched).channel_callback.set(callback)
}

/// Returns the function that is called before each operation at a channel.
///
/// # Panics
///
/// Panics outside of a fiber.
#[must_use]
#[track_caller]
pub fn get_channel_callback() -> Option<ChannelCallback> {
    state(&current_fiber().sched).channel_callback.get()
}

/// The channel and the direction of an operation that is about to happen.
pub(super) struct Arrival {
    pub(super) channel: ChannelId,
    pub(super) side: Side,
}

impl Arrival {
    /// Calls the channel callback, if there is one.
    pub(super) fn announce(
        &self,
        current: CurrentFiber,
        will_block: impl FnOnce() -> bool,
        value: Option<&dyn Any>,
    ) -> Result<(), ChannelError> {
        let state = state(&current.sched);
        let in_callback =
            || Record::known(&current.fiber).is_some_and(|record| record.in_channel_callback.get());
        if state.callbacks.get() != 0 && in_callback() {
            return Err(ChannelError::Recursive);
        }
        if let Some(callback) = state.channel_callback.get() {
            self.call(current, callback, will_block(), value);
        }
        Ok(())
    }

    #[cold]
    fn call(
        &self,
        current: CurrentFiber,
        callback: ChannelCallback,
        will_block: bool,
        value: Option<&dyn Any>,
    ) {
        let tasklet = Tasklet::current(current);
        let event = ChannelEvent {
            channel: self.channel,
            tasklet: &tasklet,
            sending: self.side == Side::Send,
            will_block,
            value,
        };
        // A channel operation inside the callback is refused before it comes here, so callbacks do
        // not nest.
        tasklet.record().in_channel_callback.set(true);
        let in_callback = InCallback::enter(current, &tasklet);
        let called = panic::catch_unwind(AssertUnwindSafe(|| {
            callback(&event);
            drop(callback);
        }));
        drop(in_callback);
        tasklet.record().in_channel_callback.set(false);
        if let Err(payload) = called {
            if exit::is_unwind(&*payload) {
                panic::resume_unwind(payload);
            }
            end::report_lost("the channel callback panicked", payload);
        }
    }
}
