//! The smallest program: a fiber, a channel, a join.
//!
//! ```text
//! $ cargo run --release --example hello
//! hello from a fiber
//! ```

use fibra::channel::Channel;

fn main() {
    fibra::run(|| {
        let inbox = Channel::new();
        let outbox = inbox.clone();
        let greeter = fibra::spawn(move || outbox.send("hello from a fiber").unwrap());
        println!("{}", inbox.recv().unwrap());
        greeter.join().unwrap();
    });
}
