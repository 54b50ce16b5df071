//! Partners of one thread follow the local rules (S-140 to S-148, S-184 to S-189).

use std::rc::Rc;

use fibra::channel::{Preference, TryRecvError, TrySendError};
use fibra::stackless::{self, ChannelError, SharedChannel};

use super::{logger, receiver, sender};

use crate::support::{check, forget_trace, log, panic_of, run_virtually};

fn order_of_a_send(setting: impl FnOnce(&SharedChannel<u32>)) {
    run_virtually(|| {
        let channel = SharedChannel::new();
        setting(&channel);
        receiver(&channel, "T");
        stackless::run();
        let _others = ["A", "B"].map(logger);
        channel.send(1).unwrap();
        log("m");
        stackless::run();
    });
}

fn order_of_a_receive(setting: impl FnOnce(&SharedChannel<u32>)) {
    run_virtually(|| {
        let channel = SharedChannel::new();
        setting(&channel);
        sender(&channel, "T", 1);
        stackless::run();
        let _others = ["A", "B"].map(logger);
        log(channel.receive().unwrap());
        log("m");
        stackless::run();
    });
}

#[test]
fn preference_and_schedule_all_are_those_of_the_local_channel() {
    order_of_a_send(|_| {});
    check("T1 A B m");
    order_of_a_receive(|channel| channel.set_preference(Preference::Sender));
    check("T A B 1 m");
    order_of_a_send(|channel| channel.set_preference(Preference::Neither));
    check("m A B T1");
    order_of_a_receive(|_| {});
    check("1 m A B T");
    order_of_a_send(|channel| channel.set_schedule_all(true));
    check("A B T1 m");
    order_of_a_receive(|channel| channel.set_schedule_all(true));
    check("A B T 1 m");
}

#[test]
fn settings_read_back_and_handles_mean_the_same_channel() {
    let channel = SharedChannel::<u32>::default();
    let same = channel.clone();
    assert_eq!((channel.preference(), channel.schedule_all()), (Preference::Receiver, false));
    channel.set_preference(Preference::Sender);
    channel.set_schedule_all(true);
    channel.close();
    assert_eq!((same.preference(), same.schedule_all()), (Preference::Sender, true));
    assert!(same.is_closing() && same.is_closed());
    same.open();
    assert!(!channel.is_closing());
    assert_eq!(same.id(), channel.id());
    assert_ne!(SharedChannel::<u32>::new().id(), channel.id());
}

#[test]
fn waiters_are_served_in_order_also_when_one_has_gone() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let [_a, b, _c] = ["a", "b", "c"].map(|name| receiver(&channel, name));
        stackless::run();
        log(channel.balance());
        b.kill().unwrap();
        log(channel.balance());
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        log(channel.balance());
    });
    check("-3 -2 a1 c2 0");
}

#[test]
fn thousands_that_have_gone_do_not_stay_in_the_queue() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let held = std::sync::Arc::new(());
        for _ in 0..50 {
            let waiting: Vec<_> = (0..100).map(|_| receiver(&channel, "never")).collect();
            stackless::run();
            assert_eq!(channel.balance(), -100);
            waiting.iter().for_each(|tasklet| tasklet.kill().unwrap());
            assert_eq!(channel.balance(), 0);
        }
        let (to, value) = (SharedChannel::new(), held.clone());
        let from = to.clone();
        stackless::spawn(move || drop(from.receive()));
        stackless::run();
        to.send(value).unwrap();
        stackless::run();
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    });
    check("");
}

#[test]
fn the_traps_are_obeyed_and_leave_no_trace() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let trap = stackless::block_trap(true);
        assert!(matches!(channel.receive(), Err(ChannelError::BlockTrap)));
        drop(trap);
        receiver(&channel, "R");
        stackless::run();
        let trap = stackless::switch_trapped();
        let refused = channel.send(5).unwrap_err();
        assert_eq!((refused.to_string(), refused.value), ("switch_trap".into(), 5));
        assert_eq!(channel.balance(), -1);
        channel.set_preference(Preference::Neither);
        channel.send(6).unwrap();
        assert!(matches!(channel.receive(), Err(ChannelError::SwitchTrap)));
        drop(trap);
        stackless::run();
        channel.close();
        assert!(matches!(channel.receive(), Err(ChannelError::Closed)));
    });
    check("R6");
}

#[test]
fn the_callbacks_see_its_operations() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let id = channel.id();
        stackless::set_channel_callback(Some(Rc::new(move |event| {
            assert_eq!(event.channel, id);
            let value = event.value::<u32>().copied();
            log(format!("({},{},{value:?})", event.sending, event.will_block));
        })));
        stackless::set_schedule_callback(Some(Rc::new(|_, _| log("switch"))));
        receiver(&channel, "R");
        stackless::run();
        channel.send(42).unwrap();
        stackless::set_channel_callback(Some(Rc::new({
            let channel = channel.clone();
            move |_| log(channel.receive().unwrap_err())
        })));
        stackless::set_schedule_callback(None);
        channel.close();
        channel.send(1).unwrap_err();
        stackless::set_channel_callback(None);
    });
    check(
        "switch (false,true,None) switch (true,false,Some(42)) switch R42 switch \
         Recursive channel call due to callbacks!",
    );
}

#[test]
fn exceptions_are_raised_by_the_receiver() {
    run_virtually(|| {
        let channel = SharedChannel::<u32>::new();
        let to = channel.clone();
        stackless::spawn(move || to.send_exception("boom").unwrap());
        log(panic_of(|| channel.receive()));
        channel.close();
        let back = channel.send_exception(7u8).unwrap_err().into_inner();
        assert_eq!(back.downcast::<u8>(), Ok(7));
    });
    check("boom");
}

#[test]
fn what_need_not_wait_works_without_a_fiber() {
    let channel = SharedChannel::new();
    assert!(matches!(channel.try_send(1), Err(TrySendError::Full(1))));
    assert_eq!(channel.try_receive(), Err(TryRecvError::Empty));
    channel.close();
    assert!(matches!(channel.try_send(1), Err(TrySendError::Closed(1))));
    assert_eq!(channel.try_receive(), Err(TryRecvError::Closed));
    assert!(panic_of(|| channel.send(2)).contains("works only inside a fiber"));
}

#[test]
fn trying_meets_the_waiters_and_does_not_switch() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        receiver(&channel, "R");
        stackless::run();
        channel.try_send(1).unwrap();
        log("sent");
        sender(&channel, "S", 2);
        stackless::run();
        log(channel.try_receive().unwrap());
        stackless::run();
    });
    check("sent R1 2 S");
}

#[test]
fn the_iteration_ends_when_the_channel_is_closed_and_no_sender_waits() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        (0..3).for_each(|value| drop(sender(&channel, "S", value)));
        stackless::run();
        channel.close();
        (&channel).into_iter().for_each(log);
        let _trap = stackless::block_trap(true);
        assert_eq!(channel.iter().next(), None);
    });
    forget_trace();
}

#[test]
fn one_that_is_thrown_at_while_others_run_raises_when_its_send_is_done() {
    run_virtually(|| {
        let channel = SharedChannel::new();
        let main = stackless::getcurrent();
        let from = channel.clone();
        stackless::spawn(move || {
            log(from.receive().unwrap());
            main.throw_pending("thrown").unwrap();
        });
        stackless::run();
        log(panic_of(|| channel.send(1)));
        assert_eq!(channel.balance(), 0);
    });
    check("1 thrown");
}
