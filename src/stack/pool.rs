//! Owns a thread's stacks: a shelf of idle ones for each class, over the process-wide reserve.
//!
//! Invariants:
//! - The last stack of a shelf was used last, so its pages are the warmest in the caches.
//! - A shelf holds at most its watermark; beyond, its coldest half goes back to the reserve.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::reserve::{RESERVE, Reserve};
use super::size::SizeClass;
use super::slab;
use super::slot::{Shape, Stack};

/// A thread's stacks.
#[derive(Debug)]
pub(crate) struct Pool {
    shelves: [Shelf; SizeClass::COUNT],
    reserve: &'static Mutex<Reserve>,
    /// Stacks that came from the reserve and have not gone back.
    held: usize,
    /// The highest that `held` has been.
    most_held: usize,
}

/// What a pool holds at some moment.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct PoolStats {
    /// Stacks that were taken from this pool and not given back.
    pub(crate) live: usize,
    /// Stacks that wait in this pool for their next use.
    pub(crate) idle: usize,
    /// The most stacks, live and idle, that this pool has held at once.
    pub(crate) high_water: usize,
    /// Stacks that wait in the reserve, which all pools of the process share.
    pub(crate) reserve: usize,
    /// Bytes of addresses that the stacks of the whole process take. Memory is taken only by the
    /// pages that were touched.
    pub(crate) mapped_bytes: usize,
}

/// The idle stacks of one class, the warmest last.
#[derive(Debug)]
struct Shelf {
    idle: Vec<Stack>,
    /// How many stacks the next refill asks for; zero before the first.
    refill: usize,
}

/// How many idle stacks a pool keeps of each class: 4,096 of the smallest, 1,024 of those that fibers
/// commonly have, none of 512 MiB or more.
const WATERMARKS: [usize; SizeClass::COUNT] = {
    let mut marks = [0; SizeClass::COUNT];
    let mut index = 0;
    while index < SizeClass::COUNT {
        marks[index] = watermark(SizeClass::from_index(index).bytes());
        index += 1;
    }
    marks
};

/// How many idle stacks of so many bytes a pool keeps.
///
/// Most stacks have touched a page or two of their addresses, so up to a megabyte it is their number
/// that counts, whatever their size. A larger one was asked for by a fiber that needs it.
const fn watermark(bytes: usize) -> usize {
    /// If every idle stack had been used to its far end, they would hold so much memory.
    const WARM_BYTES: usize = 256 << 20;
    const LARGE: usize = 2 << 20;
    match WARM_BYTES / bytes {
        4096.. => 4096,
        ..1024 if bytes < LARGE => 1024,
        count => count,
    }
}

impl Pool {
    /// An empty pool; it asks the system for nothing before its first stack.
    pub(crate) const fn new() -> Pool {
        Pool::over(&RESERVE)
    }

    const fn over(reserve: &'static Mutex<Reserve>) -> Pool {
        let shelves = [const { Shelf { idle: Vec::new(), refill: 0 } }; SizeClass::COUNT];
        Pool { shelves, reserve, held: 0, most_held: 0 }
    }

    /// Takes a stack: the one that was given back last, if any is idle.
    #[inline]
    pub(crate) fn take(&mut self, class: SizeClass) -> io::Result<Stack> {
        match self.shelves[class.index()].idle.pop() {
            Some(stack) => Ok(stack),
            None => self.take_from_reserve(class),
        }
    }

    /// Sees to it that the next [`take`](Pool::take) of this class succeeds.
    pub(crate) fn prepare(&mut self, class: SizeClass) -> io::Result<()> {
        if self.shelves[class.index()].idle.is_empty() {
            let stack = self.take_from_reserve(class)?;
            self.shelves[class.index()].idle.push(stack);
        }
        Ok(())
    }

    /// Takes a stack back. Nothing may run on it, and nobody may look into it any more.
    #[inline]
    pub(crate) fn give(&mut self, stack: Stack) {
        if cfg!(sanitized) {
            return self.give_to_quarantine(stack);
        }
        self.shelve(stack);
    }

    #[inline(always)]
    fn shelve(&mut self, stack: Stack) {
        let index = stack.class().index();
        let idle = &mut self.shelves[index].idle;
        if WATERMARKS[index] <= idle.len() {
            return self.give_beyond_watermark(stack);
        }
        idle.push(stack);
    }

