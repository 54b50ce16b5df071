//! The values that travel: values, errors, sequences; and operations on a message that waits.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fibra::stackless::{self, Channel};

use super::sender;

use crate::support::{check, log, panic_of, run_virtually};

#[test]
fn a_message_that_waits_can_be_replaced() {
    // T36, S-161
    run_virtually(|| {
        let channel = Channel::new();
        let sends = sender(&channel, "S", 1);
        assert_eq!(channel.replace_message(&sends, 99), Err(99), "it has not come yet");
        stackless::run();
        assert_eq!(channel.replace_message(&sends, 99), Ok(1));
        assert_eq!(Channel::new().replace_message(&sends, 5), Err(5), "it waits elsewhere");
        assert_eq!(channel.replace_message(&stackless::getcurrent(), 5), Err(5));
        log(channel.receive().unwrap());
        stackless::run();
        assert_eq!(channel.replace_message(&sends, 5), Err(5), "it has ended");
    });
    check("99 S");
}

#[test]
fn a_receiver_brings_no_message_that_could_be_replaced_nor_does_an_exception() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        let receives = super::receiver(&channel, "R");
        stackless::run();
        assert_eq!(channel.replace_message(&receives, 5), Err(5));
        channel.send(1).unwrap();

        let to = channel.clone();
        let sends = stackless::spawn(move || to.send_exception("boom").unwrap());
        stackless::run();
        assert_eq!(channel.replace_message(&sends, 5), Err(5));
        assert_eq!(panic_of(|| channel.receive()), "boom");
    });
    check("R1");
}

#[test]
fn an_exception_is_raised_by_the_receiver_and_not_by_the_sender() {
    // S-151
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        let from = channel.clone();
        stackless::spawn(move || {
            let payload = catch_unwind(AssertUnwindSafe(|| from.receive())).unwrap_err();
            log(payload.downcast_ref::<u8>().unwrap());
        });
        stackless::run();
        channel.send_exception(7u8).unwrap();
        log("sent");
    });
    check("7 sent");
}

#[test]
fn a_refused_exception_comes_back() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        channel.close();
        let error = channel.send_exception(7u8).unwrap_err();
        assert_eq!(error.into_inner().downcast::<u8>(), Ok(7));
    });
}

#[test]
fn a_sequence_is_sent_value_by_value_and_counted() {
    // S-153
    run_virtually(|| {
        let channel = Channel::new();
        let to = channel.clone();
        stackless::spawn(move || log(to.send_sequence(1..=3).unwrap()));
        log(channel.receive().unwrap());
        log(channel.balance());
        log(channel.receive().unwrap());
        log(channel.receive().unwrap());
        stackless::run();
    });
    check("1 0 2 3 3");
}

#[test]
fn a_sequence_ends_at_the_first_value_that_cannot_be_sent_and_keeps_the_rest() {
    run_virtually(|| {
        let channel = Channel::new();
        super::receiver(&channel, "R");
        stackless::run();
        channel.close();
        let mut values = 1..=4;
        let error = channel.send_sequence(values.by_ref()).unwrap_err();
        log(error.into_inner());
        values.for_each(log);
    });
    check("R1 2 3 4");
}

#[test]
fn a_panic_of_the_iterator_reaches_the_sender() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        super::receiver(&channel, "R");
        stackless::run();
        let values = (1..3).inspect(|&value| assert!(value < 2, "no {value}"));
        log(panic_of(|| channel.send_sequence(values)));
    });
    check("R1 no 2");
}

#[test]
fn channels_and_tasklets_travel_through_channels() {
    // S-163
    run_virtually(|| {
        let (outer, inner) = (Channel::new(), Channel::new());
        let from = outer.clone();
        stackless::spawn(move || {
            let (inner, who): (Channel<u32>, stackless::Tasklet) = from.receive().unwrap();
            assert!(who.is_main());
            inner.send(1).unwrap();
        });
        stackless::run();
        outer.send((inner.clone(), stackless::getcurrent())).unwrap();
        log(inner.receive().unwrap());
    });
    check("1");
}

#[test]
fn both_names_mean_the_same_channel() {
    run_virtually(|| {
        let plain = fibra::channel::Channel::<u32>::new();
        let channel = Channel::from(plain.clone());
        fibra::spawn(move || plain.send(5)).detach();
        log(channel.receive().unwrap());
        let back: fibra::channel::Channel<u32> = channel.clone().into();
        assert_eq!(Channel::from(back).id(), channel.id());
        assert_ne!(Channel::<u32>::new().id(), channel.id());
        assert_eq!(channel.inner().balance(), 0);
    });
    check("5");
}

#[test]
fn a_channel_outlives_a_switch_even_if_the_caller_held_the_last_handle() {
    // S-149
    run_virtually(|| {
        let channel = Channel::new();
        let from = channel.clone();
        stackless::spawn(move || log(from.receive().unwrap()));
        stackless::run();
        {
            let only = channel;
            only.send(1).unwrap();
        }
        stackless::run();
    });
    check("1");
}
