//! Publish and subscribe: topics with wildcards, and a slow subscriber that holds up no one.
//!
//! A publisher hands a message to the broker, which puts it into the queue of each subscriber whose
//! pattern matches the topic. The queues are bounded, and the broker never waits: what does not fit
//! is counted as lost for that subscriber. Dropping a subscription ends it: the broker notices that
//! the receiver is gone at the next message.
//!
//! ```text
//! $ cargo run --release --example pub_sub
//! every reading (sensor.*.*):      12 received,  0 lost
//! the kitchen (sensor.kitchen.*):   6 received,  0 lost
//! a slow reader (sensor.#):         3 received,  9 lost
//! one reading (sensor.hall.light):  1 received,  0 lost, unsubscribed
//! the broker has 3 subscribers at the end
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::channel::{Receiver, Sender, TrySendError, bounded};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let broker = Broker::default();
        let readers = [
            ("every reading", "sensor.*.*", 0, usize::MAX),
            ("the kitchen", "sensor.kitchen.*", 0, usize::MAX),
            ("a slow reader", "sensor.#", 5, usize::MAX),
            ("one reading", "sensor.hall.light", 0, 1),
        ]
        .map(|(name, pattern, seconds, most)| {
            let subscription = broker.subscribe(pattern, 2);
            fibra::spawn(move || read(name, &subscription, seconds, most))
        });
        for second in 0..3 {
            for room in ["kitchen", "hall"] {
                for quantity in ["heat", "light"] {
                    broker.publish(&format!("sensor.{room}.{quantity}"), second);
                    fibra::yield_now(); // Lets the readers run, as any wait does.
                }
            }
            fibra::sleep(Duration::from_secs(1));
        }
        let subscribers = broker.subscribers.borrow().len();
        drop(broker); // Closes the queues: the readers end after what is left in them.
        for reader in readers {
            println!("{}", reader.join().expect("no reader panics"));
        }
        println!("the broker has {subscribers} subscribers at the end");
    });
    Ok(())
}

/// Takes up to `most` messages, with a pause of `seconds` after each.
fn read(name: &str, subscription: &Subscription, seconds: u64, most: usize) -> String {
    let mut received = 0;
    for _ in subscription.messages.iter().take(most) {
        received += 1;
        fibra::sleep(Duration::from_secs(seconds));
    }
    let name = format!("{name} ({}):", subscription.pattern);
    let lost = subscription.lost.get();
    let left = if received == most { ", unsubscribed" } else { "" };
    format!("{name:32} {received:2} received, {lost:2} lost{left}")
}

#[derive(Default)]
struct Broker {
    subscribers: RefCell<Vec<Subscriber>>,
}

struct Subscriber {
    pattern: &'static str,
    queue: Sender<u64>,
    lost: Rc<Cell<u32>>,
}

struct Subscription {
    pattern: &'static str,
    messages: Receiver<u64>,
    /// The number of messages that found the queue full.
    lost: Rc<Cell<u32>>,
}

impl Broker {
    fn subscribe(&self, pattern: &'static str, capacity: usize) -> Subscription {
        let (queue, messages) = bounded(capacity);
        let lost = Rc::new(Cell::new(0));
        self.subscribers.borrow_mut().push(Subscriber { pattern, queue, lost: lost.clone() });
        Subscription { pattern, messages, lost }
    }

    /// Queues `message` for each matching subscriber. `try_send` does not wait, so the list may
    /// stay borrowed.
    fn publish(&self, topic: &str, message: u64) {
        self.subscribers.borrow_mut().retain(|subscriber| {
            if !matches(subscriber.pattern, topic) {
                return true;
            }
            match subscriber.queue.try_send(message) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    subscriber.lost.set(subscriber.lost.get() + 1);
                    true
                }
                Err(TrySendError::Closed(_)) => false,
            }
        });
    }
}

/// Returns whether `topic` matches: `*` stands for one word, and `#` at the end for all that
/// follow.
fn matches(pattern: &str, topic: &str) -> bool {
    let (mut pattern, mut topic) = (pattern.split('.'), topic.split('.'));
    loop {
        match (pattern.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some(wanted), Some(word)) if wanted == "*" || wanted == word => {}
            _ => return false,
        }
    }
}
