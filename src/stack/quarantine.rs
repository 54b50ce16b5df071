//! Owns the quarantine of builds with a sanitizer: stacks that were given back, closed to every
//! access.
//!
//! A stack that is used after it was given back usually belongs to another fiber by then: the
//! memory is mapped, and the sanitizer finds nothing wrong. In the quarantine the access is a
//! fault, which the sanitizer reports.
//!
//! Invariants:
//! - A stack in the quarantine has no pages and cannot be accessed.
//! - Stacks leave in the order in which they came, open and guarded, while there are more than
//!   `most`, or more than [`MOST_BYTES`] of them. [`Quarantine::release`] is the exception.

use std::collections::VecDeque;

use super::guard::{self, Guards};
use super::size::SizeClass;
use super::slot::Stack;

/// Number of stacks that a build with a sanitizer keeps closed. Neighbours that are closed form one
/// mapping, so in the worst case, where every other slot is in use, this takes twice as many of the
/// 65,530 mappings that a process may have by default.
pub(super) const MOST_CLOSED: usize = 16_384;

/// The most usable bytes of closed stacks. AddressSanitizer keeps shadow memory for a closed stack,
/// an eighth of its bytes: here 512 MiB.
const MOST_BYTES: usize = 4 << (if usize::BITS == 64 { 30 } else { 20 });

/// Stacks that were given back, the oldest first.
#[derive(Debug)]
pub(super) struct Quarantine {
    closed: VecDeque<Stack>,
    most: usize,
    /// The usable bytes of the closed stacks.
    bytes: usize,
}

impl Quarantine {
    /// Creates a quarantine of at most `most` stacks; with zero, stacks pass through unchanged.
    pub(super) const fn new(most: usize) -> Quarantine {
        Quarantine { closed: VecDeque::new(), most, bytes: 0 }
    }

    /// Closes `stack`, and appends the oldest stacks to `out` if there are too many.
    pub(super) fn exchange(&mut self, stack: Stack, guards: Guards, out: &mut Vec<Stack>) {
        if self.most == 0 {
            return out.push(stack);
        }
        guard::close(&stack);
        self.bytes += stack.class().bytes();
        self.closed.push_back(stack);
        while self.most < self.closed.len() || MOST_BYTES < self.bytes {
            out.extend(self.open(0, guards));
        }
    }

    /// Releases the oldest stack of `class` early, for a program that can get no other.
    pub(super) fn release(&mut self, class: SizeClass, guards: Guards) -> Option<Stack> {
        let at = self.closed.iter().position(|stack| stack.class() == class)?;
        self.open(at, guards)
    }

