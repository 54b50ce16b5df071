//! Tests of what is believed of posted waits, and which of them are stuck.

use super::*;
use crate::sched::idle::{Idle, ThreadIdle};

fn owner(scheduler: u32, fiber: u64) -> Owner {
    Owner::of_bits(Owner::first_of(scheduler).bits() | fiber << 2)
}

fn on(scheduler: u32, fiber: u64) -> Vec<Party> {
    vec![Party::Owner(owner(scheduler, fiber))]
}

fn reading(scheduler: u32, fiber: u64, groups: &[Vec<Party>]) -> Reading {
    let name = format!("{scheduler}.{fiber}");
    Reading { waiter: owner(scheduler, fiber), name, groups: groups.to_vec() }
}

/// A table in which the schedulers 1 to 3 live.
fn table() -> Table {
    let mut table = Table::new();
    for id in 1..=3 {
        let mailbox = Arc::new(Mailbox::new(ThreadIdle.waker()));
        let entry = Entry { mailbox, asked: Arc::default(), asked_for: 0, closed: None };
        table.schedulers.insert(id, entry);
    }
    table
}

/// Those of all waits that are stuck, as "1.2 1.3".
fn stuck(table: &Table) -> String {
    let stuck = table.stuck(table.waits.keys().copied().collect());
    let names: Vec<_> = stuck.iter().map(|waiter| &*table.waits[waiter].reading.name).collect();
    names.join(" ")
}

#[test]
fn a_circle_is_stuck_with_those_who_wait_for_it_and_a_chain_is_not() {
    let mut table = table();
    let circle = [reading(1, 1, &[on(1, 2)]), reading(1, 2, &[on(1, 1)])];
    let others = [reading(1, 3, &[on(1, 1)]), reading(1, 4, &[on(1, 5)])];
    table.post(1, 1, false, circle.into_iter().chain(others).collect());
    assert_eq!(stuck(&table), "1.1 1.2 1.3");
    let all = table.stuck(table.waits.keys().copied().collect());
    let worth = all.iter().map(|&waiter| table.is_worth_failing(waiter, &all));
    assert_eq!(worth.collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(table.circle_of(owner(1, 2), &all, 1), ["1.2", "1.1"]);
    assert_eq!(table.circle_of(owner(1, 2), &all, 2)[0], "1.2 of another thread");
}

#[test]
fn a_wait_with_two_ways_to_end_is_stuck_if_both_are() {
    for (writer_waits, expected) in [(true, "1.1 1.2"), (false, "")] {
        let mut table = table();
        let mut readings = vec![reading(1, 1, &[on(1, 1), on(1, 2)])];
        if writer_waits {
            readings.push(reading(1, 2, &[on(1, 1)]));
        }
        table.post(1, 1, false, readings);
        assert_eq!(stuck(&table), expected);
    }
    let mut table = table();
    table.post(1, 1, false, vec![reading(1, 1, &[on(1, 1), vec![Party::Anyone]])]);
    assert_eq!(stuck(&table), "");
}

#[test]
fn what_was_read_before_the_other_waited_is_not_believed() {
    let mut table = table();
    table.post(1, 1, false, vec![reading(1, 1, &[on(2, 1)])]);
    table.post(2, 2, false, vec![reading(2, 1, &[on(1, 1)])]);
    assert_eq!(stuck(&table), "");
    // The first scheduler was asked, and has read the same.
    table.post(1, 3, false, vec![reading(1, 1, &[on(2, 1)])]);
    assert_eq!(stuck(&table), "1.1 2.1");
    table.waits.remove(&owner(2, 1));
    assert_eq!(stuck(&table), "");
}

#[test]
fn a_run_that_is_over_releases_nothing() {
    let mut table = table();
    table.post(1, 1, false, vec![reading(1, 1, &[on(9, 1)]), reading(1, 2, &[on(2, 1)])]);
    assert_eq!(stuck(&table), "1.1");
    let all = table.stuck(table.waits.keys().copied().collect());
    assert!(table.is_worth_failing(owner(1, 1), &all));
    assert!(table.circle_of(owner(1, 1), &all, 1).is_empty());
}

#[test]
fn the_fibers_of_a_closed_scheduler_are_stuck_with_its_waits() {
    let mut table = table();
    // Fiber 7 of the second holds a lock, and waits for the end of fiber 1 there.
    table.post(2, 1, true, vec![reading(2, 1, &[on(1, 1)])]);
    table.post(1, 2, false, vec![reading(1, 1, &[on(2, 7)])]);
    assert_eq!(stuck(&table), "");
    table.post(2, 3, true, vec![reading(2, 1, &[on(1, 1)])]);
    assert_eq!(stuck(&table), "1.1 2.1");
    table.schedulers.get_mut(&2).unwrap().closed = None;
    assert_eq!(stuck(&table), "");
}
