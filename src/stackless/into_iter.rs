//! Iterators that own the handle of the channel from which they receive: `for value in channel`.

use crate::collections::by_value::by_value;
use crate::stackless::channel::Channel;
use crate::stackless::shared::SharedChannel;

/// An iterator that owns a handle of a [`Channel`], and receives until the channel is closed and no
/// sender waits.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, Channel};
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let to = channel.clone();
///     stackless::spawn(move || {
///         (1..=3).for_each(|n| to.send(n).unwrap());
///         to.close_and_wake();
///     });
///     let mut sum = 0;
///     for n in channel {
///         sum += n;
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
pub struct IntoChannelIter<T> {
    source: Channel<T>,
}

by_value!([T: 'static] Channel => IntoChannelIter<T>, T);

/// An iterator that owns a handle of a [`SharedChannel`], and receives until the channel is closed
/// and no sender waits.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, SharedChannel};
///
/// fibra::run(|| {
///     let channel = SharedChannel::new();
///     let to = channel.clone();
///     stackless::spawn(move || {
///         (1..=3).for_each(|n| to.send(n).unwrap());
///         to.close_and_wake();
///     });
///     let mut sum = 0;
///     for n in channel {
///         sum += n;
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
pub struct IntoSharedIter<T> {
    source: SharedChannel<T>,
}

by_value!([T: Send + 'static] SharedChannel => IntoSharedIter<T>, T);
