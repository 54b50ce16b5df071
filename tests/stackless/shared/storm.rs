//! Many threads, each with a scheduler, and tasklets that are killed at random: every value is
//! received once, or dropped by its sender.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fibra::channel::Preference;
use fibra::stackless::{self, SharedChannel, Tasklet};

const THREADS: usize = 4;
const ROUNDS: usize = 3_000;

/// The end of each value, by its number.
#[derive(Default)]
struct Counts {
    sent: AtomicBool,
    received: AtomicUsize,
    dropped: AtomicUsize,
}

struct Value {
    number: usize,
    ledger: Arc<Vec<Counts>>,
}

impl Value {
    fn counts(&self) -> &Counts {
        &self.ledger[self.number]
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.counts().dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Marsaglia's xorshift: the same storm every time, as far as one thread is concerned.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn every_value_is_received_once_or_dropped_by_its_sender() {
    let channel = SharedChannel::new();
    let ledger: Vec<Counts> = (0..THREADS * ROUNDS).map(|_| Counts::default()).collect();
    let ledger = Arc::new(ledger);
    let next = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|i| {
            let (channel, ledger, next) = (channel.clone(), ledger.clone(), next.clone());
            thread::spawn(move || {
                fibra::run(|| storm(Dice(i as u64 + 1), &channel, &ledger, &next));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());

    assert_eq!(channel.balance(), 0);
    let made = next.load(Ordering::Relaxed);
    let mut received = 0;
    for (number, counts) in ledger.iter().take(made).enumerate() {
        let times = counts.received.load(Ordering::Relaxed);
        assert!(times <= 1, "value {number} was received {times} times");
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 1, "value {number} was lost or doubled");
        let sent = counts.sent.load(Ordering::Relaxed);
        assert!(!sent || times == 1, "value {number} was sent and not received");
        received += times;
    }
    assert!(ROUNDS / 4 < received, "only {received} of {made} values met a receiver");
}

/// Runs the main tasklet of one thread: it starts and kills others at random.
fn storm(
    mut dice: Dice,
    channel: &SharedChannel<Value>,
    ledger: &Arc<Vec<Counts>>,
    next: &Arc<AtomicUsize>,
) {
    let mut tasklets: Vec<Tasklet> = Vec::new();
    for _ in 0..ROUNDS {
        match dice.throw(8) {
            0 | 1 => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let value = Value { number, ledger: ledger.clone() };
                tasklets.push(send(channel.clone(), value, dice.throw(3)));
            }
            2 | 3 => tasklets.push(receive(channel.clone(), dice.throw(3))),
            4 if !tasklets.is_empty() => {
                let victim = tasklets.swap_remove(dice.throw(tasklets.len()));
                end(&victim, dice.throw(3));
            }
            5 => channel.set_preference(match dice.throw(3) {
                0 => Preference::Receiver,
                1 => Preference::Neither,
                _ => Preference::Sender,
            }),
            6 => fibra::sleep(Duration::from_micros(dice.throw(30) as u64)),
            _ => stackless::schedule(),
        }
        tasklets.retain(Tasklet::is_alive);
    }
    // The others are killed by the end of `run`, or by the end of this function.
    tasklets.iter().filter(|_| dice.throw(2) == 0).for_each(|tasklet| end(tasklet, 0));
}

fn send(channel: SharedChannel<Value>, value: Value, how: usize) -> Tasklet {
    stackless::spawn(move || {
        let (number, ledger) = (value.number, value.ledger.clone());
        let sent = match how {
            0 => channel.send(value).is_ok(),
            1 => channel.send_timeout(value, Duration::from_micros(50)).is_ok(),
            _ => channel.try_send(value).is_ok(),
        };
        ledger[number].sent.store(sent, Ordering::Relaxed);
    })
}

fn receive(channel: SharedChannel<Value>, how: usize) -> Tasklet {
    stackless::spawn(move || {
        let received = match how {
            0 => channel.receive().ok(),
            1 => channel.receive_timeout(Duration::from_micros(50)).ok(),
            _ => channel.try_receive().ok(),
        };
        if let Some(value) = received {
            value.counts().received.fetch_add(1, Ordering::Relaxed);
        }
    })
}

/// Ends a tasklet in one of the possible ways.
fn end(victim: &Tasklet, how: usize) {
    match (how, victim.fiber()) {
        (0, Some(fiber)) => fiber.kill(),
        (1, _) => victim.kill_pending().unwrap(),
        _ => victim.kill().unwrap(),
    }
}
