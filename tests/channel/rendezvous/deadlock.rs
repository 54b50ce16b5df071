//! Waits at a rendezvous channel that no other fiber can end.

use std::panic::{self, AssertUnwindSafe};

use fibra::channel::{Channel, RecvError, SendError};

use super::{bystander, fixture};

use crate::support::{go, ms, run_virtually as run};

#[test]
fn main_alone_at_a_channel_fails_with_a_deadlock_and_goes_on() {
    // T28, S-167, S-169
    run(|| {
        let (channel, _) = fixture();
        let error = channel.recv().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, RecvError::Deadlock(_)));
        assert!(text.contains("(it was the last that could run)"), "{text}");
        assert!(
            text.contains("fiber 'main' (#1) is receiving on a channel (made at tests/"),
            "{text}"
        );
        assert_eq!(channel.balance(), 0);

        match channel.send(4) {
            Err(SendError::Deadlock(4, report)) => assert_eq!(report.dump().fibers.len(), 1),
            other => panic!("{other:?}"),
        }
        assert_eq!(channel.balance(), 0);
    });
}

#[test]
fn if_the_last_fiber_that_could_run_ends_the_wait_of_main_fails() {
    // T29, T30, S-170
    run(|| {
        let (channel, trace) = fixture();
        bystander(&trace, "a");
        let text = channel.recv().unwrap_err().to_string();
        assert!(text.contains("the last fiber that could run has ended"), "{text}");
        bystander(&trace, "b");
        let error = channel.send(3).unwrap_err();
        assert!(error.to_string().contains("the last fiber that could run has ended"));
        assert_eq!((error.into_inner(), channel.balance()), (3, 0));
        assert_eq!(trace.take(), "a b");
    });
}

#[test]
fn a_fiber_may_handle_the_deadlock_that_it_has_completed() {
    // T31, S-172
    run(|| {
        let (channel, trace) = fixture();
        let reply = Channel::new();
        go({
            let (channel, reply, trace) = (channel.clone(), reply.clone(), trace.clone());
            move || {
                let error = channel.recv().unwrap_err();
                assert!(matches!(error, RecvError::Deadlock(_)));
                trace.say(format!("handled {}", channel.balance()));
                reply.send(1).unwrap();
            }
        });
        trace.say(reply.recv().unwrap());
        assert_eq!(trace.take(), "handled 0 1");
    });
}

#[test]
fn the_end_of_a_fiber_whose_own_wait_has_failed_lets_the_wait_of_main_fail() {
    // S-168: the fiber completes the deadlock first, and then ends.
    run(|| {
        let (channel, _) = fixture();
        let child = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv().is_err()
        });
        let main = Channel::<u32>::new();
        assert!(matches!(main.recv(), Err(RecvError::Deadlock(_))));
        assert!(child.join().unwrap());
    });
}

#[test]
fn a_sleeping_fiber_is_no_deadlock() {
    run(|| {
        let (channel, _) = fixture();
        go({
            let channel = channel.clone();
            move || {
                fibra::sleep(ms(1000));
                channel.send(1).unwrap();
            }
        });
        assert_eq!(channel.recv().unwrap(), 1);
    });
}

#[test]
fn waiting_outside_of_a_fiber_panics_with_what_to_do() {
    let channel = Channel::new();
    let calls: [fn(&Channel<u32>); 4] = [
        |channel| drop(channel.send(1)),
        |channel| drop(channel.recv()),
        |channel| drop(channel.try_send(1)),
        |channel| assert!(channel.recv_timeout(ms(1)).is_err()),
    ];
    for call in calls {
        let payload = panic::catch_unwind(AssertUnwindSafe(|| call(&channel))).unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("`fibra::run(|| ...)`"), "{text}");
        assert_eq!(channel.balance(), 0);
    }
}
