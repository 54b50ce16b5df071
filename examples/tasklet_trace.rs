//! Watches Stackless tasklets: a callback for each switch, and one for each operation at a channel.
//!
//! `set_schedule_callback` gets the tasklet that leaves and the one that comes, and
//! `set_channel_callback` the channel's operation before it is done. Both belong to the scheduler.
//!
//! ```text
//! $ cargo run --release --example tasklet_trace
//! main -> waiter
//!   waiter receives, and will block
//! waiter -> cook
//!   cook sends soup
//! cook -> waiter
//! waiter: here is the soup
//! waiter -> cook
//! cook -> main
//! ```

mod broken_pipe;

use fibra::stackless::{self, Channel, Tasklet};
use std::rc::Rc;

fn main() {
    broken_pipe::end_quietly();
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|from, to| {
            println!("{} -> {}", name_of(from), name_of(to));
        })));
        stackless::set_channel_callback(Some(Rc::new(|event| {
            let what = match event.value::<&str>() {
                Some(value) => format!("sends {value}"),
                None => "receives".into(),
            };
            let blocks = if event.will_block { ", and will block" } else { "" };
            println!("  {} {what}{blocks}", name_of(event.tasklet));
        })));
        let counter = Channel::new();
        let kitchen = counter.clone();
        let waiter = move || println!("waiter: here is the {}", counter.receive().unwrap());
        NAMES.with_borrow_mut(|names| {
            names.push((stackless::spawn(waiter), "waiter"));
            names.push((stackless::spawn(move || kitchen.send("soup").unwrap()), "cook"));
        });
        stackless::run();
        stackless::set_schedule_callback(None);
        NAMES.take();
    });
}

thread_local! {
    static NAMES: std::cell::RefCell<Vec<(Tasklet, &'static str)>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

fn name_of(tasklet: &Tasklet) -> &'static str {
    NAMES.with_borrow(|names| {
        let entry = names.iter().find(|(other, _)| other == tasklet);
        entry.map_or("main", |(_, name)| name)
    })
}
