//! The channel callback, and what the schedule callback sees of channels (S-179 to S-189).

use std::cell::RefCell;
use std::rc::Rc;

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, ChannelError, Tasklet};

use super::{receiver, sender};

use crate::support::{Noisy, check, forget_trace, log, panic_of, run_virtually};

/// Logs each event in the notation of the golden trace.
fn watch(main: &Tasklet) {
    let main = main.clone();
    stackless::set_channel_callback(Some(Rc::new(move |event| {
        let who = if *event.tasklet == main { "m" } else { "R" };
        let what = if event.sending { "send" } else { "recv" };
        let then = if event.will_block { "block" } else { "go" };
        let value = event.value::<u32>().map_or("None".into(), u32::to_string);
        log(format!("({who},{what},{then},{value})"));
    })));
}

#[test]
fn it_is_called_before_each_operation() {
    // T20, S-185
    run_virtually(|| {
        let channel = Channel::new();
        watch(&stackless::getcurrent());
        receiver(&channel, "got");
        stackless::run();
        channel.send(42).unwrap();
    });
    check("(R,recv,block,None) (m,send,go,42) got42");
}

#[test]
fn it_is_called_also_for_operations_that_are_then_refused() {
    // S-189
    run_virtually(|| {
        let channel = Channel::new();
        watch(&stackless::getcurrent());
        let trap = stackless::block_trap(true);
        channel.send(1u32).unwrap_err();
        drop(trap);
        channel.close();
        channel.receive().unwrap_err();
        channel.send_exception("no value").unwrap_err();
    });
    check("(m,send,block,1) (m,recv,block,None) (m,send,block,None)");
}

#[test]
fn it_knows_the_channel_and_values_of_their_own_type_only() {
    run_virtually(|| {
        let (channel, seen) = (Channel::new(), Rc::new(RefCell::new(Vec::new())));
        let events = seen.clone();
        stackless::set_channel_callback(Some(Rc::new(move |event| {
            let values = (event.value::<u32>().copied(), event.value::<i32>().copied());
            events.borrow_mut().push((event.channel, values));
        })));
        channel.close();
        channel.send(1u32).unwrap_err();
        assert_eq!(seen.take(), [(channel.id(), (Some(1), None))]);
    });
}

#[test]
fn it_can_be_asked_for_and_taken_away() {
    // S-184
    run_virtually(|| {
        assert!(stackless::get_channel_callback().is_none());
        let callback: stackless::ChannelCallback = Rc::new(|_| log("called"));
        assert!(stackless::set_channel_callback(Some(callback.clone())).is_none());
        assert!(Rc::ptr_eq(&stackless::get_channel_callback().unwrap(), &callback));
        assert!(Rc::ptr_eq(&stackless::set_channel_callback(None).unwrap(), &callback));
        Channel::<u32>::new().receive().unwrap_err();
    });
    check("");
}

#[test]
fn it_may_not_use_a_channel_itself() {
    // S-187
    run_virtually(|| {
        let (channel, other) = (Channel::new(), Channel::<u32>::new());
        let in_callback = other.clone();
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            log(in_callback.receive().unwrap_err());
            let sent = in_callback.send(1).unwrap_err();
            assert!(matches!(sent.reason, ChannelError::Recursive));
        })));
        channel.close();
        channel.send(1).unwrap_err();
        stackless::set_channel_callback(None);
        receiver(&other, "R");
        stackless::run();
        other.send(2).unwrap();
    });
    check("Recursive channel call due to callbacks! R2");
}

#[test]
fn it_may_not_switch() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        let other = super::logger("other");
        let in_callback = other.clone();
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            log(in_callback.run().is_err());
        })));
        channel.close();
        channel.receive().unwrap_err();
        assert_eq!(stackless::switch_trap(0), 0);
        other.run().unwrap();
    });
    check("true other");
}

#[test]
fn its_panics_are_reported_and_the_operation_is_done() {
    // S-188
    run_virtually(|| {
        let channel = Channel::new();
        receiver(&channel, "R");
        stackless::run();
        stackless::set_channel_callback(Some(Rc::new(|_| std::panic::resume_unwind(Box::new(1)))));
        channel.send(2).unwrap();
        assert_eq!(stackless::switch_trap(0), 0);
    });
    check("R2");
}

#[test]
fn one_that_takes_itself_away_is_dropped_after_the_call() {
    run_virtually(|| {
        let (channel, noisy) = (Channel::<u32>::new(), Noisy("dropped"));
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            let _keep = &noisy;
            drop(stackless::set_channel_callback(None));
            log("called");
        })));
        channel.close();
        channel.receive().unwrap_err();
        log("done");
    });
    check("called dropped done");
}

#[test]
fn it_is_dropped_when_run_ends() {
    run_virtually(|| {
        let noisy = Noisy("dropped");
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            let _keep = &noisy;
        })));
        log("end");
    });
    check("end dropped");
}

/// Logs the switches that the schedule callback sees, as "from>to".
fn trace_switches(names: &[(&'static str, &Tasklet)]) {
    let names: Vec<_> = names.iter().map(|(name, tasklet)| (*name, (*tasklet).clone())).collect();
    let name = move |tasklet: &Tasklet| {
        names.iter().find(|(_, known)| known == tasklet).map_or("?", |(name, _)| *name)
    };
    stackless::set_schedule_callback(Some(Rc::new(move |prev, next| {
        log(format!("{}>{}", name(prev), name(next)));
    })));
}

#[test]
fn the_schedule_callback_sees_the_switches_of_channels() {
    run_virtually(|| {
        let channel = Channel::new();
        let r = receiver(&channel, "got");
        let a = super::logger("ran");
        trace_switches(&[("m", &stackless::getcurrent()), ("R", &r), ("A", &a)]);
        stackless::run(); // R waits, A ends
        channel.send(1).unwrap();
        let s = sender(&channel, "sent", 2);
        trace_switches(&[("m", &stackless::getcurrent()), ("S", &s)]);
        log(channel.receive().unwrap());
        stackless::set_schedule_callback(None);
        stackless::run();
    });
    check("m>R R>A ran A>m m>R got1 R>m m>S S>m 2 sent");
}

#[test]
fn a_transfer_without_a_switch_is_no_switch() {
    run_virtually(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        receiver(&channel, "R");
        stackless::run();
        stackless::set_schedule_callback(Some(Rc::new(|_, _| log("switch"))));
        channel.send(1).unwrap();
        log("sent");
        stackless::set_schedule_callback(None);
        stackless::run();
    });
    check("sent R1");
}

#[test]
fn a_schedule_callback_that_closes_the_channel_is_heeded() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        super::logger("other");
        let closes = channel.clone();
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| closes.close())));
        assert!(matches!(channel.receive(), Err(ChannelError::Closed)));
        stackless::set_schedule_callback(None);
        assert!(!panic_of(|| channel.receive().unwrap()).is_empty());
    });
    forget_trace();
}
