//! The search for posted waits that can never end, and for those of them that are in circles.
//!
//! ```text
//!   wait --> wait of the owner of its lock
//!   wait --> all waits of a scheduler that is closed, if another of its fibers has the lock
//! ```
//!
//! Invariant: each search takes time in proportion to the number of waits and of the parties that
//! they name, times a logarithm. The lock of the registry is held meanwhile, and thousands of
//! fibers may wait in one queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry::{Party, Table, Wait};

/// A node of the graph: one wait, or all waits of a closed scheduler.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Node {
    Wait(Owner),
    /// All waits of the scheduler with this number.
    AllOf(u32),
}

impl Node {
    fn wait(self) -> Option<Owner> {
        if let Node::Wait(owner) = self { Some(owner) } else { None }
    }
}

impl Table {
    /// Returns the waits of the scheduler `id` and those that they depend on, directly or not.
    pub(super) fn reached_from(&self, id: u32) -> BTreeSet<Owner> {
        let mut reached = BTreeSet::new();
        let mut left = self.next(Node::AllOf(id));
        while let Some(node) = left.pop() {
            if reached.insert(node) {
                left.extend(self.next(node));
            }
        }
        reached.into_iter().filter_map(Node::wait).collect()
    }

    /// Returns those of `waits` that can never end: the largest subset in which each wait depends
    /// on others of the subset.
    pub(super) fn stuck(&self, mut waits: BTreeSet<Owner>) -> BTreeSet<Owner> {
        let mut dependents = self.dependents(&waits);
        let schedulers = dependents.keys().filter_map(|node| match *node {
            Node::AllOf(id) => Some(id),
            Node::Wait(_) => None,
        });
        let is_whole = |&id: &u32| {
            let mut all = self.waits_of(id).map(|(owner, _)| owner).peekable();
            all.peek().is_some() && all.all(|owner| waits.contains(owner))
        };
        let mut whole: BTreeSet<u32> = schedulers.filter(is_whole).collect();
        let mut left: Vec<Owner> = waits.iter().copied().collect();
        while let Some(waiter) = left.pop() {
            if !waits.contains(&waiter) || !self.ends(waiter, &waits, &whole) {
                continue;
            }
            waits.remove(&waiter);
            left.extend(dependents.remove(&Node::Wait(waiter)).unwrap_or_default());
            let id = waiter.scheduler();
            if whole.remove(&id) {
                left.extend(dependents.remove(&Node::AllOf(id)).unwrap_or_default());
            }
        }
        waits
    }

    /// Returns, for each wait and each scheduler, the members of `waits` to check again once that
    /// wait, or the first wait of that scheduler, turns out not to be stuck.
    fn dependents(&self, waits: &BTreeSet<Owner>) -> BTreeMap<Node, Vec<Owner>> {
        let mut dependents: BTreeMap<Node, Vec<Owner>> = BTreeMap::new();
        for &waiter in waits {
            let mut depends = |on: Node| dependents.entry(on).or_default().push(waiter);
            for party in self.waits[&waiter].reading.groups.iter().flatten() {
                match *party {
                    Party::Owner(owner) => {
                        depends(Node::Wait(owner));
                        depends(Node::AllOf(owner.scheduler()));
                    }
                    Party::FibersOf(id) => depends(Node::AllOf(id)),
                    Party::Anyone => {}
                }
            }
        }
        dependents
    }

    /// Returns whether the wait of `waiter` may end if those of `stuck` never do. `whole` contains
    /// the schedulers that have only stuck waits.
    fn ends(&self, waiter: Owner, stuck: &BTreeSet<Owner>, whole: &BTreeSet<u32>) -> bool {
        let wait = &self.waits[&waiter];
        let holds_up = |&party: &Party| self.holds_up(party, wait, stuck, whole);
        wait.reading.groups.iter().any(|group| !group.iter().any(holds_up))
    }

    /// Returns whether `party` never leaves the lock of `wait`, if the waits of `stuck` never end.
    fn holds_up(
        &self,
        party: Party,
        wait: &Wait,
        stuck: &BTreeSet<Owner>,
        whole: &BTreeSet<u32>,
    ) -> bool {
        let id = match party {
            Party::Anyone => return false,
            Party::FibersOf(id) => id,
            Party::Owner(owner) => {
                let waits = |other: &Wait| other.since <= wait.read_at && stuck.contains(&owner);
                if self.is_dead(owner) || self.waits.get(&owner).is_some_and(waits) {
                    return true;
                }
                owner.scheduler()
            }
        };
        let closed = self.schedulers.get(&id).and_then(|entry| entry.closed);
        closed.is_some_and(|since| since <= wait.read_at) && whole.contains(&id)
    }

