//! The golden traces in which a tasklet sends or receives, or waits to.

use std::rc::Rc;

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{logs, receiving, sending, state};
use crate::support::{check, log};

/// Runs `transfer` in the ring [S a b] with T waiting on the channel, from S.
fn transfer(
    configure: impl FnOnce(&Channel<i32>) + 'static,
    wait: fn(&'static str, &Channel<i32>) -> Tasklet,
    operate: fn(&Channel<i32>),
) {
    fibra::run(move || {
        let channel = Channel::new();
        configure(&channel);
        let _t = wait("T", &channel);
        stackless::spawn(move || {
            operate(&channel);
            log("S");
        });
        let _ab = ["a", "b"].map(logs);
        stackless::run();
    });
}

fn waits_to_receive(name: &'static str, channel: &Channel<i32>) -> Tasklet {
    receiving(name, channel)
}

fn waits_to_send(name: &'static str, channel: &Channel<i32>) -> Tasklet {
    sending(name, channel, 7)
}

fn sends(channel: &Channel<i32>) {
    channel.send(7).unwrap();
}

fn receives(channel: &Channel<i32>) {
    assert_eq!(channel.receive().unwrap(), 7);
}

/// S-141.
#[test]
fn t17_schedule_all_overrides_the_preference() {
    use Preference::{Neither, Receiver, Sender};
    for preference in [Receiver, Neither, Sender] {
        let configure = move |channel: &Channel<i32>| {
            channel.set_preference(preference);
            channel.set_schedule_all(true);
        };
        transfer(configure, waits_to_receive, sends);
        check("a b T7 S");
        transfer(configure, waits_to_send, receives);
        check("a b T S");
    }
}

/// S-142, S-143.
#[test]
fn t18_the_preference_decides_which_side_continues() {
    use Preference::{Neither, Receiver, Sender};
    let sent = [(Receiver, "T7 a b S"), (Neither, "S a b T7"), (Sender, "S a b T7")];
    for (preference, expected) in sent {
        transfer(move |channel| channel.set_preference(preference), waits_to_receive, sends);
        check(expected);
    }
    let received = [(Receiver, "S a b T"), (Neither, "S a b T"), (Sender, "T a b S")];
    for (preference, expected) in received {
        transfer(move |channel| channel.set_preference(preference), waits_to_send, receives);
        check(expected);
    }
}

#[test]
fn t20_the_channel_callback() {
    fibra::run(|| {
        let channel = Channel::new();
        let id = channel.id();
        stackless::set_channel_callback(Some(Rc::new(move |event| {
            assert!(event.channel == id && *event.tasklet == stackless::getcurrent());
            log(format!(
                "({},{},{},{:?})",
                if event.tasklet.is_main() { 'm' } else { 'R' },
                if event.sending { "send" } else { "recv" },
                if event.will_block { "block" } else { "go" },
                event.value::<i32>(),
            ));
        })));
        let received = channel.clone();
        stackless::spawn(move || log(received.receive().unwrap()));
        stackless::schedule();
        channel.send(42).unwrap();
        stackless::set_channel_callback(None);
    });
    check("(R,recv,block,None) (m,send,go,Some(42)) 42");
}

#[test]
fn t21_the_sender_to_a_blocked_main_stays_scheduled() {
    fibra::run(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        let s = stackless::spawn(move || sender.send(7).unwrap());
        log(channel.receive().unwrap());
        log(state(&s));
    });
    check("7 alive scheduled");
}

#[test]
fn t24_a_kill_in_the_middle_of_the_queue() {
    fibra::run(|| {
        let channel = Channel::new();
        let [_a, b, _c] = ["a", "b", "c"].map(|name| receiving(name, &channel));
        log(channel.balance());
        b.kill().unwrap();
        log(channel.balance());
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        log(channel.balance());
    });
    check("-3 b! -2 a1 c2 0");
}

#[test]
fn t25_closing_with_waiting_senders() {
    let flags =
        |channel: &Channel<i32>| log(format!("{}/{}", channel.is_closing(), channel.is_closed()));
    fibra::run(|| {
        let channel = Channel::new();
        let _senders = [0, 1, 2].map(|n| sending("s", &channel, n));
        channel.close();
        flags(&channel);
        channel.iter().for_each(log);
        flags(&channel);
        let error = channel.send(3).unwrap_err();
        assert!(error.to_string().contains("Send/receive operation on a closed channel"));
        channel.open();
        flags(&channel);
        stackless::run();
    });
    check("true/false 0 1 2 true/true false/false s s s");
}

/// S-148.
#[test]
fn t27_a_refused_transfer_leaves_no_trace() {
    fibra::run(|| {
        let channel = Channel::new();
        let [r, q] = ["R", "Q"].map(|name| receiving(name, &channel));
        let trapped = stackless::switch_trapped();
        assert_eq!(channel.send(1).unwrap_err().into_inner(), 1);
        drop(trapped);
        log(channel.balance());
        assert!(channel.queue() == [r, q]);
        channel.send(2).unwrap();
        channel.send(3).unwrap();
    });
    check("-2 R2 Q3");
}

#[test]
fn t28_a_lone_main_receives() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let error = channel.receive().unwrap_err().to_string();
        assert!(
            error.contains("Deadlock: the last runnable tasklet cannot be blocked."),
            "{error}"
        );
        log(channel.balance());
    });
    check("0");
}

#[test]
fn t29_main_receives_and_the_last_tasklet_ends() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        logs("T");
        let error = channel.receive().unwrap_err().to_string();
        let text = "the main tasklet is receiving without a sender available.";
        assert!(error.contains(text), "{error}");
        log(channel.balance());
    });
    check("T 0");
}

#[test]
fn t30_main_sends_and_the_last_tasklet_ends() {
    fibra::run(|| {
        let channel = Channel::new();
        logs("T");
        let error = channel.send(1).unwrap_err();
        let text = "the main tasklet is sending without a receiver available.";
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.into_inner(), 1);
        log(channel.balance());
    });
    check("T 0");
}

/// S-167, S-172.
#[test]
fn t31_a_tasklet_catches_its_deadlock() {
    fibra::run(|| {
        let (mains, other) = (Channel::new(), Channel::<i32>::new());
        let answer = mains.clone();
        stackless::spawn(move || {
            let error = other.receive().unwrap_err().to_string();
            answer.send((error.contains("Deadlock"), other.balance())).unwrap();
        });
        log(format!("{:?}", mains.receive().unwrap()));
    });
    check("(true, 0)");
}

#[test]
fn t32_a_tasklet_blocks_under_run() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let received = channel.clone();
        let t = stackless::spawn(move || drop(received.receive()));
        stackless::run();
        log(format!("{} {}", t.is_blocked(), channel.balance()));
    });
    check("true -1");
}

#[test]
fn t36_the_message_of_a_blocked_sender_is_changed() {
    fibra::run(|| {
        let channel = Channel::new();
        let s = sending("s", &channel, 1);
        assert_eq!(channel.replace_message(&s, 99).unwrap(), 1);
        log(channel.receive().unwrap());
        stackless::run();
    });
    check("99 s");
}
