//! The smallest program: a fiber is spawned, sends a value through a channel, and is joined.
//!
//! `run` makes the thread a scheduler until the closure has returned. `spawn` starts a fiber, which
//! runs when the current one waits: here in `recv`. `join` waits for its end and returns its
//! result.
//!
//! ```text
//! $ cargo run --release --example hello
//! hello from a fiber
//! the fiber returned 42
//! ```

use fibra::channel::Channel;

fn main() {
    fibra::run(|| {
        let inbox = Channel::new();
        let outbox = inbox.clone();
        let greeter = fibra::spawn(move || {
            outbox.send("hello from a fiber").unwrap();
            42
        });
        println!("{}", inbox.recv().unwrap());
        println!("the fiber returned {}", greeter.join().unwrap());
    });
}