    /// Returns those of `stuck` that are in circles or depend on a `run` that is over. A failure of
    /// any other wait would not help.
    pub(super) fn worth_failing(&self, stuck: &BTreeSet<Owner>) -> BTreeSet<Owner> {
        let mut worth = self.in_circles(stuck);
        let is_dead = |party: &Party| match *party {
            Party::Owner(owner) => self.is_dead(owner),
            _ => false,
        };
        let waits_for_the_dead =
            |waiter: &&Owner| self.waits[waiter].reading.groups.iter().flatten().any(is_dead);
        worth.extend(stuck.iter().filter(waits_for_the_dead));
        worth
    }

    /// Returns those of `stuck` from which a path leads back to themselves: the strongly connected
    /// components, by Gabow's algorithm.
    fn in_circles(&self, stuck: &BTreeSet<Owner>) -> BTreeSet<Owner> {
        const DONE: usize = usize::MAX;
        let mut found = BTreeSet::new();
        // `places`: the index of each node in `path`. `begins`: the indices in `path` at which
        // components begin, as far as is known.
        let (mut places, mut path, mut begins) = (BTreeMap::new(), Vec::new(), Vec::new());
        for &start in stuck {
            let mut left = vec![(None, vec![Node::Wait(start)])];
            while let Some((node, next)) = left.last_mut() {
                let node = *node;
                match next.pop() {
                    Some(next) if !places.contains_key(&next) => {
                        places.insert(next, path.len());
                        begins.push(path.len());
                        path.push(next);
                        left.push((Some(next), self.next_stuck(next, stuck)));
                    }
                    Some(next) => {
                        let at = places[&next];
                        while at != DONE && begins.last().is_some_and(|&begin| at < begin) {
                            begins.pop();
                        }
                        if node == Some(next) {
                            found.extend(next.wait());
                        }
                    }
                    None => {
                        left.pop();
                        let Some(at) = node.map(|node| places[&node]) else { continue };
                        if begins.last() == Some(&at) {
                            begins.pop();
                            let component = path.split_off(at);
                            if 1 < component.len() {
                                found.extend(component.iter().copied().filter_map(Node::wait));
                            }
                            places.extend(component.into_iter().map(|node| (node, DONE)));
                        }
                    }
                }
            }
        }
        found
    }

    /// Returns the names of the waiters in a circle with `victim`, for a report of the scheduler
    /// `id`.
    pub(super) fn circle_of(&self, victim: Owner, stuck: &BTreeSet<Owner>, id: u32) -> Vec<String> {
        let name = |waiter: &Owner| {
            let name = &self.waits[waiter].reading.name;
            if waiter.scheduler() == id {
                name.clone()
            } else {
                format!("{name} of another thread")
            }
        };
        self.way_back(victim, stuck).iter().map(name).collect()
    }

    /// Returns the shortest path from `waiter` back to itself along stuck waits.
    fn way_back(&self, waiter: Owner, stuck: &BTreeSet<Owner>) -> Vec<Owner> {
        let start = Node::Wait(waiter);
        let (mut from, mut left) = (BTreeMap::new(), VecDeque::from([start]));
        while let Some(at) = left.pop_front() {
            for next in self.next_stuck(at, stuck) {
                if next == start {
                    let back = std::iter::successors(Some(at), |at| from.get(at).copied());
                    let mut way: Vec<Owner> = back.filter_map(Node::wait).collect();
                    way.reverse();
                    return way;
                }
                from.entry(next).or_insert_with(|| {
                    left.push_back(next);
                    at
                });
            }
        }
        Vec::new()
    }

    /// Returns the nodes that `node` depends on, without the waits that are not stuck.
    fn next_stuck(&self, node: Node, stuck: &BTreeSet<Owner>) -> Vec<Node> {
        let mut next = self.next(node);
        next.retain(|next| next.wait().is_none_or(|owner| stuck.contains(&owner)));
        next
    }

    /// Returns the nodes that `node` depends on.
    fn next(&self, node: Node) -> Vec<Node> {
        let waiter = match node {
            Node::Wait(waiter) => waiter,
            Node::AllOf(id) => {
                return self.waits_of(id).map(|(owner, _)| Node::Wait(*owner)).collect();
            }
        };
        let Some(wait) = self.waits.get(&waiter) else { return Vec::new() };
        let is_closed =
            |id: &u32| self.schedulers.get(id).is_some_and(|entry| entry.closed.is_some());
        let node_of = |party: &Party| match *party {
            Party::Owner(owner) if self.waits.contains_key(&owner) => Some(Node::Wait(owner)),
            Party::Owner(owner) => Some(owner.scheduler()).filter(is_closed).map(Node::AllOf),
            Party::FibersOf(id) => Some(id).filter(is_closed).map(Node::AllOf),
            Party::Anyone => None,
        };
        wait.reading.groups.iter().flatten().filter_map(node_of).collect()
    }

    fn is_dead(&self, owner: Owner) -> bool {
        !owner.is_thread() && !self.schedulers.contains_key(&owner.scheduler())
    }
}
