//! Sends and receives whose deadline passes.

use fibra::channel::{Channel, RecvTimeoutError, SendTimeoutError, bounded, unbounded};

use crate::support::channel::{Census, Counted};
use crate::support::{go, ms, run_virtually as run};

#[test]
fn a_sender_that_times_out_gets_its_own_value_back() {
    let census = Census::default();
    run(|| {
        let channel = Channel::new();
        let start = fibra::now();
        match channel.send_timeout(census.value(), ms(5)) {
            Err(SendTimeoutError::Timeout(value)) => assert_eq!(value.number, 1),
            other => panic!("{other:?}"),
        }
        assert_eq!((fibra::now() - start, channel.balance()), (ms(5), 0));

        let (sender, receiver) = bounded(1);
        sender.send(census.value()).unwrap();
        match sender.send_deadline(census.value(), fibra::now() + ms(5)) {
            Err(SendTimeoutError::Timeout(value)) => assert_eq!(value.number, 3),
            other => panic!("{other:?}"),
        }
        assert_eq!(fibra::now() - start, ms(10));
        assert_eq!(receiver.recv().unwrap().number, 2);
        assert!(receiver.try_recv().is_err(), "the third was given back");
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_receiver_that_times_out_leaves_the_queue_and_takes_nothing() {
    run(|| {
        let channel = Channel::<u32>::new();
        assert_eq!(channel.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        assert_eq!(channel.balance(), 0);
        let (sender, receiver) = unbounded();
        assert_eq!(receiver.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        sender.send(1).unwrap();
        assert_eq!(receiver.len(), 1);
        assert_eq!(receiver.recv_deadline(fibra::now()), Ok(1));
    });
}

#[test]
fn a_fiber_that_timed_out_but_has_not_run_yet_is_still_served() {
    // Two deadlines pass at the same time: the sleeper runs first and meets the other fiber.
    let census = Census::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let sleeper = fibra::spawn({
            let (channel, census) = (channel.clone(), census.clone());
            move || {
                fibra::sleep(ms(5));
                channel.try_send(census.value()).expect("the receiver is still in the queue");
            }
        });
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv_timeout(ms(5)).unwrap().number
        });
        assert_eq!(receiver.join().unwrap(), 1);
        sleeper.join().unwrap();

        let (sender, receiver) = bounded(0);
        let sleeper = fibra::spawn(move || {
            fibra::sleep(ms(5));
            receiver.try_recv().map(|value: Counted| value.number)
        });
        let value = census.value();
        let waiter = fibra::spawn(move || sender.send_timeout(value, ms(5)).is_ok());
        assert!(waiter.join().unwrap());
        assert_eq!(sleeper.join().unwrap().unwrap(), 2);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_timeout_that_was_beaten_does_not_disturb_the_next_wait() {
    run(|| {
        let channel = Channel::<u32>::new();
        let other = Channel::<u32>::new();
        go({
            let (channel, other) = (channel.clone(), other.clone());
            move || {
                fibra::sleep(ms(5));
                channel.try_send(1).unwrap();
                fibra::sleep(ms(50));
                other.send(2).unwrap();
            }
        });
        let receiver = fibra::spawn(move || {
            let first = channel.recv_timeout(ms(5)).unwrap();
            // This wait has no deadline: a leftover of the first deadline would end it.
            (first, other.recv().unwrap())
        });
        assert_eq!(receiver.join().unwrap(), (1, 2));
    });
}
