//! Handles to tasklets for other threads: orders are posted, and the tasklet's own thread carries
//! them out.
//!
//! Invariants:
//! - A post never switches and never waits. Orders are carried out in the order in which they were
//!   posted, between the runs of two of the owner's tasklets.
//! - The owner checks an order when it carries it out. An order that does not fit the tasklet's
//!   state at that time does nothing.

use std::any::Any;
use std::fmt;
use std::thread::{self, ThreadId};

use crate::fiber::header::FiberRef;
use crate::fiber::id::FiberId;
use crate::fiber::identity::Payload;
use crate::sched::core::scheduler::SchedulerPtr;
use crate::sched::shared::mailbox::Order;
use crate::sched::threads::remote::{Address, Reach};
use crate::stackless::error::{TaskletError, TaskletExit};

/// A handle to a tasklet that any thread may use.
///
/// It is `Send` and `Sync`, and made by [`Tasklet::remote`](crate::stackless::Tasklet::remote). Its
/// methods post an order, which the tasklet's own thread carries out (it is woken if it sleeps),
/// and return immediately. An order does nothing if the tasklet is in the wrong state by then.
///
/// Orders are kept until they are carried out, up to 32 for each tasklet. If the owner is that far
/// behind, later orders are merged into these, with the same result. Of two payloads thrown in a
/// row, the later replaces the earlier, as it does where they are delivered, and the caller drops
/// the earlier one. So other threads can neither fill the owner's memory nor stop its tasklets.
///
/// A handle refers to the fiber that the tasklet had when the handle was made: if the tasklet is
/// bound again, that is another fiber. A handle does not keep a paused tasklet alive. While one
/// exists, its tasklet is not part of a deadlock.
///
/// # Examples
///
/// ```
/// use fibra::stackless;
///
/// fibra::run(|| {
///     let channel = stackless::SharedChannel::new();
///     let answer = channel.clone();
///     let paused = stackless::tasklet(move |()| answer.send("here").unwrap()).bind(());
///     let remote = paused.remote();
///     let thread = std::thread::spawn(move || remote.insert().unwrap());
///     assert_eq!(channel.receive().unwrap(), "here");
///     thread.join().unwrap();
/// });
/// ```
#[derive(Clone)]
pub struct RemoteTasklet {
    /// `None` for a tasklet that had no fiber.
    address: Option<Address>,
    thread: ThreadId,
}

impl RemoteTasklet {
    /// Creates a handle to a tasklet, from its scheduler and fiber, if it has a fiber.
    pub(crate) fn new(life: Option<(SchedulerPtr, &FiberRef)>) -> RemoteTasklet {
        let address = life.map(|(sched, fiber)| Address::new(sched, fiber.ptr(), Reach::Command));
        RemoteTasklet { address, thread: thread::current().id() }
    }

    /// Puts the tasklet at the end of its run ring, if it is paused.
    ///
    /// # Errors
    ///
    /// Returns [`TaskletError::NoThread`] if its `run` is over, and [`TaskletError::Dead`] if the
    /// tasklet was not alive when the handle was made.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::tasklet(|()| println!("woken by a thread")).bind(());
    ///     let remote = tasklet.remote();
    ///     let thread = std::thread::spawn(move || remote.insert());
    ///     while tasklet.is_alive() {
    ///         fibra::yield_now();
    ///     }
    ///     thread.join().unwrap().unwrap();
    /// });
    /// ```
    pub fn insert(&self) -> Result<(), TaskletError> {
        self.order(Order::Insert)
    }

    /// Removes the tasklet from its run ring, if it is in it. A tasklet that is dead, or whose
    /// `run` is over, is in no ring.
    ///
    /// # Errors
    ///
    /// Returns no error at present.
    pub fn remove(&self) -> Result<(), TaskletError> {
        // If nothing accepts the order, there is nothing to remove.
        let _ = self.order(Order::Remove);
        Ok(())
    }

    /// Runs the tasklet before all others of its thread. The caller continues immediately.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`insert`](RemoteTasklet::insert).
    pub fn run(&self) -> Result<(), TaskletError> {
        self.order(Order::Run)
    }

    /// Asks the tasklet to end: throws [`TaskletExit`] into it.
    ///
    /// # Errors
    ///
    /// Returns no error at present. A kill of a tasklet that is dead, or whose `run` is over, does
    /// nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| loop { fibra::yield_now() });
    ///     let remote = tasklet.remote();
    ///     std::thread::spawn(move || remote.kill());
    ///     while tasklet.is_alive() {
    ///         fibra::yield_now();
    ///     }
    /// });
    /// ```
    pub fn kill(&self) -> Result<(), TaskletError> {
        let _ = self.order(Order::Throw(Box::new(TaskletExit)));
        Ok(())
    }

    /// Throws `payload` into the tasklet: it is removed from its channel, put at the end of its run
    /// ring, and unwinds with the payload when it runs. A payload that comes too late is dropped in
    /// the tasklet's thread; a payload that this one replaces before it was delivered is dropped by
    /// the caller.
    ///
    /// # Errors
    ///
    /// Returns the payload in a [`TaskletError::NoThreadThrow`] if the tasklet's `run` is over, and
    /// in a [`TaskletError::DeadThrow`] if the tasklet was not alive when the handle was made. A
    /// [`TaskletExit`] is accepted in the second case.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| {
    ///         let error = stackless::caught(|| loop { fibra::yield_now() }).unwrap_err();
    ///         assert!(error.is::<&str>());
    ///     });
    ///     fibra::yield_now(); // it has started
    ///     let remote = tasklet.remote();
    ///     std::thread::spawn(move || remote.throw("out of milk"));
    ///     while tasklet.is_alive() {
    ///         fibra::yield_now();
    ///     }
    /// });
    /// ```
    pub fn throw(&self, payload: impl Any + Send) -> Result<(), TaskletError> {
        let payload: Payload = Box::new(payload);
        let Some(address) = &self.address else {
            if payload.is::<TaskletExit>() {
                return Ok(());
            }
            return Err(TaskletError::dead_throw(payload, self.describe()));
        };
        match address.order(Order::Throw(payload)) {
            Err(Order::Throw(payload)) => {
                Err(TaskletError::no_thread_throw(payload, self.describe()))
            }
            _ => Ok(()),
        }
    }

    /// Returns the thread that the tasklet belongs to, while that thread runs its scheduler.
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        let gone = self.address.as_ref().is_none_or(Address::is_gone);
        (!gone).then_some(self.thread)
    }

    /// Returns the fiber that the handle refers to, if the tasklet was alive when the handle was
    /// made.
    #[must_use]
    pub fn id(&self) -> Option<FiberId> {
        self.address.as_ref().map(Address::id)
    }

    fn order(&self, order: Order) -> Result<(), TaskletError> {
        let Some(address) = &self.address else {
            return Err(TaskletError::Dead(self.describe()));
        };
        address.order(order).map_err(|_| TaskletError::NoThread(self.describe()))
    }

    fn describe(&self) -> String {
        match self.id() {
            Some(id) => format!("tasklet of fiber {id} of another thread"),
            None => "an empty or dead tasklet".into(),
        }
    }
}

impl fmt::Debug for RemoteTasklet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTasklet").field("fiber", &self.id()).finish_non_exhaustive()
    }
}
