//! The iterator that receives from a channel of the façade.

use std::fmt;

use crate::stackless::channel::Channel;
use crate::stackless::checks;

/// An iterator that receives from a [`Channel`] until it is closed and no sender waits.
///
/// # Panics
///
/// `next` panics if it cannot receive for another reason than that the channel is closed.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let numbers = channel.clone();
///     stackless::spawn(move || {
///         (1..=3).for_each(|n| numbers.send(n).unwrap());
///         numbers.close_and_wake();
///     });
///     assert_eq!((&channel).into_iter().sum::<u32>(), 6);
/// });
/// ```
pub struct ChannelIter<'a, T> {
    channel: &'a Channel<T>,
}

impl<'a, T> ChannelIter<'a, T> {
    pub(super) fn new(channel: &'a Channel<T>) -> ChannelIter<'a, T> {
        ChannelIter { channel }
    }
}

impl<T: 'static> Iterator for ChannelIter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        if self.channel.is_closing() && self.channel.balance() <= 0 {
            return None;
        }
        checks::next_of(self.channel.receive())
    }
}

impl<'a, T: 'static> IntoIterator for &'a Channel<T> {
    type Item = T;
    type IntoIter = ChannelIter<'a, T>;

    fn into_iter(self) -> ChannelIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for ChannelIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelIter").field(self.channel).finish()
    }
}
