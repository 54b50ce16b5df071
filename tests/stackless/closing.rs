//! The two ways to close a channel of `fibra::stackless`.

use fibra::stackless::{self, Channel, ChannelError};

use crate::support::{check, log};

#[test]
fn close_wakes_no_waiter_and_close_and_wake_does() {
    fibra::run(|| {
        let channel = Channel::<u32>::new();
        let from = channel.clone();
        stackless::spawn(move || {
            let error = from.receive().unwrap_err();
            log(matches!(error, ChannelError::Closed));
        });
        stackless::run();
        channel.close();
        stackless::run();
        assert_eq!((channel.balance(), channel.is_closed()), (-1, false));
        log("woken");
        channel.close_and_wake();
        stackless::run();
        assert!(channel.is_closed());
    });
    check("woken true");
}

#[test]
fn the_core_channel_behind_it_is_closed_with_a_wake() {
    fibra::run(|| {
        let channel = Channel::new();
        let to = channel.clone();
        stackless::spawn(move || log(to.send("back").unwrap_err().into_inner()));
        stackless::run();
        channel.inner().close();
        stackless::run();
    });
    check("back");
}
