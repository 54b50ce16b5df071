//! Greenlets: call stacks that switch to each other explicitly (cargo feature `greenlet`).
//!
//! They are the greenlets of Python: no scheduler, no channels, one operation. `g.switch(value)`
//! switches to `g`, which continues where it last switched away. The call returns the value with
//! which another greenlet switches back.
//!
//! ```
//! use fibra::greenlet::{self, Greenlet};
//!
//! fibra::frame(|| {
//!     let main = greenlet::main::<&str>();
//!     let (g1, g2) = (Greenlet::empty(), Greenlet::empty());
//!     let (to_g1, to_g2) = (g1.clone(), g2.clone());
//!     g1.set_run(move |_| {
//!         print!("12 ");
//!         to_g2.switch("").unwrap();
//!         print!("34 ");
//!         "done"
//!     }).unwrap();
//!     g2.set_run(move |_| {
//!         print!("56 ");
//!         to_g1.switch("").unwrap();
//!         unreachable!("no greenlet switches back here")
//!     }).unwrap();
//!     assert_eq!(g1.switch("").unwrap(), "done"); // prints "12 56 34"
//!     assert!(g1.is_dead() && !g2.is_dead() && main.is_current());
//! });
//! ```
//!
//! # The rules in short
//! # The rules in short
//!
//! - A greenlet runs inside [`fibra::frame`](crate::frame), or inside a fiber. The frame's (or
//!   fiber's) own stack is its *main* greenlet. A call that waits parks the whole fiber.
//! - A greenlet belongs to the frame in which it first ran, and to no other.
//! - When its function returns, the value goes to its *parent*: by default the greenlet that
//!   created it. A panic goes there as well, and is raised in the parent. A parent that is dead is
//!   passed over; a parent that has not started is started.
//! - [`GreenletExit`] ends a greenlet quietly: [`kill`](Greenlet::kill) raises it, and so does
//!   dropping the last handle of a suspended greenlet. It is returned to the parent, not raised.
//! - All greenlets that switch to each other carry values of one type `V`: they are a family. Use
//!   an enum where Python would pass values of several types. The main greenlet belongs to every
//!   family, and waits for values of one family at a time.
//! - When a frame ends, all greenlets that are suspended in it are unwound, and can no longer
//!   switch.
//!
//! [`coming_from_greenlet`] lists the names in both libraries.
//!
//! # Handles
//!
//! [`Greenlet`] is a handle, counted like an `Rc`, and a child holds a handle of its parent. A
//! cycle of handles (two greenlets whose suspended stacks hold each other) is not detected:
//! [`kill`](Greenlet::kill) one of them, or let the end of the frame unwind both.
//!
//! Dropping the last handle of a suspended greenlet runs its destructors right there, and they may
//! switch to other greenlets. So do not hold a borrow of a `RefCell` while you drop a handle, and
//! no lock while you switch.
//!
//! # Differences from Python's greenlet
//!
//! | Python | here, and why |
//! |---|---|
//! | a parent of a wrong type is a `TypeError` | does not compile |
//! | subclasses with a method `run`; names mirrored in the class | a closure |
//! | `gr_frame`, a suspended greenlet's Python frames | Rust has no frames to show |
//! | `__dict__` | [`GreenletLocals`] |
//! | cannot be copied or pickled | `Clone` clones the handle |
//! | prints as `(thread exited) dead` | `(frame exited) dead`: its fiber or frame has ended |
//! | weak references | the handle does not offer any; a suspended greenlet without a handle is killed |
//! | the parent cannot be deleted | there is no operation for it |
//! | a switch carries tuples, dicts, or both of them | one value of type `V` |
//! | looking up `run` may switch | looking up a closure runs no code |
//! | each greenlet has an exception that it handles | Rust has no such state |
//! | a `GreenletExit` object starts an unstarted parent | it is no `V`: that parent ends without running |
//! | `throw` takes class, value, traceback | one payload, checked by the compiler |
//! | a drop of the last handle kills, and the dropper is the parent meanwhile | the same; but if the dropper is a greenlet other than main, and the thread unwinds, the next greenlet that arrives kills it |
//! | a greenlet that survives the kill without a handle is leaked immediately | it is killed up to 100 times, then leaked, with a message |
//! | cycles are partly found | they are unwound when the frame ends |
//! | dropped in another thread | handles are `!Send`; a greenlet that is dropped in another fiber is killed by its own fiber |
//! | an ended thread's stacks are freed without unwinding | all are unwound when the frame ends |
//! | at shutdown calls fail | after the end of their frame they fail, with [`SwitchError::Gone`] |
//! | garbage collection | there is none |
//! | a tracer that switches is undefined | its switches return [`SwitchError::Tracing`] |
//! | `sys.settrace` | does not exist |
//! | a C++ exception that leaves `run` aborts | a panic is raised in the parent |
//! | stacks are copied | each greenlet has its own: pointers to locals stay valid |
//! | a C API | not offered |
//!
//! # When nothing can be raised
//!
//! A destructor that runs because of a panic may switch. Nothing can be raised in that greenlet
//! then: a payload that comes to it is returned by its switch, as [`SwitchError::Unraised`]. std
//! reports only whether *some* stack of the thread unwinds, so this holds for every greenlet that
//! was left while a stack unwound, for as long as one does. If the last handle of such a greenlet
//! is dropped meanwhile, it is killed later, when the unwind is over; if its frame ends before
//! that, it is abandoned with its stack.
//!
//! In a program that is built with `panic = "abort"` nothing can ever be raised: what is thrown is
//! returned as an error, and suspended greenlets that lose their last handle are abandoned.

mod ancestry;
mod builder;
pub mod coming_from_greenlet;
mod context;
mod core;
mod end;
mod error;
mod handle;
mod header;
mod kill;
mod locals;
mod running;
mod switch;
mod throw;
mod trace;

pub use builder::GreenletBuilder;
pub use error::{
    Elsewhere, Families, GreenletExit, LocalsError, ParentError, RunError, SwitchError, ThrowError,
};
pub use handle::Greenlet;
pub use locals::GreenletLocals;
pub use running::{current, locals, main, parent};
pub use trace::{Event, GreenletId, Tracer, gettrace, settrace};
