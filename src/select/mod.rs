//! Waiting for the first of several operations: [`select!`](crate::select!), and [`Select`] for a
//! list that is built at run time.
//!
//! | operation | is done when | result |
//! |---|---|---|
//! | `recv(source)` | a value is there, or none can come | like the source's `recv` |
//! | `send(sink, value)` | the value was taken, or nothing can take it | like the sink's `send` |
//! | `join(&mut handle)` | the fiber has ended | its output, like [`JoinHandle::join`](crate::JoinHandle::join) |
//! | `wait(event)` | the [`Event`](crate::sync::Event) is set | `()` |
//! | `after(duration)`, `at(instant)` | the time has come | `()` |
//! | `readable(stream)`, `writable(stream)` | a read or write would not block | `io::Result<()>` |
//! | `future(future)` | the future is ready | its output |
//!
//! Sources and sinks are the channels of [`channel`](crate::channel), [`sync`](crate::sync) and
//! [`stackless`](crate::stackless) (`SharedChannel` excepted), by value or by reference. A stream
//! is everything with a method `readable` or `writable` that returns an
//! `io::Readiness`: the sockets of `net`, and
//! `io::Waitable` for other descriptors.
//!
//! **Exclusive.** Exactly one operation is done. A partner that completes an operation of a waiting
//! fiber removes the fiber from all other queues in the same step. The values of sends that were
//! not done are dropped.
//!
//! **Fair.** If several operations can be done, the first that is tried changes: each choice of a
//! fiber starts one place further than its previous one, and after several choices the start moves
//! to another place. So no operation starves, whatever other choices the fiber makes in between,
//! and a program still runs the same way every time. With `biased;` each choice starts with the
//! first operation.
//!
//! **In order.** A waiting fiber stands in each queue like any other. Two fibers that both choose
//! meet at a channel without a buffer, also on two threads. Only a fiber that waits in a `select!`
//! until a stream is ready comes after all fibers that wait in a read or a write of that stream.
//!
//! Nothing is allocated for up to eight operations, except for the box of a future, and if one of
//! them has to wait at an object of [`sync`](crate::sync).

mod choice;
mod dynamic;
mod future;
mod macros;
mod operation;
mod transfer;

pub use choice::begin;
#[cfg(feature = "net")]
pub(crate) use choice::{Arm, Chooser};
pub use dynamic::Select;
pub use future::{FutureOp, future};
pub(crate) use operation::sealed;
pub use operation::{
    JoinOp, Joinable, Operation, RemoteJoinOp, TimerOp, WaitOp, after, at, join, wait,
};
pub use transfer::{RecvOp, SendOp, Sink, Source, recv, send};
