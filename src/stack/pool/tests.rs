//! Tests the pool: which stack comes next, what goes back, and that no two overlap.

use super::*;
use crate::stack::guard::Guards;
use crate::stack::keep::{Tended, fixed};
use crate::stack::testing::{faults, look, reserve, touch};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A thread without other memory.
impl Tended for () {
    fn end_period(&self) {}

    fn give_slice_back(&self) -> bool {
        false
    }

    fn is_stirred(&self) -> bool {
        false
    }
}

/// Returns a pool without a clock, over a reserve of its own.
fn pool() -> Pool {
    pool_that_keeps(Keep::FIXED)
}

fn pool_that_keeps(keep: Keep) -> Pool {
    Pool::over(reserve(slab::map_from_kernel, Guards::of_this_system), keep)
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
fn a_pool_without_a_clock_keeps_a_fixed_number_and_the_rest_serve_others() {
    let class = SizeClass::DEFAULT;
    let mark = fixed(class.bytes());
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
    assert!(128 <= last_of(SizeClass::for_bytes(256 << 10)));
    assert!(32 <= last_of(SizeClass::for_bytes(1 << 20)));
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
    let mut second = Pool::over(reserve, Keep::FIXED);
    let stacks: Vec<_> = (0..200).map(|_| second.take(SizeClass::DEFAULT).unwrap()).collect();
    assert_eq!(second.stats().mapped_bytes, mapped);
    stacks.into_iter().for_each(|stack| second.give(stack));
}

/// Takes `count` stacks of the default class, touches them, and gives them back.
fn burst(pool: &mut Pool, count: usize) {
    let stacks: Vec<_> = (0..count).map(|_| pool.take(SizeClass::DEFAULT).unwrap()).collect();
    stacks.iter().for_each(|stack| touch(stack.base().get(), 7));
    stacks.into_iter().for_each(|stack| pool.give(stack));
}

/// Returns how many of the stacks that a burst would get are warm.
fn warm(pool: &mut Pool, count: usize) -> usize {
    let stacks: Vec<_> = (0..count).map(|_| pool.take(SizeClass::DEFAULT).unwrap()).collect();
    let warm = stacks.iter().filter(|stack| look(stack.base().get()) != 0).count();
    stacks.into_iter().for_each(|stack| pool.give(stack));
    warm
}

/// Tends the pool whenever that is due, until `until`. Returns how often.
fn tend_until(pool: &mut Pool, now: &mut u64, until: u64) -> usize {
    let mut looks = 0;
    while let Some(due) = pool.due().filter(|&due| due <= until) {
        *now = due.max(*now);
        pool.tend(*now, &());
        looks += 1;
        assert!(looks < 1_000, "{:?}", pool.periods);
    }
    *now = until;
    looks
}

const SECOND: u64 = 1_000_000;

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn a_pool_with_a_clock_keeps_a_burst_warm_and_gives_it_back_within_eight_seconds() {
    let mut pool = pool_that_keeps(Keep::recent(SizeClass::DEFAULT));
    let mut now = 5 * SECOND;
    burst(&mut pool, 5_000);
    for _ in 0..20 {
        now += SECOND / 10;
        if pool.is_due(now) {
            pool.tend(now, &());
        }
        assert!(!cfg!(target_os = "linux") || warm(&mut pool, 5_000) == 5_000);
    }
    let end = now + 8 * SECOND;
    let looks = tend_until(&mut pool, &mut now, end);
    assert!(looks < 40, "{looks}");
    assert_eq!((pool.stats().idle, pool.due()), (64, None));
    assert_eq!(tend_until(&mut pool, &mut now, end + 100 * SECOND), 0);
    assert!(!cfg!(target_os = "linux") || warm(&mut pool, 5_000) == 64);
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn a_late_look_gives_as_much_back_as_many_looks() {
    for seconds in [1, 2, 3, 10, 1_000_000] {
        let [mut once, mut often] =
            [(); 2].map(|()| pool_that_keeps(Keep::recent(SizeClass::DEFAULT).at_least(3)));
        for pool in [&mut once, &mut often] {
            burst(pool, 3_000);
            pool.tend(0, &());
        }
        while once.tend(seconds * SECOND, &()) {}
        tend_until(&mut often, &mut 0, seconds * SECOND);
        while often.is_giving_back() {
            often.tend(seconds * SECOND, &());
        }
        assert_eq!(once.stats().idle, often.stats().idle, "after {seconds} s");
    }
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn a_slice_at_a_time_is_given_back() {
    let mut pool = pool_that_keeps(Keep::recent(SizeClass::DEFAULT));
    burst(&mut pool, 5_000);
    pool.tend(0, &());
    let mut idle = pool.stats().idle;
    let mut slices = 0;
    while pool.tend(10 * SECOND, &()) {
        assert_eq!(pool.stats().idle, idle - SLICE);
        idle -= SLICE;
        slices += 1;
    }
    assert_eq!((slices, pool.stats().idle), (5_000 / SLICE, 64));
}

#[test]
fn a_trim_gives_everything_back_and_leaves_nothing_to_do() {
    let mut pool = pool_that_keeps(Keep::recent(SizeClass::DEFAULT));
    burst(&mut pool, 300);
    let main = pool.take(SizeClass::MAIN).unwrap();
    let idle = pool.stats().idle;
    assert_eq!(pool.trim_and_unmap(), idle);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.idle_bytes, stats.live, pool.due()), (0, 0, 1, None));
    let main_slab = stats.mapped_bytes / Shape::of(SizeClass::MAIN).stride();
    assert!(cfg!(sanitized) || main_slab <= 64, "{stats:?}");
    touch(main.base().get(), 9);
    assert_eq!(look(main.base().get()), 9);
    pool.give(main);
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
fn a_refused_stack_makes_the_pool_give_back_what_it_does_not_use() {
    // No other test uses this mapper.
    static LEFT: AtomicUsize = AtomicUsize::new(0);
    /// A mapper of a few GiB.
    fn stingy(bytes: usize) -> io::Result<std::num::NonZeroUsize> {
        let left = LEFT.load(Relaxed).checked_sub(bytes);
        let left = left.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        LEFT.store(left, Relaxed);
        slab::map_from_kernel(bytes)
    }
    LEFT.store(3 << 30, Relaxed);
    let keep = Keep::recent(SizeClass::DEFAULT);
    let mut pool = Pool::over(reserve(stingy, Guards::of_this_system), keep);
    let small = SizeClass::for_bytes(64 << 10);
    let mut stacks = Vec::new();
    while LEFT.load(Relaxed) > 1 << 30 {
        stacks.push(pool.take(small).unwrap());
    }
    stacks.drain(..).for_each(|stack| pool.give(stack));
    let mapped = pool.stats().mapped_bytes;
    let large = SizeClass::for_bytes(1 << 30);
    // The first refusal leads to a trim. This mapper never has enough, so it is an error.
    LEFT.store(0, Relaxed);
    let error = pool.take(large).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.mapped_bytes), (0, 0), "{mapped} bytes before");
    LEFT.store(2 << 30, Relaxed);
    let stack = pool.take(large).unwrap();
    pool.give(stack);
}

