//! Tests the channel of `fibra::stackless`: order, closing, traps, callbacks, deadlocks.

mod support;

#[path = "stackless_channel/callback.rs"]
mod callback;
#[path = "stackless_channel/closing.rs"]
mod closing;
#[path = "stackless_channel/deadlock.rs"]
mod deadlock;
#[path = "stackless_channel/order.rs"]
mod order;
#[path = "stackless_channel/traps.rs"]
mod traps;
#[path = "stackless_channel/values.rs"]
mod values;

use fibra::stackless::{self, Channel, Tasklet};
use support::log;

/// A tasklet that receives one value and logs its name and the value.
pub(crate) fn receiver(channel: &Channel<u32>, name: &'static str) -> Tasklet {
    let channel = channel.clone();
    stackless::spawn(move || match channel.receive() {
        Ok(value) => log(format!("{name}{value}")),
        Err(error) => log(format!("{name}:{error}")),
    })
}

/// A tasklet that sends one value and then logs its name.
pub(crate) fn sender(channel: &Channel<u32>, name: &'static str, value: u32) -> Tasklet {
    let channel = channel.clone();
    stackless::spawn(move || match channel.send(value) {
        Ok(()) => log(name),
        Err(error) => log(format!("{name}:{error}")),
    })
}

/// A tasklet that logs its name.
pub(crate) fn logger(name: &'static str) -> Tasklet {
    stackless::spawn(move || log(name))
}
