//! Tasklets with the semantics of Stackless Python, over the same fibers, ring and channels.

mod bound;
mod channel;
mod channel_error;
mod channel_event;
mod ending;
mod error;
mod gate;
mod guard;
mod portable;
mod record;
mod remote;
mod running;
mod schedule;
mod shared;
mod state;
mod switching;
mod tasklet;
mod throwing;
mod watchdog;

pub use bound::{Bound, spawn, tasklet};
pub use channel::{Channel, ChannelIter};
pub use channel_error::{ChannelError, ReceiveError, SendError};
pub use channel_event::{
    ChannelCallback, ChannelEvent, ChannelId, get_channel_callback, set_channel_callback,
};
pub use error::{TaskletError, TaskletExit};
pub use guard::{
    AtomicGuard, BlockTrapGuard, SwitchTrapGuard, atomic, block_trap, switch_trap, switch_trapped,
};
pub use portable::PortableTasklet;
pub use record::Tempval;
pub use remote::RemoteTasklet;
pub use schedule::{
    ThreadInfo, get_schedule_callback, getcurrent, getmain, getruncount, schedule, schedule_remove,
    set_error_handler, set_schedule_callback, thread_info,
};
pub use shared::{SharedChannel, SharedIter};
pub use state::{ErrorHandler, ScheduleCallback};
pub use tasklet::{Tasklet, WeakTasklet};
pub use watchdog::{Run, run, tick};
