//! Tasklets as other threads see them: orders are posted, and carried out by the owner.
//!
//! Invariants:
//! - A post never switches and never waits (S-059, S-194). Orders are carried out in the order in
//!   which they were posted, between two turns of the owner's tasklets.
//! - An order is checked by the owner, when it is carried out. One that does not fit the state which
//!   the tasklet has then does nothing.

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
/// It is `Send` and `Sync`, and made by [`Tasklet::remote`](crate::stackless::Tasklet::remote). What
/// it is asked is done by the tasklet's own thread, which is woken if it sleeps (S-195); the call
/// returns at once. An order for which the tasklet is in the wrong state by then does nothing.
///
/// Orders are kept until they are carried out, up to 32 for each tasklet. Later ones fold into them, with the
/// same result, if the owner is that far behind; of two payloads thrown in a row the later replaces the
/// earlier, as it does where they are delivered, and the caller drops that. So other threads can neither
/// fill the owner's memory nor stop its tasklets.
///
/// It means the life that the tasklet had when the handle was made: one that is bound anew is
/// another. It does not keep a paused tasklet alive. As long as one exists, its tasklet is not part
/// of a deadlock.
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
    /// None for a tasklet that had no life.
    address: Option<Address>,
    thread: ThreadId,
}

impl RemoteTasklet {
    /// A handle to the tasklet whose life is `fiber`, one of `sched`.
    pub(crate) fn new(life: Option<(SchedulerPtr, &FiberRef)>) -> RemoteTasklet {
        let address = life.map(|(sched, fiber)| Address::new(sched, fiber.ptr(), Reach::Command));
        RemoteTasklet { address, thread: thread::current().id() }
    }

    /// Puts it at the end of its ring, if it is paused (S-034).
    ///
    /// # Errors
    ///
    /// [`TaskletError::NoThread`] if its `run` is over, and [`TaskletError::Dead`] if it was not
    /// alive when the handle was made.
    pub fn insert(&self) -> Result<(), TaskletError> {
        self.order(Order::Insert)
    }

    /// Takes it out of its ring, if it is in it. One that is dead, or whose `run` is over, is
    /// in none.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn remove(&self) -> Result<(), TaskletError> {
        // There is nothing to remove where nothing takes the order.
        let _ = self.order(Order::Remove);
        Ok(())
    }

    /// Lets it run before all others of its thread (S-046). The caller goes on at once.
    ///
    /// # Errors
    ///
    /// As [`insert`](RemoteTasklet::insert).
    pub fn run(&self) -> Result<(), TaskletError> {
        self.order(Order::Run)
    }

    /// Asks it to end: throws [`TaskletExit`] (S-050).
    ///
    /// # Errors
    ///
    /// None at present. Killing one that is dead, or whose `run` is over, does nothing.
    pub fn kill(&self) -> Result<(), TaskletError> {
        let _ = self.order(Order::Throw(Box::new(TaskletExit)));
        Ok(())
    }

    /// Throws `payload` at it: it is taken off its channel, put at the end of its ring, and unwinds
    /// with the payload when its turn comes (S-059). A payload that comes too late is dropped in
    /// its thread, and one that this replaces before it was delivered by the caller.
    ///
    /// # Errors
    ///
    /// [`TaskletError::NoThreadThrow`] if its `run` is over, and
    /// [`TaskletError::DeadThrow`] if it was not alive when the handle was made, which a
    /// [`TaskletExit`] does not mind. Both give the payload back.
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

    /// The thread that it belongs to, as long as that runs its scheduler (S-084).
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        let gone = self.address.as_ref().is_none_or(Address::is_gone);
        (!gone).then_some(self.thread)
    }

    /// The fiber that it means, if it was alive when the handle was made.
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