#[test]
fn two_threads_exchange_stacks_through_the_reserve() {
    let reserve = reserve(slab::map_from_kernel, Guards::of_this_system);
    let (to_other, from_other) = std::sync::mpsc::sync_channel::<Vec<Stack>>(1);
    #[allow(clippy::disallowed_methods, reason = "joined below")]
    let taker = std::thread::spawn(move || {
        let mut pool = Pool::over(reserve, Keep::FIXED);
        for round in 0..50u8 {
            let take = |_| pool.take(SizeClass::DEFAULT).unwrap();
            let stacks: Vec<_> = (0..400).map(take).collect();
            stacks.iter().for_each(|stack| touch(stack.base().get(), round));
            to_other.send(stacks).unwrap();
        }
    });
    let mut pool = Pool::over(reserve, Keep::FIXED);
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
    let reserve = Box::leak(Box::new(Mutex::new(reserve)));
    let mut pool = Pool::over(reserve, Keep::FIXED);
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
        let mut pool = Pool::new(Keep::FIXED);
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
    #[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
    fn limits_hold_after_each_step(
        steps in prop::collection::vec(step(), 1..300),
        (at_most, kib) in (0usize..40, 0usize..4_000),
        at_least in 0usize..60,
    ) {
        let keep = Keep::recent(SizeClass::from_index(2)).at_least(at_least);
        let mut pool = pool_that_keeps(keep.at_most(at_most).bytes(kib << 10));
        let mut in_use: Vec<Stack> = Vec::new();
        for (step, (take, class, which)) in steps.into_iter().enumerate() {
            if take || in_use.is_empty() {
                in_use.push(pool.take(SizeClass::from_index(class)).unwrap());
            } else {
                let at = which.index(in_use.len());
                pool.give(in_use.swap_remove(at));
            }
            if step % 7 == 0 && pool.is_due(step as u64 * SECOND / 30) {
                pool.tend(step as u64 * SECOND / 30, &());
            }
            let stats = pool.stats();
            prop_assert!(stats.idle <= at_most && stats.idle_bytes <= kib << 10, "{:?}", stats);
            prop_assert_eq!(stats.live, in_use.len());
        }
        in_use.into_iter().for_each(|stack| pool.give(stack));
    }

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
