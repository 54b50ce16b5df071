//! The channel of the façade as an operand of `select!`.

use crate::select::{self, Sink, Source};
use crate::stackless::channel::Channel;

// In a `select!` this is the wrapped channel: no callback is called, and no trap is checked.
impl<T: 'static> select::sealed::Sealed for Channel<T> {}

impl<T: 'static> Source for Channel<T> {
    type Item = T;

    fn recv_arm(&self) -> select::RecvOp<'_, T> {
        Source::recv_arm(self.inner())
    }
}

impl<T: 'static> Sink for Channel<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> select::SendOp<'_, T> {
        Sink::send_arm(self.inner(), value)
    }
}
