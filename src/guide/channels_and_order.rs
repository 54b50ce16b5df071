//! Channels and order: the order in which fibers run, and the choice of a channel.
//!
//! # The run ring
//!
//! All fibers that can run stand in one queue, the *run ring*. The scheduler runs the first one
//! until it waits, yields or ends, and then the next one.
//!
//! | event | effect on the ring |
//! |---|---|
//! | [`spawn`](crate::spawn) | the new fiber goes to the end; the caller continues |
//! | [`spawn_now`](crate::spawn_now) | the new fiber runs immediately; the caller goes to the end |
//! | [`yield_now`](crate::yield_now) | the caller goes to the end |
//! | a wait ends: a lock, a timer, a socket, a join | the waiter goes to the end |
//! | a send to a waiting receiver of a [`Channel`](crate::channel::Channel) | the receiver runs immediately; the sender goes to the end |
//! | a send to a waiting receiver of another channel | the receiver goes to the end |
//!
//! Nothing else changes the order, so a program without other threads, sockets and real time runs
//! in the same way each time:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! fibra::run(|| {
//!     let trace = Rc::new(RefCell::new(Vec::new()));
//!     let fibers = ["a", "b"].map(|name| {
//!         let trace = trace.clone();
//!         fibra::spawn(move || {
//!             for round in 1..=2 {
//!                 trace.borrow_mut().push(format!("{name}{round}"));
//!                 fibra::yield_now();
//!             }
//!         })
//!     });
//!     fibers.map(|fiber| fiber.join().unwrap());
//!     assert_eq!(*trace.borrow(), ["a1", "b1", "a2", "b2"]);
//! });
//! ```
//!
//! With a [virtual clock](crate::RuntimeBuilder::virtual_clock) timers are part of that order, too:
//! see [`testing`](crate::testing).
//!
//! # A rendezvous
//!
//! [`Channel`](crate::channel::Channel) holds nothing. A sender waits for a receiver, a receiver
//! waits for a sender, and whichever comes second completes both operations. By default the
//! receiver then runs first:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//! use fibra::channel::Channel;
//!
//! fibra::run(|| {
//!     let trace = Rc::new(RefCell::new(Vec::new()));
//!     let (channel, log) = (Channel::new(), trace.clone());
//!     let numbers = channel.clone();
//!     let receiver = fibra::spawn(move || {
//!         for n in numbers.iter() {
//!             log.borrow_mut().push(format!("got {n}"));
//!         }
//!     });
//!     for n in 1..=2 {
//!         trace.borrow_mut().push(format!("send {n}"));
//!         channel.send(n).unwrap();
//!     }
//!     channel.close();
//!     receiver.join().unwrap();
//!     assert_eq!(*trace.borrow(), ["send 1", "got 1", "send 2", "got 2"]);
//! });
//! ```
//!
//! A handle serves for both ends, and [`balance`](crate::channel::Channel::balance) returns how
//! many fibers wait at which end. [`set_preference`](crate::channel::Channel::set_preference) lets
//! the sender run first.
//!
//! # Which channel
//!
//! | need | channel |
//! |---|---|
//! | hand over, and let the other one run | [`channel::Channel`](crate::channel::Channel) |
//! | a queue with a limit: the sender waits while it is full | [`channel::bounded`](crate::channel::bounded) |
//! | a queue without a limit: a send never waits | [`channel::unbounded`](crate::channel::unbounded) |
//! | one answer, once | [`channel::oneshot`](crate::channel::oneshot()) |
//! | one answer for several readers | [`sync::promise`](crate::sync::promise()) |
//! | fibers of several threads, and plain threads | [`sync::mpmc`](crate::sync::mpmc), [`sync::oneshot`](crate::sync::oneshot()) |
//! | the most urgent first; to wait until all are done | [`pool::PriorityQueue`](crate::pool::PriorityQueue), [`pool::JoinableQueue`](crate::pool::JoinableQueue) |
//! | no value, only "it has happened" | [`sync::Event`](crate::sync::Event) |
//!
//! Every operation has four forms: `recv` waits, `try_recv` never waits, `recv_timeout` waits for a
//! duration, and `recv_deadline` until an instant.
//!
//! # The end of a channel
//!
//! A queue ends when all of its senders have been dropped: receivers get what is left, and then
//! [`RecvError`](crate::channel::RecvError). A `Channel` has one kind of handle, so it is closed
//! explicitly, by [`close`](crate::channel::Channel::close). A send that fails returns its value:
//!
//! ```
//! use fibra::channel;
//!
//! fibra::run(|| {
//!     let (sender, receiver) = channel::unbounded();
//!     drop(receiver);
//!     assert_eq!(sender.send("letter").unwrap_err().into_inner(), "letter");
//! });
//! ```
//!
//! # The first of several
//!
//! ```
//! use std::time::Duration;
//! use fibra::channel;
//!
//! fibra::run(|| {
//!     let (orders, kitchen) = channel::bounded(1);
//!     let (stop, stopped) = channel::bounded::<()>(1);
//!     fibra::spawn(move || {
//!         orders.send("soup").unwrap();
//!         fibra::sleep(Duration::from_millis(1));
//!         drop(stop);
//!     });
//!     let mut served = Vec::new();
//!     loop {
//!         fibra::select! {
//!             order = recv(kitchen) => match order {
//!                 Ok(dish) => served.push(dish),
//!                 Err(_) => break, // nothing sends orders any more
//!             },
//!             _ = recv(stopped) => break,
//!             after(Duration::from_secs(60)) => panic!("a slow evening"),
//!         }
//!     }
//!     assert_eq!(served, ["soup"]);
//! });
//! ```
//!
//! [`select`](mod@crate::select) has the rules.
//!
//! # Deadlocks
//!
//! When all fibers wait, and no timer, socket or other thread can wake one, one of the waits fails:
//! as a panic, or as an error where the call returns a `Result`. The [report](crate::Deadlock)
//! names every fiber. It happens most often for one of these reasons:
//!
//! - A loop over a channel that is never closed, because its loop or another fiber still holds a
//!   sender. Move the sender into the fiber that sends, or close the channel.
//! - A rendezvous of a fiber with itself: `send` on a `Channel` waits for *another* fiber.
//! - Two locks taken in different orders. The report names the circle.
//! - A [`join`](crate::JoinHandle::join) of a fiber that waits for the one that joins.
//!
//! A wait that another thread or the system may end (a socket, an [`Event`](crate::sync::Event))
//! is never part of a deadlock. If a program hangs in one of these, [`dump`](crate::dump()) shows
//! where.
