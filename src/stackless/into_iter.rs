//! Iterators that own the handle of the channel from which they receive: `for value in channel`.

use std::fmt;

use crate::stackless::channel::Channel;
use crate::stackless::shared::SharedChannel;

/// Receives from a [`Channel`], of which it owns a handle, until that is closed and no sender waits.
pub struct IntoChannelIter<T> {
    channel: Channel<T>,
}

impl<T: 'static> Iterator for IntoChannelIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.channel.iter().next()
    }
}

impl<T: 'static> IntoIterator for Channel<T> {
    type Item = T;
    type IntoIter = IntoChannelIter<T>;

    fn into_iter(self) -> IntoChannelIter<T> {
        IntoChannelIter { channel: self }
    }
}

impl<T> fmt::Debug for IntoChannelIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoChannelIter").field(&self.channel).finish()
    }
}

/// Receives from a [`SharedChannel`], of which it owns a handle, until that is closed and no sender
/// waits.
pub struct IntoSharedIter<T> {
    channel: SharedChannel<T>,
}

impl<T: Send + 'static> Iterator for IntoSharedIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.channel.iter().next()
    }
}

impl<T: Send + 'static> IntoIterator for SharedChannel<T> {
    type Item = T;
    type IntoIter = IntoSharedIter<T>;

    fn into_iter(self) -> IntoSharedIter<T> {
        IntoSharedIter { channel: self }
    }
}

impl<T> fmt::Debug for IntoSharedIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoSharedIter").field(&self.channel).finish()
    }
}
