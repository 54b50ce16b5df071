//! Tests the channel of `fibra::stackless`: order, closing, traps, callbacks, deadlocks.

mod callback;
mod closing;
mod deadlock;
mod order;
mod traps;
mod values;

use fibra::stackless::{self, Channel, Tasklet};

use crate::support::log;

/// Starts a tasklet that receives one value and logs its name and the value.
pub(crate) fn receiver(channel: &Channel<u32>, name: &'static str) -> Tasklet {
    let channel = channel.clone();
    stackless::spawn(move || match channel.receive() {
        Ok(value) => log(format!("{name}{value}")),
        Err(error) => log(format!("{name}:{error}")),
    })
}

/// Starts a tasklet that sends one value and then logs its name.
pub(crate) fn sender(channel: &Channel<u32>, name: &'static str, value: u32) -> Tasklet {
    let channel = channel.clone();
    stackless::spawn(move || match channel.send(value) {
        Ok(()) => log(name),
        Err(error) => log(format!("{name}:{error}")),
    })
}

/// Starts a tasklet that logs its name.
pub(crate) fn logger(name: &'static str) -> Tasklet {
    stackless::spawn(move || log(name))
}
