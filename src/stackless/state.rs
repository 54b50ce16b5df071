//! The state that this façade keeps for each scheduler: traps, callbacks, the error handler, the
//! run limit.
//!
//! Invariants:
//! - Callbacks are cloned out before they are called, and dropped outside of every borrow.
//! - When `run` begins to end, the callbacks are dropped on the main fiber, and no others are
//!   stored.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::sched::core::facade::Facade;
use crate::sched::core::scheduler::Scheduler;
use crate::stackless::Tasklet;
use crate::stackless::channel_event::ChannelCallback;
use crate::stackless::time_slice::TimeSlice;

/// The type of a schedule callback: it is called with the tasklet that leaves and the one that
/// comes.
pub type ScheduleCallback = Rc<dyn Fn(&Tasklet, &Tasklet)>;

/// The type of an error handler: it is called with the ending tasklet and the payload that it
/// unwinds with.
pub type ErrorHandler = Rc<dyn Fn(&Tasklet, &(dyn Any + Send))>;

/// The façade's part of a scheduler.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) switch_trap: Cell<i32>,
    pub(crate) schedule_callback: Callback<ScheduleCallback>,
    pub(crate) error_handler: Callback<ErrorHandler>,
    pub(crate) channel_callback: Callback<ChannelCallback>,
    /// The number of fibers that are in callbacks. While it is zero, no record has to be checked
    /// for them.
    pub(crate) callbacks: Cell<usize>,
    pub(crate) time_slice: TimeSlice,
}

/// Returns the façade's part of `sched`.
pub(crate) fn state(sched: &Scheduler) -> &State {
    let facade = sched.tasklets.facade.get_or_init(|| {
        let state = State::default();
        if sched.closing.get() {
            state.close();
        }
        Box::new(state)
    });
    facade.as_any().downcast_ref().expect("this façade is the only one that is kept there")
}

impl Facade for State {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn close(&self) {
        // All are closed before the first is dropped: its destructor may set another.
        let schedule_callback = self.schedule_callback.close();
        let channel_callback = self.channel_callback.close();
        let error_handler = self.error_handler.close();
        drop(schedule_callback);
        drop(channel_callback);
        drop(error_handler);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("switch_trap", &self.switch_trap).finish_non_exhaustive()
    }
}

/// A slot for a function of the user.
pub(crate) struct Callback<F> {
    function: RefCell<Option<F>>,
    closed: Cell<bool>,
}

impl<F: Clone> Callback<F> {
    pub(crate) fn get(&self) -> Option<F> {
        self.function.borrow().clone()
    }

    pub(crate) fn is_none(&self) -> bool {
        self.function.borrow().is_none()
    }

    /// Stores `function`, unless the scheduler is ending. Returns the previous function.
    pub(crate) fn set(&self, function: Option<F>) -> Option<F> {
        if self.closed.get() {
            drop(function);
            return None;
        }
        self.function.replace(function)
    }

    /// Takes the function out, and stores none from now on.
    #[must_use]
    pub(crate) fn close(&self) -> Option<F> {
        self.closed.set(true);
        self.function.take()
    }
}

impl<F> Default for Callback<F> {
    fn default() -> Callback<F> {
        Callback { function: RefCell::new(None), closed: Cell::new(false) }
    }
}
