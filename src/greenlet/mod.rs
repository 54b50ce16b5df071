//! Greenlets: call stacks that hand the thread to each other by name (cargo feature `greenlet`).
//!
//! They are the greenlets of Python: no scheduler, no channels, one verb. `g.switch(value)` goes to
//! `g`, which goes on where it last switched away; it returns what somebody switches back with.
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
//!         unreachable!("nobody switches back here")
//!     }).unwrap();
//!     assert_eq!(g1.switch("").unwrap(), "done"); // prints "12 56 34"
//!     assert!(g1.is_dead() && !g2.is_dead() && main.is_current());
//! });
//! ```
//!
//! # The rules in short
//!
//! - A greenlet runs inside [`fibra::frame`](crate::frame), or inside a fiber. The frame's (or
//!   fiber's) own stack is its *main* greenlet. A call that waits parks the whole fiber.
//! - A greenlet belongs to the frame in which it first ran, and to no other.
//! - When its function returns, the value goes to its *parent*: by default the greenlet that made it.
//!   So does a panic, which is raised there. A parent that is dead is passed over, one that has not
//!   started is started.
//! - [`GreenletExit`] ends a greenlet quietly: it is what [`kill`](Greenlet::kill) raises, and what a
//!   suspended greenlet gets whose last handle is dropped. It is returned to the parent, not raised.
//! - All that switch to each other carry values of one type `V`: they are a family. Use an enum where
//!   Python would pass what it likes. The main greenlet belongs to every family, and waits in one at
//!   a time.
//! - When a frame ends, all that is suspended in it is unwound, and can switch no more.
//!
//! [`coming_from_greenlet`] has the names side by side.
//!
//! # Handles
//!
//! [`Greenlet`] is a handle, counted like an `Rc`, and a child holds its parent. A cycle of handles (two
//! greenlets whose suspended stacks hold each other) is not found: [`kill`](Greenlet::kill) one of
//! them, or let the end of the frame unwind both.
//!
//! Dropping the last handle of a suspended greenlet runs its destructors at that very place, as other
//! code: it may switch. Do not hold a `RefCell` borrowed meanwhile, nor a lock over a switch (G-043).
//!
//! # Differences from Python's
//!
//! | rule | there | here, and why |
//! |---|---|---|
//! | G-003, G-023 | a parent of a wrong type is a `TypeError` | does not compile |
//! | G-007, G-020 | subclasses with a method `run`; names mirrored in the class | a closure |
//! | G-014, G-015 | `gr_frame`, a suspended greenlet's Python frames | Rust has no frames to show |
//! | G-016 | `__dict__` | [`GreenletLocals`] |
//! | G-017 | cannot be copied or pickled | `Clone` clones the handle |
//! | G-018 | `(thread exited) dead` | `(frame exited) dead`: its fiber or frame has ended |
//! | G-019 | weak references | the handle does not offer any; a greenlet that is not held is killed |
//! | G-024 | the parent cannot be deleted | there is no way to say it |
//! | G-033 | tuples, dicts, and both of them | one value of type `V` |
//! | G-041, G-065 | looking up `run` may switch | looking up a closure runs nothing |
//! | G-042 | each has an exception that it handles | Rust has no such state |
//! | G-045 | a `GreenletExit` object starts an unstarted parent | it is no `V`: that parent ends without running |
//! | G-055..G-057 | class, value, traceback | one payload, checked by the compiler |
//! | G-066, G-067 | killed by whoever drops the last handle | as there; if that is a greenlet and the thread unwinds, it is killed by whoever comes next |
//! | G-070 | one that survives without a handle is leaked at once | it is killed up to 100 times, then leaked, with a message |
//! | G-072 | cycles are partly found | they are unwound when the frame ends |
//! | G-073 | dropped in another thread | handles are `!Send`; dropped in another fiber, it is killed by its own |
//! | G-074 | an ended thread's stacks are freed without unwinding | all are unwound when the frame ends |
//! | G-075 | at shutdown calls fail | after the end of their frame they fail, with [`SwitchError::Gone`] |
//! | G-080, G-083 | garbage collection | there is none |
//! | G-098 | a tracer that switches is undefined | it gets [`SwitchError::Tracing`] |
//! | G-100 | `sys.settrace` | does not exist |
//! | G-101 | a C++ exception that leaves `run` aborts | a panic is raised in the parent |
//! | G-102 | stacks are copied | each has its own: pointers to locals stay valid |
//! | G-103 | a C API | not offered |
//!
//! # When nothing can be raised
//!
//! A destructor that runs because of a panic may switch. Nothing can be raised in it then: an exception
//! that comes to it is the result of its switch, [`SwitchError::Unraised`]. std says only whether
//! *some* stack of the thread unwinds, so this holds for every greenlet that was left while one did,
//! for as long as one does. If its last handle is dropped meanwhile it is killed later, when the
//! unwind is over; if its frame ends before that, it is given up with its stack.
//!
//! In a program that is built with `panic = "abort"` nothing can ever be raised: what is thrown comes
//! as an error, and suspended greenlets that lose their last handle are given up.

mod builder;
pub mod coming_from_greenlet;
mod core;
mod end;
mod error;
mod handle;
mod head;
mod kill;
mod kin;
mod locals;
mod running;
mod switch;
mod trace;
mod world;

pub use builder::GreenletBuilder;
pub use error::{
    Elsewhere, Families, GreenletExit, LocalsError, ParentError, RunError, SwitchError, ThrowError,
};
pub use handle::Greenlet;
pub use locals::GreenletLocals;
pub use running::{current, locals, main, parent};
pub use trace::{Event, GreenletId, Tracer, gettrace, settrace};