    /// What the pool holds now; exact if its stacks are given back to it and not to another pool.
    pub(crate) fn stats(&self) -> PoolStats {
        let idle = self.shelves.iter().map(|shelf| shelf.idle.len()).sum();
        let reserve = self.lock();
        PoolStats {
            live: self.held.saturating_sub(idle),
            idle,
            high_water: self.most_held,
            reserve: reserve.idle(),
            mapped_bytes: reserve.mapped_bytes(),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_from_reserve(&mut self, class: SizeClass) -> io::Result<Stack> {
        let shelf = &mut self.shelves[class.index()];
        shelf.refill = next_refill(shelf.refill, Shape::of(class).stride());
        lock(self.reserve).take(class, shelf.refill, &mut shelf.idle)?;
        self.held += shelf.idle.len();
        self.most_held = self.most_held.max(self.held);
        Ok(shelf.idle.pop().expect("the reserve gives at least one stack or an error"))
    }

    /// Gives a stack back so that its next use, here or elsewhere, is far off.
    #[cold]
    #[inline(never)]
    fn give_to_quarantine(&mut self, stack: Stack) {
        self.held = self.held.saturating_sub(1);
        let mut oldest = Vec::new();
        lock(self.reserve).quarantine(stack, &mut oldest);
        self.held += oldest.len();
        oldest.into_iter().for_each(|stack| self.shelve(stack));
    }

    #[cold]
    #[inline(never)]
    fn give_beyond_watermark(&mut self, stack: Stack) {
        let class = stack.class();
        self.shelves[class.index()].idle.push(stack);
        self.trim(class, WATERMARKS[class.index()] / 2);
    }

    /// Gives all but the `keep` warmest stacks of a class back to the reserve, and their pages to
    /// the kernel.
    fn trim(&mut self, class: SizeClass, keep: usize) {
        let idle = &mut self.shelves[class.index()].idle;
        let cold = idle.len().saturating_sub(keep);
        if cold == 0 {
            return;
        }
        idle[..cold].sort_unstable_by_key(Stack::limit);
        slab::discard(&idle[..cold]);
        lock(self.reserve).give(class, idle.drain(..cold));
        // Stacks of other pools may be among them.
        self.held = self.held.saturating_sub(cold);
    }

    fn lock(&self) -> MutexGuard<'static, Reserve> {
        lock(self.reserve)
    }
}

impl Drop for Pool {
    /// Gives everything idle back to the reserve.
    fn drop(&mut self) {
        for index in 0..SizeClass::COUNT {
            self.trim(SizeClass::from_index(index), 0);
        }
    }
}

/// How many stacks to ask for after `last`: few at first, for a program may need just one; then
/// twice as many each time, because one call guards many for three quarters of the price, up to
/// 256 MiB of addresses or 256 stacks.
fn next_refill(last: usize, stride: usize) -> usize {
    let first = ((2 << 20) / stride).clamp(1, 16);
    let most = ((256 << 20) / stride).clamp(1, 256);
    (last * 2).clamp(first, most)
}

/// A panic cannot leave the reserve half changed in a way that matters: at worst it has forgotten
/// stacks, which leaks them.
fn lock(reserve: &'static Mutex<Reserve>) -> MutexGuard<'static, Reserve> {
    reserve.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::guard::Guards;
    use crate::stack::testing::{faults, look, reserve, touch};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn pool() -> Pool {
        Pool::over(reserve(slab::map_from_kernel, Guards::of_this_system))
    }

    #[test]
    fn the_stack_given_last_is_taken_first() {
        let mut pool = pool();
        let class = SizeClass::DEFAULT;
        let stacks: Vec<_> = (0..10).map(|_| pool.take(class).unwrap()).collect();
        let bases: Vec<_> = stacks.iter().map(Stack::base).collect();
        stacks.into_iter().for_each(|stack| pool.give(stack));
        for base in bases.into_iter().rev() {
            assert_eq!(pool.take(class).unwrap().base(), base);
        }
    }

    #[test]
    #[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
    fn a_fresh_pool_hands_stacks_out_by_rising_address() {
        let mut pool = pool();
        let class = SizeClass::for_bytes(256 << 10);
        let stacks: Vec<_> = (0..100).map(|_| pool.take(class).unwrap()).collect();
        let sorted = stacks[..64].is_sorted_by_key(Stack::limit);
        assert!(sorted, "the first slab has 64 slots");
        stacks.into_iter().for_each(|stack| pool.give(stack));
    }

    #[test]
    fn idle_stacks_stay_below_the_watermark_and_the_rest_serve_others() {
        let class = SizeClass::DEFAULT;
        let mark = WATERMARKS[class.index()];
        let mut pool = pool();
        let stacks: Vec<_> = (0..3 * mark).map(|_| pool.take(class).unwrap()).collect();
        assert_eq!(pool.stats().live, 3 * mark);
        for (i, stack) in stacks.into_iter().enumerate() {
            touch(stack.base().get(), i as u8 | 1);
            pool.give(stack);
            assert!(pool.stats().idle <= mark + 256);
        }
        let stats = pool.stats();
        assert!(stats.idle <= mark, "{stats:?}");
        assert_eq!(stats.live, 0);
        assert!(3 * mark <= stats.idle + stats.reserve, "{stats:?}");
        assert!(3 * mark <= stats.high_water && stats.high_water < 3 * mark + 256, "{stats:?}");
        // What comes from the reserve is guarded and, on Linux, zero again.
        while pool.stats().idle != 0 {
            drop(pool.take(class).unwrap());
        }
        let cold = pool.take(class).unwrap();
        assert!(faults(cold.guard().start) && faults(cold.guard().end - 1));
        assert!(cfg!(not(target_os = "linux")) || look(cold.base().get()) == 0);
    }

    #[test]
    fn the_watermark_counts_common_stacks_and_the_bytes_of_large_ones() {
        let mark = |bytes| WATERMARKS[SizeClass::for_bytes(bytes).index()];
        let kib = [16, 64, 128, 256, 512, 1024].map(|kib| mark(kib << 10));
        assert_eq!(kib, [4096, 4096, 2048, 1024, 1024, 1024]);
        assert_eq!([2, 8, 256, 512, 1024].map(|mib| mark(mib << 20)), [128, 32, 1, 0, 0]);
    }

    #[test]
    fn what_was_prepared_is_taken_without_the_reserve() {
        let mut pool = pool();
        pool.prepare(SizeClass::MAIN).unwrap();
        let (idle, mapped) = (pool.stats().idle, pool.stats().mapped_bytes);
        pool.prepare(SizeClass::MAIN).unwrap();
        assert_eq!((pool.stats().idle, pool.stats().mapped_bytes), (idle, mapped));
        let stack = pool.take(SizeClass::MAIN).unwrap();
        assert_eq!((pool.stats().idle, pool.stats().live), (idle - 1, 1));
        pool.give(stack);
    }

    #[test]
    fn a_class_too_large_to_keep_warm_goes_back_at_once() {
        let mut pool = pool();
        let stack = pool.take(SizeClass::for_bytes(1 << 30)).unwrap();
        pool.give(stack);
        let stats = pool.stats();
        assert_eq!((stats.live, stats.idle, stats.reserve), (0, 0, 1));
    }

    #[test]
    fn refills_grow_to_a_bound() {
        let stride = |class| Shape::of(class).stride();
        let last_of = |class| (0..20).fold(0, |last, _| next_refill(last, stride(class)));
        assert_eq!(next_refill(0, stride(SizeClass::MAIN)), 1);
        assert_eq!(last_of(SizeClass::for_bytes(1 << 30)), 1);
        assert_eq!(last_of(SizeClass::for_bytes(256 << 10)), 256);
        assert!(128 <= last_of(SizeClass::for_bytes(1 << 20)));
        assert_eq!(last_of(SizeClass::for_bytes(16 << 10)), 256);
    }

    #[test]
    fn a_pool_that_ends_gives_everything_to_the_next() {
        let mut first = pool();
        let reserve = first.reserve;
        let stacks: Vec<_> = (0..200).map(|_| first.take(SizeClass::DEFAULT).unwrap()).collect();
        stacks.into_iter().for_each(|stack| first.give(stack));
        drop(first);
        let mapped = lock(reserve).mapped_bytes();
        let mut second = Pool::over(reserve);
        let stacks: Vec<_> = (0..200).map(|_| second.take(SizeClass::DEFAULT).unwrap()).collect();
        assert_eq!(second.stats().mapped_bytes, mapped);
        stacks.into_iter().for_each(|stack| second.give(stack));
    }

    #[test]
    fn two_threads_exchange_stacks_through_the_reserve() {
        let reserve = reserve(slab::map_from_kernel, Guards::of_this_system);
        let (to_other, from_other) = std::sync::mpsc::sync_channel::<Vec<Stack>>(1);
        #[allow(clippy::disallowed_methods, reason = "joined below")]
        let taker = std::thread::spawn(move || {
            let mut pool = Pool::over(reserve);
            for round in 0..50u8 {
                let take = |_| pool.take(SizeClass::DEFAULT).unwrap();
                let stacks: Vec<_> = (0..400).map(take).collect();
                stacks.iter().for_each(|stack| touch(stack.base().get(), round));
                to_other.send(stacks).unwrap();
            }
        });
        let mut pool = Pool::over(reserve);
        for (round, stacks) in from_other.iter().enumerate() {
            for stack in stacks {
                assert_eq!(usize::from(look(stack.base().get())), round);
                pool.give(stack);
            }
        }
        taker.join().unwrap();
        drop(pool);
        // 20,000 stacks were used. Those that were not exchanged: three rounds under way, the
        // giver's watermark and the taker's refill.
        let mut reserve = lock(reserve);
        assert!((400..3 * 400 + 1024 + 256 + 1).contains(&reserve.idle()), "{}", reserve.idle());
        let mut all = Vec::new();
        let idle = reserve.idle();
        reserve.take(SizeClass::DEFAULT, usize::MAX, &mut all).unwrap();
        assert_eq!(all.len(), idle);
        all.sort_unstable_by_key(Stack::limit);
        assert!(all.windows(2).all(|pair| pair[0].base().get() <= pair[1].limit().get()));
    }

    #[test]
    fn a_stack_that_is_given_to_the_quarantine_is_not_the_next_one() {
        let reserve = Reserve::new(slab::map_from_kernel, Guards::of_this_system, 3);
        let mut pool = Pool::over(Box::leak(Box::new(Mutex::new(reserve))));
        let class = SizeClass::DEFAULT;
        let mut bases = Vec::new();
        for _ in 0..10 {
            let stack = pool.take(class).unwrap();
            touch(stack.base().get(), 7);
            assert!(!bases[bases.len().saturating_sub(3)..].contains(&stack.base()));
            bases.push(stack.base());
            assert_eq!(pool.stats().live, 1);
            pool.give_to_quarantine(stack);
            assert!(faults(bases[bases.len() - 1].get() - 1));
            assert_eq!(pool.stats().live, 0);
        }
    }

    #[test]
    #[cfg(sanitized)]
    fn the_sanitizer_reports_a_use_of_a_stack_that_was_given_back() {
        use crate::stack::testing::{assert_reported, in_child, this_test};
        let test = this_test!(the_sanitizer_reports_a_use_of_a_stack_that_was_given_back);
        let output = in_child(test, &[], || {
            let mut pool = Pool::new();
            let stack = pool.take(SizeClass::DEFAULT).unwrap();
            let base = stack.base().get();
            touch(base, 7);
            pool.give(stack);
            // Another one is in use by now, as in a program that makes this mistake.
            let next = pool.take(SizeClass::DEFAULT).unwrap();
            touch(next.base().get(), 8);
            look(base);
        });
        assert_reported(&output);
    }

    /// Whether to take or to give, of which class, and which of the stacks in use.
    fn step() -> impl Strategy<Value = (bool, usize, prop::sample::Index)> {
        (any::<bool>(), 0usize..5, any::<prop::sample::Index>())
    }

    proptest! {
        #[test]
        fn stacks_in_use_never_overlap(
            steps in prop::collection::vec(step(), 1..400),
        ) {
            let mut pool = pool();
            // Every stack in use, by its lowest address, with the byte that was left on it.
            let mut model: BTreeMap<usize, (Stack, u8)> = BTreeMap::new();
            for (step, (take, class, which)) in steps.into_iter().enumerate() {
                if take || model.is_empty() {
                    let class = SizeClass::from_index(class);
                    let stack = pool.take(class).unwrap();
                    prop_assert_eq!(stack.class(), class);
                    let (limit, base) = (stack.limit().get(), stack.base().get());
                    let below = model.range(..base).next_back();
                    prop_assert!(below.is_none_or(|(_, (other, _))| other.base().get() <= limit));
                    touch(base, step as u8);
                    model.insert(limit, (stack, step as u8));
                } else {
                    let key = *model.keys().nth(which.index(model.len())).unwrap();
                    let (stack, byte) = model.remove(&key).unwrap();
                    prop_assert_eq!(look(stack.base().get()), byte);
                    pool.give(stack);
                }
                prop_assert_eq!(pool.stats().live, model.len());
            }
            model.into_values().for_each(|(stack, _)| pool.give(stack));
        }
    }
}
