//! Tests of the posted waits: which readings are believed, and which waits are stuck.

use super::*;
use crate::sched::time::idle::{Idle, ThreadIdle};

fn owner(scheduler: u32, fiber: u64) -> Owner {
    Owner::of_bits(Owner::first_of(scheduler).bits() | fiber << 3)
}

fn on(scheduler: u32, fiber: u64) -> Vec<Party> {
    vec![Party::Owner(owner(scheduler, fiber))]
}

fn reading(scheduler: u32, fiber: u64, groups: &[Vec<Party>]) -> Reading {
    let name = format!("{scheduler}.{fiber}");
    Reading { waiter: owner(scheduler, fiber), name, groups: groups.to_vec() }
}

/// Returns a table in which the schedulers 1 to 3 live.
fn table() -> Table {
    let mut table = Table::new();
    for id in 1..=3 {
        let mailbox = Arc::new(Mailbox::new(ThreadIdle::new().waker()));
        let entry = Entry { mailbox, asked: Arc::default(), asked_for: 0, closed: None };
        table.schedulers.insert(id, entry);
    }
    table
}

/// Returns the stuck ones of all waits, as "1.2 1.3".
fn stuck(table: &Table) -> String {
    let stuck = table.stuck(table.waits.keys().copied().collect());
    let names: Vec<_> = stuck.iter().map(|waiter| &*table.waits[waiter].reading.name).collect();
    names.join(" ")
}

#[test]
fn a_circle_is_stuck_with_the_fibers_that_wait_for_it_and_a_chain_is_not() {
    let mut table = table();
    let circle = [reading(1, 1, &[on(1, 2)]), reading(1, 2, &[on(1, 1)])];
    let others = [reading(1, 3, &[on(1, 1)]), reading(1, 4, &[on(1, 5)])];
    table.post(1, 1, false, circle.into_iter().chain(others).collect());
    assert_eq!(stuck(&table), "1.1 1.2 1.3");
    let all = table.stuck(table.waits.keys().copied().collect());
    let worth = table.worth_failing(&all).into_iter().collect::<Vec<_>>();
    assert_eq!(worth, [owner(1, 1), owner(1, 2)]);
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
    // The first scheduler was asked to look again, and has read the same.
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
    assert!(table.worth_failing(&all).contains(&owner(1, 1)));
    assert!(table.circle_of(owner(1, 1), &all, 1).is_empty());
}

#[test]
fn the_fibers_of_a_closed_scheduler_are_stuck_with_its_waits() {
    let mut table = table();
    // Fiber 7 of scheduler 2 holds a lock, and waits for the end of fiber 1 of scheduler 2.
    table.post(2, 1, true, vec![reading(2, 1, &[on(1, 1)])]);
    table.post(1, 2, false, vec![reading(1, 1, &[on(2, 7)])]);
    assert_eq!(stuck(&table), "");
    table.post(2, 3, true, vec![reading(2, 1, &[on(1, 1)])]);
    assert_eq!(stuck(&table), "1.1 2.1");
    table.schedulers.get_mut(&2).unwrap().closed = None;
    assert_eq!(stuck(&table), "");
}

/// A generator of pseudo-random numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn party(&mut self) -> Party {
        match self.below(12) {
            0 => Party::Anyone,
            1 => Party::FibersOf(self.below(3) as u32 + 1),
            _ => Party::Owner(owner(self.below(4) as u32 + 1, self.below(6))),
        }
    }
}

/// Returns the same as `Table::stuck`, by checking all waits again until nothing changes.
fn stuck_by_trial(table: &Table, mut waits: BTreeSet<Owner>) -> BTreeSet<Owner> {
    let holds_up = |party: &Party, wait: &Wait, stuck: &BTreeSet<Owner>| {
        let id = match *party {
            Party::Anyone => return false,
            Party::FibersOf(id) => id,
            Party::Owner(owner) => {
                let other = table.waits.get(&owner);
                if !table.schedulers.contains_key(&owner.scheduler())
                    || stuck.contains(&owner)
                        && other.is_some_and(|other| other.since <= wait.read_at)
                {
                    return true;
                }
                owner.scheduler()
            }
        };
        table.schedulers[&id].closed.is_some_and(|since| since <= wait.read_at)
            && table.waits_of(id).count() != 0
            && table.waits_of(id).all(|(owner, _)| stuck.contains(owner))
    };
    loop {
        let before = waits.clone();
        waits.retain(|waiter| {
            let wait = &table.waits[waiter];
            let mut groups = wait.reading.groups.iter();
            groups.all(|group| group.iter().any(|party| holds_up(party, wait, &before)))
        });
        if waits == before {
            return waits;
        }
    }
}

#[test]
fn stuck_waits_and_circles_are_those_that_an_exhaustive_check_finds() {
    let (mut numbers, mut found) = (Numbers(0x5eed), 0);
    for _ in 0..if cfg!(miri) { 50 } else { 5_000 } {
        let mut table = table();
        for stamp in 1..=numbers.below(6) {
            let id = numbers.below(3) as u32 + 1;
            let readings = (0..numbers.below(6)).map(|fiber| {
                let groups: Vec<Vec<Party>> = (0..=numbers.below(5) / 4)
                    .map(|_| (0..=numbers.below(4) / 2).map(|_| numbers.party()).collect())
                    .collect();
                reading(id, fiber, &groups)
            });
            let readings = readings.collect();
            table.post(id, stamp, numbers.below(2) == 0, readings);
        }
        let all: BTreeSet<Owner> = table.waits.keys().copied().collect();
        let stuck = table.stuck(all.clone());
        assert_eq!(stuck, stuck_by_trial(&table, all));
        let worth = table.worth_failing(&stuck);
        for &waiter in &stuck {
            let circle = table.circle_of(waiter, &stuck, 1);
            let parties = table.waits[&waiter].reading.groups.iter().flatten();
            let dead =
                parties.filter(|party| matches!(party, Party::Owner(of) if of.scheduler() == 4));
            assert_eq!(worth.contains(&waiter), !circle.is_empty() || dead.count() != 0);
            found += usize::from(1 < circle.len());
        }
    }
    assert!(cfg!(miri) || 100 < found, "{found}");
}

#[test]
fn long_queues_and_long_chains_take_little_time() {
    let fibers = if cfg!(miri) { 50 } else { 20_000 };
    // Each fiber waits for the next one, and the last for one that does not wait; or all are stuck
    // with their whole scheduler.
    let chain = |fiber: u64| on(1, fiber + 1);
    let line = |_: u64| vec![Party::FibersOf(1)];
    for (groups, closed, expected) in
        [(&chain as &dyn Fn(u64) -> _, false, 0), (&line as &dyn Fn(u64) -> _, true, fibers)]
    {
        let mut table = table();
        let readings = (0..fibers).map(|fiber| reading(1, fiber, &[groups(fiber)])).collect();
        table.post(1, 1, closed, readings);
        let reached = table.reached_from(1);
        assert_eq!(reached.len() as u64, fibers);
        let stuck = table.stuck(reached);
        assert_eq!(stuck.len() as u64, expected);
        assert_eq!(table.worth_failing(&stuck).len() as u64, expected);
    }
}
