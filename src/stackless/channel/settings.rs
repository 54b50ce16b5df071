//! The settings of a channel, its closing, and the tasklets that wait at it.

use crate::channel::pairing::Preference;
use crate::stackless::Tasklet;
use crate::stackless::channel::Channel;
use crate::stackless::channel_event::ChannelId;

impl<T> Channel<T> {
    /// Returns the number of waiting senders, or minus the number of waiting receivers.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     for n in 0..2 {
    ///         let sender = channel.clone();
    ///         stackless::spawn(move || sender.send(n).unwrap());
    ///     }
    ///     stackless::run();
    ///     assert_eq!(channel.balance(), 2); // two senders wait
    ///     assert_eq!((channel.receive().unwrap(), channel.receive().unwrap()), (0, 1));
    /// });
    /// ```
    #[must_use]
    pub fn balance(&self) -> isize {
        self.inner.balance()
    }

    /// Returns which of two partners runs first.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.inner.preference()
    }

    /// Sets which of two partners runs first.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Preference;
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     channel.set_preference(Preference::Sender);
    ///     let receiver = channel.clone();
    ///     let tasklet = stackless::spawn(move || assert_eq!(receiver.receive().unwrap(), 1));
    ///     stackless::run();
    ///     channel.send(1).unwrap();
    ///     assert!(tasklet.is_alive()); // the sender continues first
    ///     stackless::run();
    /// });
    /// ```
    pub fn set_preference(&self, preference: Preference) {
        self.inner.set_preference(preference);
    }

    /// Returns whether every exchange lets all other tasklets run first.
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.inner.schedule_all()
    }

    /// Sets whether the caller of each exchange goes to the end of the run ring, whatever the
    /// preference.
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.inner.set_schedule_all(schedule_all);
    }

    /// Closes the channel: from now on, operations that would have to wait are refused. Tasklets
    /// that wait already are not woken, and partners can still exchange values with them.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{Channel, ChannelError};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     channel.close();
    ///     assert_eq!(channel.receive().unwrap_err(), ChannelError::Closed);
    /// });
    /// ```
    pub fn close(&self) {
        self.inner.close_quietly();
    }

    /// Closes the channel, and also refuses the operations of tasklets that wait already: senders
    /// get their values back. This is [`close`](crate::channel::Channel::close) of
    /// `fibra::channel`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let sender = channel.clone();
    ///     stackless::spawn(move || assert!(sender.send("unread").unwrap_err().is_closed()));
    ///     stackless::run();
    ///     channel.close_and_wake();
    ///     stackless::run();
    /// });
    /// ```
    pub fn close_and_wake(&self) {
        self.inner.close();
    }

    /// Opens a closed channel again.
    pub fn open(&self) {
        self.inner.open();
    }

    /// Returns whether [`close`](Channel::close) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    /// Returns whether the channel is closed and no tasklet waits at it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Returns the tasklets that wait at the channel, in the order in which they came.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Channel};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     let receiver = channel.clone();
    ///     let tasklet = stackless::spawn(move || drop(receiver.receive()));
    ///     stackless::run();
    ///     assert_eq!(channel.queue(), [tasklet]);
    /// });
    /// ```
    #[must_use]
    pub fn queue(&self) -> Vec<Tasklet> {
        self.inner.waiting().into_iter().map(Tasklet::of).collect()
    }

    /// Returns the tasklet that has waited longest at the channel, if one waits.
    #[must_use]
    pub fn first(&self) -> Option<Tasklet> {
        self.inner.first_waiting().map(Tasklet::of)
    }

    /// Returns the identity of the channel, which differs from that of all other channels that
    /// exist.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        ChannelId::of_address(self.inner.address())
    }
}
