//! Streams as iterators.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;

use crate::future::block_on;

/// Returns an iterator over the items of `stream`: each call of `next` waits, like
/// [`block_on`](crate::future::block_on), until the stream has an item or has ended.
///
/// # Examples
///
/// ```
/// use fibra::sync::mpmc;
///
/// fibra::run(|| {
///     let (sender, receiver) = mpmc::bounded(1);
///     fibra::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
///     let stream = receiver.into_stream(); // or any other
///     let doubled: Vec<_> = fibra::future::iter(stream).map(|n| 2 * n).collect();
///     assert_eq!(doubled, [2, 4, 6]);
/// });
/// ```
pub fn iter<S: Stream>(stream: S) -> Iter<S> {
    Iter { stream: Box::pin(stream) }
}

/// An iterator over the items of a stream, made by [`iter`].
#[must_use = "iterators do nothing unless they are consumed"]
pub struct Iter<S> {
    stream: Pin<Box<S>>,
}

impl<S: Stream> Iterator for Iter<S> {
    type Item = S::Item;

    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        block_on(poll_fn(|cx| self.stream.as_mut().poll_next(cx)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S> fmt::Debug for Iter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iter(..)")
    }
}
