//! A rendezvous does not allocate: values move from stack to stack.

#![allow(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fibra::channel::{Channel, Preference, bounded};

struct Counting;

thread_local! {
    // Per thread: the test harness allocates on threads of its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed to the system's allocator without a change.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Returns how often `f` allocates, including fibers that run meanwhile.
fn allocations(f: impl FnOnce()) -> usize {
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1u64)))), 1);
}

#[test]
fn a_hand_over_allocates_nothing_whichever_side_is_preferred() {
    for preference in [Preference::Receiver, Preference::Neither, Preference::Sender] {
        for schedule_all in [false, true] {
            fibra::run(|| {
                let channel = Channel::<[u64; 16]>::new();
                channel.set_preference(preference);
                channel.set_schedule_all(schedule_all);
                let sender = fibra::spawn({
                    let channel = channel.clone();
                    move || {
                        while channel.send([7; 16]).is_ok() {}
                    }
                });
                // The first exchange starts the sender, which allocates a stack.
                channel.recv().unwrap();
                let count = allocations(|| {
                    for _ in 0..1000 {
                        assert_eq!(channel.recv().unwrap()[15], 7);
                    }
                });
                assert_eq!(count, 0, "{preference:?}, schedule_all {schedule_all}");
                channel.close();
                sender.join().unwrap();
            });
        }
    }
}

#[test]
fn a_bounded_channel_without_a_buffer_allocates_nothing_either() {
    fibra::run(|| {
        let (sender, receiver) = bounded::<u64>(0);
        fibra::spawn(move || while sender.send(7).is_ok() {}).fiber().unpark();
        receiver.recv().unwrap();
        let count = allocations(|| (0..1000).for_each(|_| assert_eq!(receiver.recv().unwrap(), 7)));
        assert_eq!(count, 0);
    });
}

#[test]
fn waiting_with_a_deadline_allocates_nothing_once_the_timers_have_room() {
    fibra::run(|| {
        let channel = Channel::<u64>::new();
        let day = std::time::Duration::from_secs(86_400);
        let sender = fibra::spawn({
            let channel = channel.clone();
            move || while channel.send_timeout(7, day).is_ok() {}
        });
        channel.recv_timeout(day).unwrap();
        channel.recv_timeout(day).unwrap();
        let count =
            allocations(|| (0..1000).for_each(|_| assert_eq!(channel.recv_timeout(day), Ok(7))));
        assert_eq!(count, 0);
        channel.close();
        sender.join().unwrap();
    });
}
