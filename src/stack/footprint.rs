//! Tests of what stacks cost, each in a process of its own, by the kernel's own counters.

use super::guard::Guards;
use super::testing::{anonymous_bytes, mappings, pass_in_child, status_bytes, this_test, touch};
use super::{Keep, Pool, SizeClass};

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn ten_million_pairs_leave_memory_flat() {
    pass_in_child(this_test!(ten_million_pairs_leave_memory_flat), &[], || {
        let mut pool = Pool::new(Keep::FIXED);
        let mut pairs = |count: usize| {
            for i in 0..count {
                let stack = pool.take(SizeClass::from_index(i % 5)).unwrap();
                touch(stack.base().get(), 1);
                pool.give(stack);
            }
        };
        pairs(1_000);
        let before = (anonymous_bytes(), status_bytes("VmSize"));
        pairs(10_000_000);
        assert!(anonymous_bytes() < before.0 + (256 << 10));
        assert_eq!(status_bytes("VmSize"), before.1);
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
fn waves_of_stacks_leave_memory_flat() {
    pass_in_child(this_test!(waves_of_stacks_leave_memory_flat), &[], || {
        for class in [256 << 10, 1 << 20].map(SizeClass::for_bytes) {
            let mut pool = Pool::new(Keep::FIXED);
            let mut wave = |count: usize| {
                let stacks: Vec<_> = (0..count).map(|_| pool.take(class).unwrap()).collect();
                stacks.iter().for_each(|stack| touch(stack.base().get(), 1));
                stacks.into_iter().for_each(|stack| pool.give(stack));
            };
            // Where the waves are higher than the number of stacks kept idle, each of them maps
            // slabs.
            (0..3).for_each(|_| wave(20_000));
            let before = (anonymous_bytes(), status_bytes("VmSize"));
            (0..10).for_each(|_| wave(20_000));
            assert!(anonymous_bytes() < before.0 + (4 << 20));
            assert!(status_bytes("VmSize") <= before.1 + (64 << 20));
        }
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
fn a_hundred_thousand_touched_stacks_cost_a_page_each() {
    pass_in_child(this_test!(a_hundred_thousand_touched_stacks_cost_a_page_each), &[], || {
        if Guards::of_this_system() == Guards::Protection {
            return;
        }
        const COUNT: usize = 100_000;
        let mut pool = Pool::new(Keep::FIXED);
        let mut stacks = Vec::with_capacity(COUNT);
        let memory = || anonymous_bytes() + status_bytes("VmPTE");
        let before = memory();
        for _ in 0..COUNT {
            let stack = pool.take(SizeClass::for_bytes(256 << 10)).unwrap();
            touch(stack.base().get(), 1);
            stacks.push(stack);
        }
        let each = (memory() - before) / COUNT;
        assert!((4096..5200).contains(&each), "{each} bytes a stack");
        assert!(mappings() < 100, "{} mappings", mappings());
    });
}
