//! Tasklets with the semantics of Stackless Python, over the same fibers, ring and channels.

mod bound;
mod ending;
mod error;
mod guard;
mod record;
mod running;
mod schedule;
mod state;
mod switching;
mod tasklet;
mod throwing;
mod watchdog;

pub use bound::{Bound, spawn, tasklet};
pub use error::{TaskletError, TaskletExit};
pub use guard::{
    AtomicGuard, BlockTrapGuard, SwitchTrapGuard, atomic, block_trap, switch_trap, switch_trapped,
};
pub use record::Tempval;
pub use schedule::{
    ThreadInfo, get_schedule_callback, getcurrent, getmain, getruncount, schedule, schedule_remove,
    set_error_handler, set_schedule_callback, thread_info,
};
pub use state::{ErrorHandler, ScheduleCallback};
pub use tasklet::{Tasklet, WeakTasklet};
pub use watchdog::{Run, run, tick};
