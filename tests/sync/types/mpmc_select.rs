//! Tests `select!` over the channels of `sync::mpmc`.

use fibra::channel::{Channel, Preference};
use fibra::select;
use fibra::sync::mpmc::{Receiver, Sender, bounded, unbounded};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::elsewhere;
use crate::support::{check, log, ms, run_virtually};

/// Spawns a fiber that waits for a value of `shared` or of `local`.
fn chooser(name: &'static str, shared: &Receiver<u32>, local: &Channel<u32>) -> JoinHandle<()> {
    let (shared, local) = (shared.clone(), local.clone());
    spawn(move || {
        select! {
            value = recv(shared) => log(format!("{name}:shared{}", value.unwrap())),
            value = recv(local) => log(format!("{name}:local{}", value.unwrap())),
        }
    })
}

#[test]
fn two_choices_meet_at_a_channel_without_a_buffer() {
    fibra::run(|| {
        let (sender, receiver) = bounded(0);
        let (quiet, quiet2) = (Channel::<u32>::new(), Channel::<u32>::new());
        let sends = spawn(move || {
            select! {
                sent = send(sender, 7) => log(format!("{sent:?}")),
                _ = recv(quiet) => unreachable!(),
            }
        });
        yield_now();
        select! {
            value = recv(receiver) => log(value.unwrap()),
            _ = recv(quiet2) => unreachable!(),
        }
        sends.join().unwrap();
    });
    check("7 Ok(())");
}

#[test]
fn two_choices_of_two_threads_meet_at_a_channel_without_a_buffer() {
    const ROUNDS: u64 = 3_000;
    let (sender, receiver) = bounded::<u64>(0);
    let sends = elsewhere(move || {
        let quiet = Channel::<u64>::new();
        for i in 1..=ROUNDS {
            select! {
                sent = send(sender, i) => sent.unwrap(),
                _ = recv(quiet) => unreachable!(),
            }
        }
    });
    let received = fibra::run(|| {
        let quiet = Channel::<u64>::new();
        let mut received = Vec::new();
        loop {
            select! {
                value = recv(receiver) => match value {
                    Ok(value) => received.push(value),
                    Err(_) => break received,
                },
                _ = recv(quiet) => unreachable!(),
            }
        }
    });
    assert_eq!(received, (1..=ROUNDS).collect::<Vec<_>>());
    sends.join().unwrap();
}

#[test]
fn a_choice_that_both_sends_and_receives_does_not_meet_itself() {
    fn exchange(name: &'static str, sender: Sender<char>, receiver: Receiver<char>) {
        let mine = name.chars().next().unwrap();
        select! {
            sent = send(sender, mine) => log(format!("{name}:{sent:?}")),
            value = recv(receiver) => log(format!("{name}:{}", value.unwrap())),
        }
    }

    fibra::run(|| {
        let (sender, receiver) = bounded(0);
        let (sender2, receiver2) = (sender.clone(), receiver.clone());
        let first = spawn(move || exchange("a", sender2, receiver2));
        yield_now();
        log("alone");
        let second = spawn(move || exchange("b", sender, receiver));
        second.join().unwrap();
        first.join().unwrap();
    });
    check("alone b:Ok(()) a:b");
}

#[test]
fn a_choice_that_was_served_takes_nothing_from_its_other_partners() {
    fibra::run(|| {
        let (sender, receiver) = bounded(0);
        let local = Channel::new();
        local.set_preference(Preference::Neither);
        let served = chooser("a", &receiver, &local);
        yield_now();
        sender.try_send(1).unwrap();
        // It has not run so far, but no other operation can serve it any more.
        assert!(local.try_send(2).is_err());
        assert!(sender.try_send(3).is_err());
        served.join().unwrap();

        let served = chooser("b", &receiver, &local);
        yield_now();
        local.try_send(4).unwrap();
        assert!(sender.try_send(5).is_err());
        assert!(local.try_send(6).is_err());
        served.join().unwrap();
    });
    check("a:shared1 b:local4");
}

#[test]
fn a_choice_keeps_its_place_in_the_line() {
    fibra::run(|| {
        let (sender, receiver) = unbounded();
        let (local, plain) = (Channel::new(), receiver.clone());
        let first = spawn(move || log(plain.recv().unwrap()));
        yield_now();
        let choices = ["b", "c"].map(|name| {
            let choice = chooser(name, &receiver, &local);
            yield_now();
            choice
        });
        (1..=4).for_each(|i| sender.send(i).unwrap());
        log(receiver.recv().unwrap());
        first.join().unwrap();
        choices.into_iter().for_each(|choice| choice.join().unwrap());
    });
    check("4 1 b:shared2 c:shared3");
}

#[test]
fn a_value_given_to_a_choice_beats_a_kill_and_a_killed_choice_takes_none() {
    fibra::run(|| {
        let (sender, receiver) = bounded(0);
        let local = Channel::new();
        let killed = chooser("killed", &receiver, &local);
        yield_now();
        killed.kill();
        assert!(killed.join().is_err());
        assert!(sender.try_send(2).is_err() && local.balance() == 0);

        let served = chooser("served", &receiver, &local);
        yield_now();
        sender.try_send(3).unwrap();
        served.kill();
        served.join().unwrap();
    });
    check("served:shared3");
}

#[test]
fn a_choice_whose_time_is_over_leaves_all_lines() {
    run_virtually(|| {
        let (sender, receiver) = bounded(0);
        let (full, full_end) = bounded(1);
        full.send(0).unwrap();
        for _ in 0..3 {
            select! {
                _ = recv(receiver) => unreachable!(),
                _ = send(full, 9) => unreachable!(),
                after(ms(2)) => log("over"),
            }
        }
        assert!(sender.try_send(1).is_err());
        assert_eq!((full_end.recv(), full_end.try_recv().is_err()), (Ok(0), true));
    });
    check("over over over");
}

#[test]
fn the_end_of_the_other_side_ends_a_choice() {
    fibra::run(|| {
        let (sender, receiver) = bounded::<u32>(0);
        let (full, full_end) = bounded(0);
        let choice = spawn(move || {
            let first = select! {
                value = recv(receiver) => format!("{value:?}"),
                sent = send(full, 5) => format!("{sent:?}"),
            };
            log(first.replace(' ', ""));
            let second = select! {
                sent = send(full, 6) => sent.unwrap_err().into_inner().to_string(),
            };
            log(second);
        });
        yield_now();
        drop(sender);
        yield_now();
        drop(full_end);
        choice.join().unwrap();
    });
    check("Err(Closed) 6");
}
