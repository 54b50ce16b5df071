//! A rendezvous channel that is closed, opened again and iterated.

use fibra::channel::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use fibra::stackless::Channel as Quiet;

use super::fixture;

use crate::support::{go, ms, run_virtually as run};

#[test]
fn a_closed_channel_gives_what_its_senders_bring_and_then_refuses() {
    // T25, S-156, S-157, S-158, S-160
    run(|| {
        let (channel, trace) = fixture();
        for number in 0..3 {
            let channel = channel.clone();
            go(move || channel.send(number).unwrap());
        }
        fibra::yield_now();
        Quiet::from(channel.clone()).close();
        trace.say(format!("{} {}", channel.is_closing(), channel.is_closed()));
        channel.iter().for_each(|value| trace.say(value));
        trace.say(format!("{} {}", channel.is_closing(), channel.is_closed()));
        assert!(matches!(channel.send(9), Err(SendError::Closed(9))));
        assert!(matches!(channel.recv(), Err(RecvError::Closed)));
        assert!(matches!(channel.try_send(9), Err(TrySendError::Closed(9))));
        assert_eq!(channel.try_recv(), Err(TryRecvError::Closed));
        assert!(matches!(channel.send_timeout(9, ms(1)), Err(SendTimeoutError::Closed(9))));
        assert_eq!(channel.recv_timeout(ms(1)), Err(RecvTimeoutError::Closed));
        channel.open();
        trace.say(format!("{} {}", channel.is_closing(), channel.is_closed()));
        assert_eq!(trace.take(), "true false 0 1 2 true true false false");
    });
}

#[test]
fn closing_as_stackless_does_wakes_no_waiter_and_waiters_can_still_be_met() {
    // S-156, S-159
    run(|| {
        let (channel, trace) = fixture();
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                channel.iter().for_each(|value| trace.say(value));
                trace.say("end");
            }
        });
        fibra::yield_now();
        Quiet::from(channel.clone()).close();
        fibra::yield_now();
        assert_eq!((channel.balance(), channel.is_closed()), (-1, false));
        channel.send(1).unwrap();
        assert_eq!(trace.take(), "1 end");
        assert!(channel.is_closed());
    });
}

#[test]
fn close_refuses_the_waiters_and_senders_get_their_values_back() {
    run(|| {
        let (channel, trace) = fixture();
        for name in ["a", "b"] {
            let (channel, trace) = (channel.clone(), trace.clone());
            go(move || trace.say(format!("{name}:{:?}", channel.recv())));
        }
        fibra::yield_now();
        channel.close();
        trace.say("closed");
        assert!(channel.is_closed());
        fibra::yield_now();
        assert_eq!(trace.take(), "closed a:Err(Closed) b:Err(Closed)");

        channel.open();
        for number in [1, 2] {
            let (channel, trace) = (channel.clone(), trace.clone());
            go(move || trace.say(channel.send(number).unwrap_err().into_inner()));
        }
        fibra::yield_now();
        channel.close();
        fibra::yield_now();
        assert_eq!(trace.take(), "1 2");
        channel.close();
        assert_eq!(channel.balance(), 0);
    });
}

#[test]
fn iteration_ends_immediately_on_a_closed_channel_and_waits_on_an_open_one() {
    // S-154, S-160
    run(|| {
        let (channel, trace) = fixture();
        channel.close();
        assert_eq!(channel.iter().count(), 0);
        channel.open();
        go({
            let channel = channel.clone();
            move || {
                for number in 1..=3 {
                    fibra::sleep(ms(1));
                    channel.send(number).unwrap();
                }
                channel.close();
            }
        });
        for value in &channel {
            trace.say(value);
        }
        assert_eq!(trace.take(), "1 2 3");
    });
}
