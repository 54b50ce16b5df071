//! Tests that all receivers can be iterated over: by reference, and by value, like std's
//! receivers.

use fibra::channel::{self, Channel};
use fibra::pool::{JoinableQueue, LifoQueue};
use fibra::stackless;
use fibra::sync::mpmc;

/// Receives all values from `receiver`, which it consumes.
fn all<R: IntoIterator<Item = u8>>(receiver: R) -> Vec<u8> {
    let mut received = Vec::new();
    for value in receiver {
        received.push(value);
    }
    received
}

#[test]
fn a_receiver_is_iterated_by_value() {
    fibra::run(|| {
        let (sender, receiver) = channel::bounded(1);
        let sending = fibra::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
        assert_eq!(all(receiver), [1, 2, 3]);
        sending.join().unwrap();

        let (sender, receiver) = mpmc::bounded(1);
        let sending = fibra::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
        assert_eq!(all(receiver), [1, 2, 3]);
        sending.join().unwrap();

        let channel = Channel::new();
        let sender = channel.clone();
        let sending = fibra::spawn(move || {
            (1..=3).for_each(|n| sender.send(n).unwrap());
            sender.close();
        });
        assert_eq!(all(channel), [1, 2, 3]);
        sending.join().unwrap();

        let queue = LifoQueue::new();
        (1..=3).for_each(|n| queue.send(n).unwrap());
        queue.close();
        assert_eq!(all(queue), [3, 2, 1]);
    });
}

#[test]
fn a_channel_of_stackless_is_iterated_by_value() {
    fibra::run(|| {
        let channel = stackless::Channel::new();
        let sender = channel.clone();
        stackless::spawn(move || {
            sender.send_sequence(1..=3).unwrap();
            sender.close_and_wake();
        });
        assert_eq!(all(channel), [1, 2, 3]);

        let channel = stackless::SharedChannel::new();
        let sender = channel.clone();
        stackless::spawn(move || {
            (1..=3).for_each(|n| sender.send(n).unwrap());
            sender.close_and_wake();
        });
        assert_eq!(all(channel), [1, 2, 3]);
    });
}

#[test]
fn an_iterator_that_is_dropped_drops_its_receiver() {
    fibra::run(|| {
        let (sender, receiver) = channel::unbounded();
        sender.send(1).unwrap();
        let mut values = receiver.into_iter();
        assert_eq!(values.next(), Some(1));
        drop(values);
        assert!(sender.send(2).unwrap_err().is_closed());
    });
}

#[test]
fn iterators_are_as_short_to_print_as_what_they_own() {
    let (_sender, receiver) = channel::bounded::<u8>(1);
    let shown = format!("{:?}", receiver.into_iter());
    assert!(shown.starts_with("IntoValues(Receiver"), "{shown}");
}

#[test]
fn tasks_are_iterated_by_reference() {
    fibra::run(|| {
        let queue = JoinableQueue::new();
        (1..=3).for_each(|n| queue.send(n).unwrap());
        queue.close();
        assert_eq!(all(&queue), [1, 2, 3]);
    });
}
