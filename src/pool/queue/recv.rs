//! Taking work out of a queue.

use std::time::{Duration, Instant};

use crate::channel::error::Cut;
use crate::channel::{RecvError, RecvTimeoutError, TryRecvError};
use crate::pool::line::Told;
use crate::pool::queue::WorkQueue;
use crate::pool::queue::order::Order;
use crate::sched::lowlevel::{Here, OnDeadlock, WaitReason, deadline_after, here, spend};

static RECEIVING: WaitReason =
    WaitReason::new("waiting for work in an empty queue", OnDeadlock::Fail);

impl<T, O: Order<T>> WorkQueue<T, O> {
    /// Takes the first item, waiting while there is none.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the queue was closed and is empty, [`RecvError::Deadlock`] if
    /// nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let here = here();
        spend(here);
        self.recv_or_wait(here, None).map_err(Cut::into_recv_error)
    }

    /// Takes the first item if there is one, and never waits.
    ///
    /// # Errors
    ///
    /// Says whether there is nothing now, or nothing ever again.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        if self.core.has_item() {
            if let Some(item) = self.core.take() {
                return Ok(item);
            }
        }
        Err(if self.core.is_exhausted() { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// As [`recv`](WorkQueue::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Says whether the time is over or the queue was closed and is empty.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let here = here();
        self.recv_by(here, deadline_after(here, timeout))
    }

    /// As [`recv`](WorkQueue::recv), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](WorkQueue::recv_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        let here = here();
        self.recv_by(here, here.sched.micros_at(deadline))
    }

    #[track_caller]
    fn recv_by(&self, here: Here, at: u64) -> Result<T, RecvTimeoutError> {
        spend(here);
        self.recv_or_wait(here, Some(at)).map_err(Cut::into_recv_timeout_error)
    }

    #[track_caller]
    fn recv_or_wait(&self, here: Here, by: Option<u64>) -> Result<T, Cut> {
        match self.try_recv() {
            Ok(item) => return Ok(item),
            Err(TryRecvError::Closed) => return Err(Cut::Closed),
            Err(TryRecvError::Empty) => {}
        }
        match self.core.receivers.wait(here, by, &RECEIVING) {
            Ok(Told::Served) => Ok(self.core.take_promised().expect("it was promised an item")),
            Ok(Told::TurnedAway) => Err(Cut::Closed),
            Err(interrupt) => Err(Cut::Short(interrupt)),
        }
    }
}
