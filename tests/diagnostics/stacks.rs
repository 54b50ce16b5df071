//! The stack of each kind of fiber: where it waits, on which stacks, and which has none.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::Channel;
use fibra::generator::{self, Yielder};
use fibra::sync::Mutex;
use fibra::{Activity, Builder, SchedulerState, StackTrace};

use crate::support::{OnDrop, check, log, run_virtually};
use crate::{functions, spawn_named, stack_of};

/// Makes a function that is not inlined, and that has a frame while it calls `$call`.
macro_rules! waits {
    ($($name:ident($($parameter:ident: $type:ty),*) $call:expr;)+) => {$(
        #[inline(never)]
        fn $name($($parameter: $type),*) {
            $call;
            black_box(());
        }
    )+};
}

waits! {
    waits_in_park() fibra::park();
    waits_in_sleep() fibra::sleep(Duration::from_secs(60));
    waits_in_yield() fibra::yield_now();
    waits_in_recv(channel: &Channel<u32>) drop(channel.recv());
    waits_in_lock(lock: &Mutex<u32>) *lock.lock() += 1;
    waits_in_join() drop(fibra::spawn(fibra::park).join());
    sends_twice(channel: &Channel<u32>) { channel.send(1).unwrap(); channel.send(2).unwrap() };
    outer() inner();
    inner() waits_in_park();
}

#[test]
fn a_parked_fiber_shows_the_functions_that_wait() {
    run_virtually(|| {
        let (channel, lock) = (Channel::new(), Rc::new(Mutex::new(0)));
        let held = lock.lock();
        spawn_named("parks", outer);
        spawn_named("sleeps", waits_in_sleep);
        let own = channel.clone();
        spawn_named("receives", move || waits_in_recv(&own));
        let own = lock.clone();
        spawn_named("locks", move || waits_in_lock(&own));
        spawn_named("joins", waits_in_join);
        fibra::yield_now();
        let dump = fibra::dump_with_stacks();
        assert_eq!(functions(&dump, "parks"), "waits_in_park inner outer");
        assert_eq!(functions(&dump, "sleeps"), "waits_in_sleep");
        assert_eq!(functions(&dump, "receives"), "waits_in_recv");
        assert_eq!(functions(&dump, "locks"), "waits_in_lock");
        assert_eq!(functions(&dump, "joins"), "waits_in_join");
        drop(held);
    });
}

#[test]
fn a_fiber_in_the_ring_shows_where_it_left() {
    fibra::run(|| {
        let channel = Channel::new();
        spawn_named("yields", waits_in_yield);
        let own = channel.clone();
        spawn_named("was woken", move || waits_in_recv(&own));
        let own = channel.clone();
        spawn_named("handed over", move || sends_twice(&own));
        spawn_named("asks", move || {
            let dump = fibra::dump_with_stacks();
            assert_eq!(functions(&dump, "yields"), "waits_in_yield");
            assert_eq!(functions(&dump, "handed over"), "sends_twice");
        })
        .join()
        .unwrap();
        assert!(channel.recv().is_ok_and(|value| value == 2));
    });
}

#[test]
fn a_fiber_has_no_stack_before_its_first_turn() {
    fibra::run(|| {
        spawn_named("new", || {});
        let dump = fibra::dump_with_stacks();
        assert_eq!(stack_of(&dump, "new"), None);
        assert_eq!(dump.fibers[1].activity, Activity::NotStarted);
    });
}

#[inline(never)]
fn asks() -> fibra::Dump {
    black_box(fibra::dump_with_stacks())
}

#[test]
fn the_current_fiber_shows_the_function_that_asks_and_nothing_below_its_root() {
    fibra::run(|| {
        spawn_named("current", || {
            let dump = asks();
            assert_eq!(functions(&dump, "current"), "asks");
            let stack = stack_of(&dump, "current").unwrap();
            // The test, which called `run`, is on the thread's own stack.
            let is_test = |name: &String| name.contains("the_current_fiber") && !name.contains("{");
            assert!(!stack.frames().iter().filter_map(|it| it.function.as_ref()).any(is_test));
        })
        .join()
        .unwrap();
    });
}

#[inline(never)]
fn takes_all(values: impl Iterator<Item = u32>) {
    values.for_each(drop);
    black_box(());
}

#[inline(never)]
fn produces(y: &Yielder<u32>) {
    y.yield_(1);
    outer();
}

#[test]
fn a_fiber_in_a_generator_shows_the_generator_on_top_of_its_own_stack() {
    fibra::run(|| {
        spawn_named("one", || takes_all(generator::iter(produces)));
        spawn_named("two", || {
            takes_all(generator::iter(|y: &Yielder<u32>| {
                y.yield_(0);
                takes_all(generator::iter(produces));
            }));
        });
        fibra::yield_now();
        let dump = fibra::dump_with_stacks();
        assert_eq!(functions(&dump, "one"), "waits_in_park inner outer produces | takes_all");
        assert_eq!(
            functions(&dump, "two"),
            "waits_in_park inner outer produces | takes_all | takes_all"
        );
        let text = stack_of(&dump, "one").unwrap().to_string();
        assert!(text.contains("\n-- on top of another stack:\n"), "{text}");
    });
}

