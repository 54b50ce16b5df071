//! Waits that end before a partner comes: kills, throws, deadlines, the end of `run`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fibra::stackless::{self, ChannelError, SharedChannel};

use super::{receiver, sender};

use crate::support::{
    Noisy, OnDrop, apart, check, in_child, log, ms, name_of, run_virtually, stderr,
};

#[test]
fn a_deadline_gives_the_value_back() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let start = fibra::now();
        let error = channel.send_timeout(5, ms(20)).unwrap_err();
        assert!(matches!(error.reason, ChannelError::Timeout));
        assert_eq!((error.value, fibra::now() - start), (5, ms(20)));
        assert!(matches!(channel.receive_timeout(ms(20)), Err(ChannelError::Timeout)));
        assert_eq!((channel.balance(), fibra::now() - start), (0, ms(40)));
        sender(&channel, "S", 7);
        log(channel.receive_timeout(ms(20)).unwrap());
        receiver(&channel, "R");
        stackless::schedule();
        channel.send_timeout(8, ms(20)).unwrap();
        stackless::run();
    });
    check("7 S R8");
}

#[test]
fn a_wait_with_a_deadline_ends_then() {
    run_virtually(|| {
        let channel = SharedChannel::<u32>::new();
        let at = fibra::now() + ms(20);
        let error = channel.send_deadline(5, at).unwrap_err();
        assert!(matches!(error.reason, ChannelError::Timeout));
        assert_eq!((error.value, fibra::now()), (5, at));
        assert!(matches!(channel.receive_deadline(at + ms(5)), Err(ChannelError::Timeout)));
        assert_eq!((channel.balance(), fibra::now()), (0, at + ms(5)));
        sender(&channel, "S", 7);
        assert_eq!(channel.receive_deadline(at + ms(9)).unwrap(), 7);
        stackless::run();
        assert_eq!(fibra::stats().timers, 0);
    });
    check("S");
}

#[test]
fn a_completed_wait_beats_a_kill_a_throw_and_a_deadline() {
    for end in 0..3 {
        run_virtually(|| {
            let channel = SharedChannel::new();
            let from = channel.clone();
            let waits = stackless::spawn(move || {
                let received = if end == 2 { from.receive_timeout(ms(1)) } else { from.receive() };
                log(received.unwrap());
                let unwound = catch_unwind(AssertUnwindSafe(|| from.receive_timeout(ms(1))));
                log(unwound.is_err());
            });
            stackless::run();
            channel.try_send(1).unwrap();
            match end {
                0 => waits.fiber().unwrap().kill(),
                1 => waits.throw_pending("thrown").unwrap(),
                _ => fibra::sleep(ms(2)),
            }
            fibra::sleep(ms(10));
        });
        check(if end == 2 { "1 false" } else { "1 true" });
    }
}

#[test]
fn a_killed_sender_drops_its_value_with_its_stack() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let to = channel.clone();
        let sends = fibra::spawn(move || {
            let _last = Noisy("stack");
            to.send(Noisy("value")).unwrap();
        });
        fibra::yield_now();
        assert_eq!(channel.balance(), 1);
        sends.kill();
        assert!(sends.join().unwrap_err().is_killed());
        assert_eq!(channel.balance(), 0);
        assert!(channel.try_receive().is_err());
    });
    check("value stack");
}

#[test]
fn the_destructor_of_a_value_may_use_the_channel_and_wait() {
    run_virtually(|| {
        let channel = SharedChannel::<Box<dyn Send>>::new();
        let (to, at) = (channel.clone(), channel.clone());
        let value = Box::new(OnDrop(move || {
            log(at.balance());
            fibra::sleep(ms(1));
            log(at.try_receive().is_err());
        }));
        let sends = fibra::spawn(move || drop(to.send(value)));
        fibra::yield_now();
        sends.kill();
        assert!(sends.join().unwrap_err().is_killed());
        drop(channel);
    });
    check("0 true");
}

#[test]
fn the_destructor_of_a_value_may_panic() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let to = channel.clone();
        let value = OnDrop(|| std::panic::resume_unwind(Box::new("in a destructor")));
        let sends = fibra::spawn(move || match to.send(value) {
            Ok(()) => log("sent"),
            Err(error) => drop(error),
        });
        fibra::yield_now();
        channel.close_and_wake();
        assert!(sends.join().is_err());
        assert_eq!(channel.balance(), 0);
    });
    check("");
}

#[test]
fn a_shielded_wait_goes_on_and_is_served() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let from = channel.clone();
        let waits = fibra::spawn(move || {
            log(fibra::shield(|| from.receive()).unwrap());
            fibra::checkpoint();
            log("not reached");
        });
        fibra::yield_now();
        waits.kill();
        fibra::yield_now();
        channel.send(1).unwrap();
        assert!(waits.join().unwrap_err().is_killed());
    });
    check("1");
}

#[test]
fn a_throw_takes_it_off_the_channel_immediately() {
    // S-162
    run_virtually(|| {
        let channel = SharedChannel::new();
        let [first, _second] = ["first", "second"].map(|name| receiver(&channel, name));
        stackless::run();
        first.kill_pending().unwrap();
        assert_eq!(channel.balance(), -1);
        channel.send(1).unwrap();
        assert!(!first.is_alive());
    });
    check("second1");
}

#[test]
fn a_receiver_that_refuses_to_end_is_no_longer_served() {
    let test = name_of!(a_receiver_that_refuses_to_end_is_no_longer_served);
    let output = in_child(test, &[], || {
        let channel = SharedChannel::<u32>::new();
        let there = channel.clone();
        apart(move || {
            fibra::run(|| {
                let from = there.clone();
                fibra::spawn(move || {
                    loop {
                        let _ = catch_unwind(AssertUnwindSafe(|| from.receive()));
                    }
                })
                .detach();
                fibra::yield_now();
                assert_eq!(there.balance(), -1);
            });
        });
        assert_eq!(channel.balance(), 0);
        assert!(channel.try_send(1).is_err());
    });
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("never runs again"), "{}", stderr(&output));
}

#[test]
fn the_end_of_run_takes_waiters_off() {
    let channel = SharedChannel::new();
    run_virtually(|| {
        (0..3).for_each(|_| drop(receiver(&channel, "R")));
        stackless::run();
        assert_eq!(channel.balance(), -3);
    });
    assert_eq!(channel.balance(), 0);
    run_virtually(|| {
        (0..3).for_each(|_| drop(sender(&channel, "S", 1)));
        stackless::run();
        assert_eq!(channel.balance(), 3);
    });
    assert_eq!(channel.balance(), 0);
    assert!(channel.try_receive().is_err());
    check("");
}
