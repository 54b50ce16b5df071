//! The place at a seat where other threads ask its scheduler for a dump of its fibers.
//!
//! A scheduler reads its own fibers only, so a thread that wants to see them leaves a request:
//!
//! ```text
//!   asking thread                           run loop of the scheduler
//!   request in the desk, and mail           mail -> takes all requests out of its desk,
//!     unless some is on its way                     and puts a dump into each
//!   waits for the event of the request <--- sets the event after the last answer
//!   takes the request out of all desks
//! ```
//!
//! Invariants:
//! - No more than one message for a desk is on its way, and each request is taken out by the thread
//!   that left it. So requests take bounded memory, even if a scheduler is busy for long.
//! - The run loop answers without a wait and without user code. So schedulers that ask each other
//!   answer each other, and a fiber that asks waits for an event like for any other.
//! - Requests that are left before the scheduler starts are answered by its first turn, and those
//!   that are left when it ends by closing the desk.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::collections::locked::locked;
use crate::fiber::snapshot::Dump;
use crate::sched::deadlock::dump::Stats;
use crate::sched::shared::owner::Owner;
use crate::sync::Event;

/// The requests for dumps of one scheduler.
#[derive(Debug)]
pub(crate) struct Desk(Mutex<State>);

#[derive(Debug)]
enum State {
    Open {
        /// Whether the scheduler has started.
        started: bool,
        requests: Vec<Arc<Request>>,
        /// Whether mail is on its way.
        posted: bool,
    },
    /// The scheduler has ended.
    Closed,
}

/// The answer of one scheduler.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    NotStarted,
    /// Its fibers, its counters, and those of its fibers that wait for a lock which a fiber of
    /// another scheduler holds: the place of each in the list, and the holder.
    Fibers(Dump, Box<Stats>, Vec<(usize, Owner)>),
    Ended,
}

/// A request to all schedulers of a runtime.
pub(crate) struct Request {
    /// The number of fibers of each scheduler that the dump lists.
    pub(crate) most: usize,
    /// Whether the dump has the stacks of the fibers.
    #[cfg(feature = "diagnostics")]
    pub(crate) stacks: bool,
    /// Set when all schedulers have answered.
    pub(crate) complete: Event,
    /// Whether nothing waits for it, and the scheduler that answers last reports a stall.
    pub(crate) of_stall: bool,
    /// Whether each scheduler slept when it was asked.
    pub(crate) asleep: Box<[AtomicBool]>,
    missing: AtomicUsize,
    answers: Mutex<Box<[Option<Answer>]>>,
}

impl Request {
    pub(crate) fn new(schedulers: usize, most: usize, of_stall: bool) -> Arc<Request> {
        Arc::new(Request::unshared(schedulers, most, of_stall))
    }

    /// Returns a request for all fibers with their stacks.
    #[cfg(feature = "diagnostics")]
    pub(crate) fn with_stacks(schedulers: usize) -> Arc<Request> {
        Arc::new(Request { stacks: true, ..Request::unshared(schedulers, usize::MAX, false) })
    }

    fn unshared(schedulers: usize, most: usize, of_stall: bool) -> Request {
        Request {
            most,
            #[cfg(feature = "diagnostics")]
            stacks: false,
            complete: Event::new(),
            of_stall,
            asleep: (0..schedulers).map(|_| AtomicBool::new(false)).collect(),
            missing: AtomicUsize::new(schedulers),
            answers: Mutex::new(vec![None; schedulers].into()),
        }
    }

    /// Notes the answer of the scheduler `index`, which answers once. Returns whether that was the
    /// last one.
    pub(crate) fn answer(&self, index: usize, answer: Answer) -> bool {
        if let Some(place) = locked(&self.answers).get_mut(index) {
            *place = Some(answer);
        }
        let is_last = self.missing.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last {
            self.complete.set();
        }
        is_last
    }

    /// Takes the answers that have come so far.
    pub(crate) fn take_answers(&self) -> Box<[Option<Answer>]> {
        std::mem::take(&mut *locked(&self.answers))
    }
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk(Mutex::new(State::Open { started: false, requests: Vec::new(), posted: false }))
    }

    /// Notes that the scheduler starts.
    pub(crate) fn start(&self) {
        if let State::Open { started, .. } = &mut *locked(&self.0) {
            *started = true;
        }
    }

    /// Returns whether the scheduler has started. It may have ended since.
    pub(crate) fn has_started(&self) -> bool {
        !matches!(*locked(&self.0), State::Open { started: false, .. })
    }

    /// Closes the desk of the scheduler `index`, which ends, and answers what is left.
    pub(crate) fn close(&self, index: usize) {
        let before = std::mem::replace(&mut *locked(&self.0), State::Closed);
        if let State::Open { requests, .. } = before {
            for request in requests {
                request.answer(index, Answer::Ended);
            }
        }
    }

    /// Leaves `request`. Returns whether the caller must post mail to the scheduler.
    ///
    /// # Errors
    ///
    /// Returns the answer if the scheduler has ended.
    pub(crate) fn leave(&self, request: &Arc<Request>) -> Result<bool, Answer> {
        match &mut *locked(&self.0) {
            State::Open { requests, posted, .. } => {
                requests.push(request.clone());
                Ok(!std::mem::replace(posted, true))
            }
            State::Closed => Err(Answer::Ended),
        }
    }

    /// Takes out all requests. Called by the scheduler, when it gets the mail.
    pub(crate) fn take(&self) -> Vec<Arc<Request>> {
        match &mut *locked(&self.0) {
            State::Open { requests, posted, .. } => {
                *posted = false;
                std::mem::take(requests)
            }
            State::Closed => Vec::new(),
        }
    }

    /// Takes out `request`, for which nothing waits any more.
    pub(crate) fn withdraw(&self, request: &Arc<Request>) {
        if let State::Open { requests, .. } = &mut *locked(&self.0) {
            requests.retain(|left| !Arc::ptr_eq(left, request));
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("missing", &self.missing).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn requests_share_one_message_until_it_is_delivered() {
        let desk = Desk::new();
        let requests: Vec<_> = (0..3).map(|_| Request::new(1, 1, false)).collect();
        let posts: Vec<_> = requests.iter().map(|it| desk.leave(it).unwrap()).collect();
        assert_eq!(posts, [true, false, false]);
        desk.withdraw(&requests[1]);
        assert_eq!(desk.take().len(), 2);
        assert!(desk.leave(&requests[0]).unwrap(), "the message was delivered");
        // A message that finds no request does no harm.
        desk.withdraw(&requests[0]);
        assert!(!desk.leave(&requests[0]).unwrap());
    }

    #[test]
    fn a_desk_that_closes_answers_what_is_left() {
        let desk = Desk::new();
        assert!(!desk.has_started());
        desk.start();
        let request = Request::new(2, 1, false);
        desk.leave(&request).unwrap();
        desk.close(1);
        assert!(desk.has_started());
        assert!(matches!(desk.leave(&request), Err(Answer::Ended)));
        assert!(!request.complete.is_set());
        request.answer(0, Answer::NotStarted);
        assert!(request.complete.is_set());
        let answers = request.take_answers();
        assert!(matches!(answers[..], [Some(Answer::NotStarted), Some(Answer::Ended)]));
    }
}
