//! Tests that `select!` starves no arm beside other choices, and chooses the same in each run.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::channel::{self, Receiver};

use crate::support::run_virtually;

/// Creates a channel that always has a value ready.
fn spring() -> Receiver<()> {
    let (sender, receiver) = channel::unbounded();
    (0..4_000).for_each(|_| sender.send(()).unwrap());
    receiver
}

/// Chooses among the springs once, and counts the one that it chose.
fn choose(springs: &[Receiver<()>; 2], chosen: &mut [u32; 2]) {
    fibra::select! {
        _ = recv(springs[0]) => chosen[0] += 1,
        _ = recv(springs[1]) => chosen[1] += 1,
    }
}

#[track_caller]
fn assert_fair(chosen: [u32; 2]) {
    let all: u32 = chosen.iter().sum();
    assert!(chosen.iter().all(|&n| all / 4 <= n), "{chosen:?}");
}

#[test]
fn fibers_that_take_turns_do_not_take_each_others() {
    run_virtually(|| {
        let fibers = [(); 2].map(|()| {
            fibra::spawn(|| {
                let (springs, mut chosen) = ([spring(), spring()], [0; 2]);
                for _ in 0..500 {
                    choose(&springs, &mut chosen);
                    fibra::yield_now();
                }
                chosen
            })
        });
        for fiber in fibers {
            assert_eq!(fiber.join().unwrap(), [250, 250]);
        }
    });
}

#[test]
fn choices_that_take_turns_in_one_fiber_are_each_fair() {
    run_virtually(|| {
        for places in [2, 3, 4, 8, 16, 17, 32, 64] {
            let springs: Vec<_> = (0..places).map(|_| [spring(), spring()]).collect();
            let mut chosen = vec![[0; 2]; places];
            for _ in 0..400 {
                // All choices stand at the same place in the source: only their channels differ.
                for (springs, chosen) in springs.iter().zip(&mut chosen) {
                    choose(springs, chosen);
                }
            }
            chosen.into_iter().for_each(assert_fair);
        }
    });
}

#[test]
fn an_arm_is_not_starved_by_a_wait_before_each_choice() {
    run_virtually(|| {
        let pairs = (0..200).map(|_| [(); 2].map(|()| fibra::sync::mpmc::unbounded::<()>()));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            pairs.map(|[(to_a, a), (to_b, b)]| ([to_a, to_b], [a, b])).unzip();
        let chooser = fibra::spawn(move || {
            let mut chosen = [0; 2];
            for [first, second] in receivers {
                // It has to wait each time, and finds both channels closed when it looks again.
                fibra::select! {
                    _ = recv(first) => chosen[0] += 1,
                    _ = recv(second) => chosen[1] += 1,
                }
            }
            chosen
        });
        for both in senders {
            fibra::yield_now();
            drop(both);
            fibra::yield_now();
        }
        assert_fair(chooser.join().unwrap());
    });
}

#[test]
fn the_order_is_the_same_in_each_run() {
    let run = || {
        run_virtually(|| {
            let order = Rc::new(RefCell::new(String::new()));
            let springs = [spring(), spring(), spring()];
            for _ in 0..300 {
                let chosen = fibra::select! {
                    _ = recv(springs[0]) => 'a',
                    _ = recv(springs[1]) => 'b',
                    _ = recv(springs[2]) => 'c',
                };
                order.borrow_mut().push(chosen);
            }
            order.take()
        })
    };
    let first = run();
    assert_eq!(first, run());
    assert_eq!(&first[..15], "abcabcabcabcabc", "one after the other, to begin with");
    for arm in ['a', 'b', 'c'] {
        let count = first.matches(arm).count();
        assert!((80..=120).contains(&count), "{arm}: {count}");
    }
}
