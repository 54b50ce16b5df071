//! The values that go through a rendezvous channel, and the operations that it refuses.

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use fibra::JoinError;
use fibra::channel::{Channel, SendError};

use super::{bystander, fixture};

use crate::support::channel::{Census, Counted, Trace};
use crate::support::{go, ms, run_virtually as run};

#[test]
fn refused_operations_leave_no_trace() {
    // S-148: no trace in the channel or the ring, and none of the value.
    let census = Census::default();
    run(|| {
        let trace = Trace::default();
        let channel = Channel::<Counted>::new();
        bystander(&trace, "a");
        drop(channel.try_send(census.value()));
        drop(channel.try_recv());
        channel.close();
        drop(channel.send(census.value()));
        drop(channel.recv());
        drop(channel.send_timeout(census.value(), ms(5)));
        drop(channel.recv_timeout(ms(5)));
        trace.say("main");
        assert_eq!(channel.balance(), 0);
        assert_eq!(census.dropped(), [1, 2, 3]);
        fibra::yield_now();
        assert_eq!(trace.take(), "main a", "no other fiber ran in between");
    });
}

#[test]
fn a_sent_panic_is_raised_by_the_receiver() {
    // S-151
    run(|| {
        let (channel, trace) = fixture();
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv()
        });
        fibra::yield_now();
        channel.send_panic(Box::new("boom")).unwrap();
        match receiver.join() {
            Err(JoinError::Panicked(panic)) => assert_eq!(panic.downcast(), Ok("boom")),
            other => panic!("{other:?}"),
        }

        // A sender that waits sends an error as well, to each form of receive.
        let receives: [fn(&Channel<u32>); 3] = [
            |channel| drop(channel.recv()),
            |channel| assert!(channel.try_recv().is_err()),
            |channel| assert!(channel.recv_timeout(ms(5)).is_err()),
        ];
        for receive in receives {
            go({
                let (channel, trace) = (channel.clone(), trace.clone());
                move || {
                    channel.send_panic(Box::new(5u8)).unwrap();
                    trace.say("sent");
                }
            });
            fibra::yield_now();
            let caught = panic::catch_unwind(AssertUnwindSafe(|| receive(&channel)));
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&5u8));
            assert_eq!(channel.balance(), 0);
            fibra::yield_now();
        }
        assert_eq!(trace.take(), "sent sent sent");
    });
}

#[test]
fn a_panic_that_could_not_be_sent_comes_back() {
    run(|| {
        let (channel, _) = fixture();
        channel.close();
        let payload = channel.send_panic(Box::new(5u8)).unwrap_err().into_inner();
        assert_eq!(payload.downcast_ref(), Some(&5u8));
        channel.open();
        match channel.send_panic(Box::new(6u8)) {
            Err(SendError::Deadlock(payload, _)) => {
                assert_eq!(payload.downcast_ref(), Some(&6u8));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn channels_travel_through_channels() {
    // S-163
    run(|| {
        let requests = Channel::<(u32, Channel<u32>)>::new();
        go({
            let requests = requests.clone();
            move || {
                for (number, reply) in &requests {
                    reply.send(number * number).unwrap();
                }
            }
        });
        let squares = [3, 4].map(|number| {
            let reply = Channel::new();
            requests.send((number, reply.clone())).unwrap();
            reply.recv().unwrap()
        });
        assert_eq!(squares, [9, 16]);
    });
}

#[test]
fn values_need_be_neither_send_nor_sized_like_a_word() {
    run(|| {
        let channel = Channel::new();
        let shared = Rc::new(1);
        go({
            let (channel, shared) = (channel.clone(), shared.clone());
            move || channel.send((shared, [7u64; 100])).unwrap()
        });
        let (received, array) = channel.recv().unwrap();
        assert!(Rc::ptr_eq(&received, &shared));
        assert_eq!(array.iter().sum::<u64>(), 700);
        let units = Channel::<()>::new();
        go({
            let units = units.clone();
            move || units.send(()).unwrap()
        });
        units.recv().unwrap();
    });
}

#[test]
fn the_channel_outlives_a_switch_in_which_all_other_handles_are_dropped() {
    // S-149
    let census = Census::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || {
                let value = channel.recv().unwrap();
                drop(channel);
                value.number
            }
        });
        fibra::yield_now();
        let sender = fibra::spawn({
            let value = census.value();
            move || {
                // This is the last handle, and it is dropped with the closure.
                channel.send(value).unwrap();
                channel.balance()
            }
        });
        assert_eq!(receiver.join().unwrap(), 1);
        assert_eq!(sender.join().unwrap(), 0);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_channel_works_in_one_run_after_the_other() {
    let channel = Channel::new();
    for value in 1..=2 {
        run(|| {
            let sender = channel.clone();
            go(move || sender.send(value).unwrap());
            assert_eq!(channel.recv().unwrap(), value);
            // This fiber still waits at the end of `run`, and is taken out of the queue.
            let sender = channel.clone();
            go(move || sender.send(9));
            fibra::yield_now();
        });
        assert_eq!(channel.balance(), 0);
    }
}
