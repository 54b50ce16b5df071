//! `block_trap`, `switch_trap` and the order of the checks (S-093 to S-096, S-147, S-148).

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, ChannelError};

use super::{logger, receiver, sender};

use crate::support::{check, log, run_virtually};

#[test]
fn a_tasklet_with_a_block_trap_is_not_blocked() {
    run_virtually(|| {
        let channel = Channel::new();
        let trap = stackless::block_trap(true);
        log(channel.receive().unwrap_err());
        let error = channel.send(5).unwrap_err();
        assert!(matches!(error.reason, ChannelError::BlockTrap));
        log(error.into_inner());
        assert_eq!(channel.balance(), 0);
        drop(trap);
        receiver(&channel, "R");
        stackless::run();
        let _trap = stackless::block_trap(true);
        channel.send(1).unwrap();
    });
    check("this tasklet does not like to be blocked. 5 R1");
}

#[test]
fn the_block_trap_comes_before_closed_and_that_before_the_switch_trap() {
    // S-147
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        channel.close();
        let switches = stackless::switch_trapped();
        let blocks = stackless::block_trap(true);
        assert!(matches!(channel.receive(), Err(ChannelError::BlockTrap)));
        drop(blocks);
        assert!(matches!(channel.receive(), Err(ChannelError::Closed)));
        channel.open();
        let other = stackless::spawn(|| {});
        assert!(matches!(channel.receive(), Err(ChannelError::SwitchTrap)));
        other.remove().unwrap();
        // Alone, the receive would not switch, so the error is the deadlock.
        assert!(matches!(channel.receive(), Err(ChannelError::Deadlock(_))));
        drop(switches);
        assert!(matches!(channel.receive(), Err(ChannelError::Deadlock(_))));
        assert_eq!(channel.balance(), 0);
    });
}

#[test]
fn a_trapped_send_leaves_no_trace() {
    // T27, S-148
    run_virtually(|| {
        let channel = Channel::new();
        receiver(&channel, "R");
        stackless::run();
        let (first, count) = (channel.first(), stackless::getruncount());
        let trap = stackless::switch_trapped();
        for schedule_all in [false, true] {
            channel.set_schedule_all(schedule_all);
            let error = channel.send(5).unwrap_err();
            assert_eq!((error.to_string(), error.value), ("switch_trap".into(), 5));
        }
        assert_eq!((channel.balance(), channel.first()), (-1, first));
        assert_eq!(stackless::getruncount(), count);
        channel.set_schedule_all(false);
        channel.set_preference(Preference::Neither);
        channel.send(6).unwrap();
        log("m");
        drop(trap);
        stackless::run();
    });
    check("m R6");
}

#[test]
fn a_trapped_receive_leaves_no_trace() {
    run_virtually(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Sender);
        sender(&channel, "S", 5);
        stackless::run();
        let trap = stackless::switch_trapped();
        log(channel.receive().unwrap_err());
        assert_eq!(channel.balance(), 1);
        channel.set_preference(Preference::Receiver);
        log(channel.receive().unwrap());
        drop(trap);
        logger("last");
        stackless::run();
    });
    check("switch_trap 5 S last");
}
