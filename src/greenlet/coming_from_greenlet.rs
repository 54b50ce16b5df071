//! A guide for users of Python's greenlet: its names, and one program in both languages.
//!
//! # The same program
//!
//! The example of greenlet's own documentation: two greenlets that switch to each other.
//!
//! ```python
//! from greenlet import greenlet
//!
//! def test1():
//!     print(12)
//!     gr2.switch()
//!     print(34)
//!
//! def test2():
//!     print(56)
//!     gr1.switch()
//!     print(78)
//!
//! gr1 = greenlet(test1)
//! gr2 = greenlet(test2)
//! gr1.switch()                       # 12 56 34
//! ```
//!
//! ```
//! use fibra::greenlet::Greenlet;
//!
//! fibra::frame(|| {
//!     let (gr1, gr2) = (Greenlet::empty(), Greenlet::empty());
//!     let (to_gr1, to_gr2) = (gr1.clone(), gr2.clone());
//!     gr1.set_run(move |()| {
//!         println!("12");
//!         to_gr2.switch(()).unwrap();
//!         println!("34");
//!     }).unwrap();
//!     gr2.set_run(move |()| {
//!         println!("56");
//!         to_gr1.switch(()).unwrap();
//!         println!("78");
//!     }).unwrap();
//!     gr1.switch(()).unwrap();       // 12 56 34
//! });
//! ```
//!
//! Three things are new. The greenlets live inside `frame` (or a fiber): those that are still
//! suspended at its end are unwound, so that no stack outlives what it refers to. The values that
//! pass between them have one type, here `()`. And a switch can fail, so it returns a `Result`.
//!
//! # Several types of values
//!
//! ```python
//! def consumer(first):
//!     name, size = first
//!     while True:
//!         chunk = parent.switch(size)
//!         ...
//! ```
//!
//! ```
//! use fibra::greenlet::{self, Greenlet};
//!
//! enum Message {
//!     Open(String, usize),
//!     Chunk(Vec<u8>),
//!     Want(usize),
//!     Done,
//! }
//!
//! fibra::frame(|| {
//!     let consumer = Greenlet::new(|first| {
//!         let Message::Open(name, mut left) = first else { unreachable!() };
//!         while 0 < left {
//!             let Ok(Message::Chunk(chunk)) = greenlet::main().switch(Message::Want(left)) else {
//!                 unreachable!()
//!             };
//!             left -= chunk.len();
//!         }
//!         println!("{name} is complete");
//!         Message::Done
//!     });
//!     let mut answer = consumer.switch(Message::Open("a.txt".into(), 5)).unwrap();
//!     while let Message::Want(n) = answer {
//!         answer = consumer.switch(Message::Chunk(vec![0; n.min(2)])).unwrap();
//!     }
//! });
//! ```
//!
//! # Names
//!
//! | greenlet | here |
//! |---|---|
//! | `greenlet(run)` | [`Greenlet::new`]; with a stack size [`GreenletBuilder`] |
//! | `greenlet(run, parent)` | [`Greenlet::with_parent`] |
//! | `greenlet()`, `g.run = f`, `del g.run` | [`Greenlet::empty`], [`set_run`](Greenlet::set_run), [`clear_run`](Greenlet::clear_run), [`has_run`](Greenlet::has_run) |
//! | a subclass with `run(self, ..)` | a closure that owns the state of the object |
//! | `getcurrent()` | [`greenlet::current`](super::current) |
//! | the main greenlet, the last one in the chain of `g.parent` | [`greenlet::main`](super::main) |
//! | `g.switch(value)` | [`Greenlet::switch`] |
//! | `g.switch()` | `g.switch(())`, or an empty value of `V` |
//! | `g.switch(a, b, k=c)` | a tuple, a struct or an enum |
//! | `g.throw(E, ..)` | [`Greenlet::throw`] with any payload; `catch_unwind` and `downcast` to catch it |
//! | `g.throw()` | [`Greenlet::kill`] |
//! | `raise GreenletExit(text)` | [`GreenletExit::new(text).raise()`](GreenletExit::raise) |
//! | `isinstance(result, GreenletExit)` | `Err(`[`SwitchError::Exit`]`(exit))` |
//! | `try: .. finally: x.switch()` | [`fibra::finally`](crate::finally) in a fiber; else `catch_unwind`, `resume_unwind` |
//! | `g.parent`, `g.parent = p` | [`parent`](Greenlet::parent), [`set_parent`](Greenlet::set_parent) |
//! | `g.dead`, `bool(g)` | [`is_dead`](Greenlet::is_dead), [`is_active`](Greenlet::is_active) |
//! | `g.gr_frame` | – |
//! | `g.gr_context`, `contextvars` | [`locals`](Greenlet::locals), [`set_locals`](Greenlet::set_locals), [`greenlet::locals`](super::locals) |
//! | `contextvars.copy_context()` | [`GreenletLocals::copy`] |
//! | `g.__dict__` | [`GreenletLocals`], with a type for each attribute |
//! | `settrace(f)`, `gettrace()` | [`settrace`](super::settrace), [`gettrace`](super::gettrace): greenlets are named by their [`id`](Greenlet::id) |
//! | `greenlet.error` | [`SwitchError`], [`ParentError`], [`RunError`] |
//! | "Cannot switch to a different thread" | [`SwitchError::Elsewhere`]: to a different *fiber* |
//! | `del g`, garbage collection | `drop(g)`: dropping the last handle kills a suspended greenlet immediately |
//! | `weakref.ref(g)` | – |
//! | `copy`, `pickle` | – ; `clone` clones the handle |
//!
//! [`greenlet`](super) lists the differences in the rules, and the reasons for them.

#[allow(unused_imports, reason = "the names in the table")]
use crate::greenlet::{
    Greenlet, GreenletBuilder, GreenletExit, GreenletLocals, ParentError, RunError, SwitchError,
};