    /// Takes a stack out. If its guard is refused, the stack is leaked, because it must not be
    /// used.
    fn open(&mut self, at: usize, guards: Guards) -> Option<Stack> {
        let stack = self.closed.remove(at)?;
        self.bytes -= stack.class().bytes();
        guards.open(&stack).is_ok().then_some(stack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::slab::{self, Slab};
    use crate::stack::slot::page_size;
    use crate::stack::testing::{every_kind_of_guards, faults, look, touch};

    fn stacks(count: usize, guards: Guards) -> Vec<Stack> {
        stacks_of(SizeClass::for_bytes(64 << 10), count, guards)
    }

    fn stacks_of(class: SizeClass, count: usize, guards: Guards) -> Vec<Stack> {
        let mut slab = Slab::map(class, count as u32, 0, slab::map_from_kernel).unwrap();
        let mut stacks = Vec::new();
        slab.carve(count, guards, &mut stacks).unwrap();
        stacks
    }

    /// Closes a stack in a quarantine that has room for it.
    fn keep(quarantine: &mut Quarantine, stack: Stack, guards: Guards) {
        let mut out = Vec::new();
        quarantine.exchange(stack, guards, &mut out);
        assert!(out.is_empty());
    }

    fn is_closed(stack: &Stack) -> bool {
        (stack.limit().get()..stack.base().get()).step_by(page_size()).all(faults)
    }

    #[test]
    fn a_stack_in_the_quarantine_cannot_be_accessed() {
        for guards in every_kind_of_guards() {
            let [below, stack, above] = stacks(3, guards()).try_into().unwrap();
            let (base, guard) = (stack.base().get(), stack.guard());
            [&below, &stack, &above].iter().for_each(|stack| touch(stack.base().get(), 7));
            keep(&mut Quarantine::new(1), stack, guards());
            assert!((guard.start..base).step_by(page_size()).all(faults));
            assert_eq!([below, above].map(|stack| look(stack.base().get())), [7, 7]);
        }
    }

    #[test]
    fn the_oldest_leaves_first_empty_and_guarded() {
        for guards in every_kind_of_guards() {
            let stacks = stacks(10, guards());
            let bases: Vec<_> = stacks.iter().map(Stack::base).collect();
            let mut quarantine = Quarantine::new(4);
            let mut out = Vec::new();
            for stack in stacks {
                touch(stack.base().get(), 7);
                quarantine.exchange(stack, guards(), &mut out);
            }
            assert!(out.iter().map(Stack::base).eq(bases[..6].iter().copied()));
            for stack in &out {
                let usable = stack.guard().end..stack.base().get();
                assert!(stack.guard().step_by(page_size()).all(faults));
                assert!(!usable.step_by(page_size()).any(faults));
                assert!(cfg!(not(target_os = "linux")) || look(stack.base().get()) == 0);
            }
            assert!(quarantine.closed.iter().all(is_closed));
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn large_stacks_make_room_for_a_larger_one() {
        let guards = Guards::of_this_system();
        let mut quarantine = Quarantine::new(MOST_CLOSED);
        let small = stacks(5, guards);
        small.into_iter().for_each(|stack| keep(&mut quarantine, stack, guards));
        let large = stacks_of(SizeClass::for_bytes(1 << 30), 5, guards);
        let mut out = Vec::new();
        for stack in large {
            quarantine.exchange(stack, guards, &mut out);
        }
        let sizes: Vec<_> = out.iter().map(|stack| stack.class().bytes()).collect();
        assert_eq!(sizes, [64 << 10, 64 << 10, 64 << 10, 64 << 10, 64 << 10, 1 << 30]);
        assert_eq!((quarantine.closed.len(), quarantine.bytes), (4, 4 << 30));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn neighbours_that_are_closed_are_one_mapping() {
        use crate::stack::testing::{mappings_between, pass_in_child, this_test};
        // In a child process, because other tests map and unmap stacks.
        pass_in_child(this_test!(neighbours_that_are_closed_are_one_mapping), &[], || {
            for guards in every_kind_of_guards() {
                let stacks = stacks(1_000, guards());
                let mut quarantine = Quarantine::new(1_000);
                // Count only the mappings of these stacks: the allocator of a sanitizer maps memory
                // as well.
                let low = stacks.iter().map(|stack| stack.guard().start).min().unwrap();
                let high = stacks.iter().map(|stack| stack.base().get()).max().unwrap();
                let mappings = || mappings_between(low, high);
                let before = mappings();
                stacks.into_iter().for_each(|stack| keep(&mut quarantine, stack, guards()));
                assert!(mappings() <= before + 3, "{} and {before} before", mappings());
            }
        });
    }

    #[test]
    fn when_there_are_no_others_the_oldest_of_a_class_is_released() {
        for guards in every_kind_of_guards() {
            let stacks = stacks(3, guards());
            let (class, oldest) = (stacks[0].class(), stacks[0].base());
            let mut quarantine = Quarantine::new(4);
            stacks.into_iter().for_each(|stack| keep(&mut quarantine, stack, guards()));
            assert!(quarantine.release(SizeClass::MAIN, guards()).is_none());
            let stack = quarantine.release(class, guards()).unwrap();
            assert_eq!(stack.base(), oldest);
            touch(oldest.get(), 7);
            assert!(stack.guard().step_by(page_size()).all(faults));
        }
    }

    #[test]
    fn without_a_quarantine_a_stack_stays_unchanged() {
        let guards = Guards::of_this_system();
        let stack = stacks(1, guards).pop().unwrap();
        touch(stack.base().get(), 7);
        let mut out = Vec::new();
        Quarantine::new(0).exchange(stack, guards, &mut out);
        assert_eq!(look(out[0].base().get()), 7);
    }
}