#[cfg(feature = "greenlet")]
#[test]
fn a_fiber_in_a_greenlet_shows_the_greenlet_on_top_of_its_own_stack() {
    use fibra::greenlet::Greenlet;

    fibra::run(|| {
        spawn_named("switches", || {
            let greenlet = Greenlet::new(|_: u32| {
                outer();
                1
            });
            assert!(greenlet.switch(1).is_ok());
        });
        fibra::yield_now();
        let dump = fibra::dump_with_stacks();
        assert_eq!(functions(&dump, "switches"), "waits_in_park inner outer |");
    });
}

#[test]
fn a_fiber_on_a_borrowed_stack_shows_both() {
    #[inline(never)]
    fn borrows() {
        fibra::with_stack_size(1 << 20, outer);
        black_box(());
    }
    fibra::run(|| {
        spawn_named("borrows", borrows);
        spawn_named("asks", || {
            fibra::with_stack_size(1 << 20, || {
                let dump = asks();
                assert_eq!(functions(&dump, "borrows"), "waits_in_park inner outer | borrows");
                assert_eq!(functions(&dump, "asks"), "asks |");
            });
        })
        .join()
        .unwrap();
    });
}

#[test]
fn a_fiber_that_waits_in_a_destructor_at_the_end_of_run_is_walked() {
    #[inline(never)]
    fn cleans_up() {
        fibra::shield(|| fibra::sleep(Duration::from_secs(1)));
        black_box(());
    }
    run_virtually(|| {
        spawn_named("cleans", || {
            let _guard = OnDrop(cleans_up);
            fibra::park();
        });
        spawn_named("asks", || {
            fibra::shield(|| {
                fibra::sleep(Duration::from_millis(500));
                let dump = asks();
                log(functions(&dump, "cleans"));
                log(functions(&dump, "asks"));
            });
        });
        fibra::yield_now();
    });
    check("cleans_up asks");
}

#[test]
fn a_paused_tasklet_is_walked() {
    use fibra::stackless;

    fibra::run(|| {
        let tasklet = stackless::spawn(waits_in_yield);
        stackless::schedule();
        tasklet.remove().unwrap();
        let dump = fibra::dump_with_stacks();
        assert!(dump.to_string().contains("waits_in_yield"), "{dump}");
        tasklet.insert().unwrap();
    });
}

#[test]
fn the_smallest_stack_has_room_for_a_walk() {
    fibra::run(|| {
        Builder::new().name("small").stack_size(1).spawn(waits_in_park);
        fibra::yield_now();
        let dump = fibra::dump_with_stacks();
        assert_eq!(functions(&dump, "small"), "waits_in_park");
    });
}

#[test]
fn a_recursion_is_cut_at_its_outer_end() {
    #[inline(never)]
    fn recurses(depth: u32) {
        if depth == 0 {
            waits_in_park()
        } else {
            recurses(depth - 1)
        }
        black_box(());
    }
    fibra::run(|| {
        spawn_named("deep", || recurses(1000));
        fibra::yield_now();
        let dump = fibra::dump_with_stacks();
        let stack = stack_of(&dump, "deep").unwrap();
        assert!(stack.addresses().len() < 300);
        assert!(functions(&dump, "deep").starts_with("waits_in_park recurses recurses"));
        assert!(stack.to_string().contains("\n(more frames follow)\n"));
    });
}

#[test]
fn another_thread_sees_the_stacks_of_all_schedulers_and_waits_no_longer_than_its_limit() {
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    let handle = runtime.handle();
    let (ask, asked) = std::sync::mpsc::channel();
    let (end, ended) = fibra::sync::oneshot();
    let thread = std::thread::spawn(move || {
        asked.recv().unwrap();
        let dump = handle.dump_with_stacks_within(Duration::from_secs(60));
        end.send(()).unwrap();
        dump
    });
    runtime.run(|| {
        let (waits, is_there) = fibra::sync::oneshot();
        fibra::Handle::current()
            .spawn_on(1, move || {
                waits.send(()).unwrap();
                waits_in_park();
            })
            .detach();
        is_there.recv().unwrap();
        ask.send(()).unwrap();
        ended.recv().unwrap();
        // A plain thread that holds its scheduler.
        let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
        let (begins, has_begun) = fibra::sync::oneshot();
        let hog = fibra::Handle::current().spawn_on(1, move || {
            begins.send(()).unwrap();
            let _ = goes_on.recv();
        });
        has_begun.recv().unwrap();
        let limit = Duration::from_millis(5);
        let dump = fibra::Handle::current().dump_with_stacks_within(limit);
        assert_eq!(dump.schedulers[1].state, SchedulerState::Busy(limit));
        assert!(dump.schedulers[0].fibers.as_ref().unwrap().fibers[0].stack.is_some());
        drop(go_on);
        hog.join().unwrap();
    });
    let text = thread.join().unwrap().to_string();
    assert!(text.contains("waits_in_park"), "{text}");
}

#[test]
fn equal_stacks_are_equal_and_others_are_not() {
    fibra::run(|| {
        for name in ["one", "two"] {
            spawn_named(name, outer);
        }
        spawn_named("other", inner);
        fibra::yield_now();
        let dump = fibra::dump_with_stacks();
        let [one, two, other] = ["one", "two", "other"].map(|name| stack_of(&dump, name).unwrap());
        assert_eq!(one, two);
        assert_ne!(one, other);
        assert_eq!(one, StackTrace::from_addresses(two.addresses().to_vec()));
    });
}
