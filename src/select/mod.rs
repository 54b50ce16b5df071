//! Waiting for the first of several things: [`select!`](crate::select!), and [`Select`] for a list
//! that is made at run time.
//!
//! | operation | is done when | gives |
//! |---|---|---|
//! | `recv(source)` | a value is there, or none can come | as the source's `recv` |
//! | `send(sink, value)` | the value was taken, or nobody can take it | as the sink's `send` |
//! | `join(&mut handle)` | the fiber has ended | its output, as [`JoinHandle::join`](crate::JoinHandle::join) |
//! | `wait(event)` | the [`Event`](crate::sync::Event) is set | `()` |
//! | `after(duration)`, `at(instant)` | the time has come | `()` |
//!
//! Sources and sinks are the channels of [`channel`](crate::channel), [`sync`](crate::sync) and
//! [`stackless`](crate::stackless) (`SharedChannel` excepted), by value or by reference.
//!
//! **Exclusive.** One operation is done, and only one: a partner that serves a waiting fiber takes it
//! out of all other queues at once. The values of sends that were not done are dropped.
//!
//! **Fair.** If several could be done at once the search begins one place further each time that the
//! fiber chooses, and after some of them at another place, so that none starves, whatever else chooses in
//! between; a program still runs the same way every time. With `biased;` it begins with the first.
//!
//! **In order.** A fiber that waits stands in each queue like any other. The channels of `sync` are
//! only watched: there it may be overtaken, and two selects do not meet at one of capacity 0.
//!
//! Nothing is allocated for up to eight operations.

mod dynamic;
mod macros;
mod operation;

pub use dynamic::Select;
pub use operation::{
    After, Join, Operation, Recv, Send, Sink, Source, Wait, after, at, choose, choose_now, join,
    recv, send, wait,
};
