//! Tests `sync::mpmc`.

use fibra::channel::TrySendError;
use fibra::channel::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError};
use fibra::sync::mpmc::{Receiver, bounded, unbounded};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{Noisy, OnDrop, check, go, log, ms, run_virtually};

fn receiver(channel: &Receiver<u32>, name: &'static str) -> JoinHandle<()> {
    let channel = channel.clone();
    spawn(move || match channel.recv() {
        Ok(value) => log(format!("{name}{value}")),
        Err(_) => log(format!("{name}-")),
    })
}

#[test]
fn values_go_to_receivers_in_the_order_of_both() {
    fibra::run(|| {
        let (sender, values) = unbounded();
        let receivers = ["a", "b", "c"].map(|name| receiver(&values, name));
        yield_now();
        (1..=5).for_each(|i| sender.send(i).unwrap());
        log(format!("{values:?}").replace(' ', ""));
        receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
        assert_eq!((values.len(), values.recv().unwrap(), values.try_recv()), (2, 4, Ok(5)));
        assert!(values.is_empty());
    });
    let text = format!("Receiver{{len:2,capacity:{},senders:1,receivers:4}} a1 b2 c3", usize::MAX);
    check(&text);
}

#[test]
fn a_full_channel_makes_senders_wait_in_order() {
    fibra::run(|| {
        let (sender, values) = bounded(1);
        for i in 1..=3 {
            let sender = sender.clone();
            go(move || {
                sender.send(i).unwrap();
                log(format!("sent{i}"));
            });
        }
        yield_now();
        assert!(matches!(sender.try_send(9), Err(TrySendError::Full(9))));
        drop(sender);
        log(values.recv().unwrap());
        yield_now();
        for value in &values {
            log(value);
        }
    });
    check("sent1 1 sent2 2 3 sent3");
}

#[test]
fn without_a_buffer_each_send_waits_for_its_receiver() {
    fibra::run(|| {
        let (sender, values) = bounded(0);
        assert!(sender.try_send(1).is_err());
        let other = sender.clone();
        let sends = spawn(move || {
            other.send(2).unwrap();
            log("sent");
        });
        yield_now();
        log("before");
        assert_eq!(values.try_recv(), Ok(2));
        sends.join().unwrap();
        let receives = receiver(&values, "r");
        yield_now();
        sender.try_send(3).unwrap();
        receives.join().unwrap();
    });
    check("before sent r3");
}

#[test]
fn an_end_that_is_gone_is_an_error() {
    fibra::run(|| {
        let (sender, values) = bounded(1);
        let waits = receiver(&values, "a");
        yield_now();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        waits.join().unwrap();
        let waits = receiver(&values, "b");
        yield_now();
        let last = receiver(&values, "c");
        yield_now();
        drop(sender);
        waits.join().unwrap();
        last.join().unwrap();
        assert!(matches!(values.recv(), Err(RecvError::Closed)));
        assert_eq!(values.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(values.recv_timeout(ms(1)), Err(RecvTimeoutError::Closed));

        let (sender, values) = bounded(1);
        sender.send(3).unwrap();
        let other = sender.clone();
        let full = spawn(move || match other.send(4) {
            Err(SendError::Closed(value)) => log(format!("back{value}")),
            _ => unreachable!(),
        });
        yield_now();
        drop(values);
        full.join().unwrap();
        assert!(matches!(sender.send(5), Err(SendError::Closed(5))));
        assert!(matches!(sender.try_send(6), Err(TrySendError::Closed(6))));
        assert!(matches!(sender.send_timeout(7, ms(1)), Err(SendTimeoutError::Closed(7))));
    });
    check("a1 b2 c- back4");
}

#[test]
fn a_deadline_gives_the_value_back() {
    run_virtually(|| {
        let (sender, values) = bounded(1);
        let start = fibra::now();
        assert_eq!(values.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        assert_eq!(values.recv_deadline(start + ms(6)), Err(RecvTimeoutError::Timeout));
        sender.send_timeout(1, ms(5)).unwrap();
        assert!(matches!(sender.send_timeout(2, ms(5)), Err(SendTimeoutError::Timeout(2))));
        let by = start + ms(12);
        assert!(matches!(sender.send_deadline(3, by), Err(SendTimeoutError::Timeout(3))));
        assert_eq!(fibra::now() - start, ms(12));
        assert_eq!(
            (values.recv_deadline(start), values.try_recv()),
            (Ok(1), Err(TryRecvError::Empty))
        );
    });
}

#[test]
fn a_killed_receiver_leaves_no_trace_and_a_value_handed_to_it_is_delivered() {
    fibra::run(|| {
        let (sender, values) = bounded(0);
        let killed = receiver(&values, "killed");
        yield_now();
        killed.kill();
        assert!(killed.join().is_err());
        assert!(sender.try_send(1).is_err(), "no receiver waits");

        let served = receiver(&values, "served");
        yield_now();
        sender.try_send(2).unwrap();
        served.kill();
        served.join().unwrap();
    });
    check("served2");
}

#[test]
fn a_killed_sender_drops_its_value_with_its_stack() {
    fibra::run(|| {
        let (sender, values) = bounded(0);
        let killed = spawn(move || {
            let _last = Noisy("stack");
            let waits = OnDrop(|| {
                log("value");
                yield_now();
            });
            drop(sender.send(waits));
        });
        yield_now();
        killed.kill();
        assert!(killed.join().is_err());
        assert!(matches!(values.try_recv(), Err(TryRecvError::Closed)));
    });
    check("value stack");
}

#[test]
fn what_is_left_is_dropped_with_the_last_receiver() {
    let (sender, values) = unbounded();
    sender.send(Noisy("left")).unwrap();
    let other = values.clone();
    drop(values);
    check("");
    drop(other);
    check("left");
    drop(sender.send(Noisy("refused")));
    check("refused");
}

#[test]
fn a_sender_that_never_waits_lets_others_run() {
    fibra::run(|| {
        let (sender, values) = unbounded();
        go(|| log("other"));
        (0..200).for_each(|i| sender.send(i).unwrap());
        log(values.iter().take(200).count());
    });
    check("other 200");
}

#[test]
fn plain_threads_use_it_as_fibers_do() {
    let (to, from) = bounded(2);
    let (back, results) = unbounded();
    let workers = [(); 2].map(|()| {
        let (from, back) = (from.clone(), back.clone());
        elsewhere(move || from.iter().for_each(|n: u64| back.send(n * n).unwrap()))
    });
    let plain = thread(move || from.iter().for_each(|n| back.send(n * n).unwrap()));
    (1..=1_000).for_each(|n| to.send(n).unwrap());
    drop(to);
    let sum: u64 = results.iter().sum();
    assert_eq!(sum, (1..=1_000).map(|n| n * n).sum::<u64>());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    plain.join().unwrap();
}
