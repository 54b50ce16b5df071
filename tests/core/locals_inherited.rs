//! Tests fiber-locals that children inherit: a clone of the parent's value at the spawn.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use fibra::generator::Generator;
use fibra::{Builder, nursery, scope, spawn, spawn_now, yield_now};

use crate::support::{Noisy, check, go, log, ms, panic_of, run_virtually};

fibra::local! {
    static inherit NUMBER: Cell<u32> = Cell::new(1);
    /// A local beside it that children do not inherit.
    static OWN: Cell<u32> = Cell::new(100);
    static inherit SHARED: Rc<RefCell<Vec<u32>>> = Rc::default();
}

fn number() -> u32 {
    NUMBER.with(Cell::get)
}

#[test]
fn a_child_begins_with_what_its_parent_has_at_the_spawn() {
    fibra::run(|| {
        NUMBER.with(|number| number.set(7));
        OWN.with(|own| own.set(7));
        let early = spawn(|| (number(), OWN.with(Cell::get)));
        NUMBER.with(|number| number.set(8));
        let late = spawn(number);
        assert_eq!(early.join().unwrap(), (7, 100));
        assert_eq!(late.join().unwrap(), 8);
    });
}

#[test]
fn what_either_does_to_its_own_the_other_does_not_see_unless_it_is_shared() {
    fibra::run(|| {
        NUMBER.with(|number| number.set(5));
        SHARED.with(|shared| shared.borrow_mut().push(1));
        let child = spawn(|| {
            NUMBER.with(|number| number.set(6));
            SHARED.with(|shared| shared.borrow_mut().push(2));
            yield_now();
            number()
        });
        yield_now();
        assert_eq!(number(), 5);
        NUMBER.with(|number| number.set(4));
        assert_eq!(child.join().unwrap(), 6);
        assert_eq!(*SHARED.with(Rc::clone).borrow(), [1, 2]);
    });
}

#[test]
fn a_parent_without_a_value_leaves_none() {
    fibra::run(|| {
        let child = spawn(|| {
            NUMBER.with(|number| number.set(9));
            spawn(number).join().unwrap()
        });
        assert_eq!(child.join().unwrap(), 9);
        assert_eq!(number(), 1);
    });
}

#[test]
fn every_way_to_spawn_inherits_and_over_generations() {
    fibra::run(|| {
        NUMBER.with(|number| number.set(3));
        assert_eq!(spawn_now(number).join().unwrap(), 3);
        assert_eq!(Builder::new().name("named").spawn(number).join().unwrap(), 3);
        assert_eq!(scope(|s| s.spawn(number).join().unwrap()), 3);
        assert_eq!(nursery(|n| n.spawn_now(number).join().unwrap()), 3);
        let grandchild = spawn(|| spawn(|| spawn(number).join().unwrap()).join().unwrap());
        assert_eq!(grandchild.join().unwrap(), 3);
        let mut generator: Generator<u32> = Generator::new(|y, ()| {
            y.yield_(spawn(number).join().unwrap());
        });
        assert_eq!(generator.next(), Some(3));
    });
}

#[test]
fn runs_do_not_inherit_from_each_other() {
    for _ in 0..2 {
        fibra::run(|| {
            assert_eq!(spawn(number).join().unwrap(), 1);
            NUMBER.with(|number| number.set(3));
        });
    }
}

struct Counted(&'static str, Rc<Cell<i32>>);

impl Counted {
    fn new(name: &'static str, alive: &Rc<Cell<i32>>) -> Counted {
        alive.set(alive.get() + 1);
        Counted(name, alive.clone())
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        log(format!("clone of {} on {}", self.0, fibra::current()));
        Counted::new("child's", &self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        log(format!("{} on {}", self.0, fibra::current()));
        self.1.set(self.1.get() - 1);
    }
}

fibra::local! {
    static inherit COUNTED: RefCell<Option<Counted>> = RefCell::new(None);
}

#[test]
fn clones_are_made_by_the_parent_and_dropped_on_the_child_also_if_it_never_runs() {
    let alive = Rc::new(Cell::new(0));
    fibra::run(|| {
        COUNTED.with(|counted| counted.replace(Some(Counted::new("parent's", &alive))));
        spawn(|| log("runs")).join().unwrap();
        let killed = spawn(|| log("unreachable"));
        killed.kill();
        assert!(killed.join().unwrap_err().is_killed());
        COUNTED.with(|counted| counted.take());
        assert_eq!(spawn(|| ()).join().ok(), Some(()));
    });
    assert_eq!(alive.get(), 0);
    check(
        "clone of parent's on fiber 'main' (#1) runs child's on fiber #2 \
         clone of parent's on fiber 'main' (#1) child's on fiber #3 \
         parent's on fiber 'main' (#1)",
    );
}

#[test]
fn inherited_values_are_dropped_after_those_that_the_fiber_made() {
    fibra::local! {
        static inherit OLD: Rc<Noisy<&'static str>> = Rc::new(Noisy("old"));
        static NEW: Noisy<&'static str> = Noisy("new");
    }
    fibra::run(|| {
        let only = OLD.with(Rc::clone);
        let child = spawn(move || {
            NEW.with(|_| ());
            let mine = OLD.with(Rc::downgrade);
            drop(only);
            log(mine.strong_count());
        });
        child.join().unwrap();
        log("joined");
    });
    check("2 new joined old");
}

/// A value whose clone calls a function.
struct Hook(fn());

impl Clone for Hook {
    fn clone(&self) -> Hook {
        (self.0)();
        Hook(self.0)
    }
}

fibra::local! {
    static inherit HOOK: Hook = Hook(|| ());
    static inherit AFTER: Cell<u32> = Cell::new(0);
}

/// Runs `f` on a fiber whose local calls `hook` when it is cloned for a child.
fn with_hook<T: 'static>(hook: fn(), f: impl FnOnce() -> T + 'static) {
    fibra::local! { static inherit SET: RefCell<Option<Hook>> = RefCell::new(None); }
    run_virtually(|| {
        let fiber = spawn(move || {
            AFTER.with(|after| after.set(5));
            SET.with(|set| set.replace(Some(Hook(hook))));
            HOOK.with(|_| ());
            f();
        });
        let ended = fiber.join();
        log(ended.map_or_else(|error| error.to_string(), |()| "ended".into()));
    });
}

#[test]
fn a_clone_may_wait_and_spawn_and_use_locals() {
    with_hook(
        || {
            fibra::sleep(ms(1));
            OWN.with(|own| own.set(1));
        },
        || {
            let child = spawn(|| AFTER.with(Cell::get));
            log(child.join().unwrap());
        },
    );
    check("5 ended");
}

#[test]
fn a_clone_that_panics_fails_the_spawn_and_drops_the_closure() {
    with_hook(
        || panic!("cannot be cloned"),
        || {
            let captured = Noisy("closure");
            log(panic_of(|| spawn(move || drop(captured))));
            assert_eq!(fibra::stats().fibers, 2);
        },
    );
    check("closure cannot be cloned ended");
}

#[test]
fn a_parent_that_is_killed_in_a_clone_spawns_nothing() {
    run_virtually(|| {
        fibra::local! { static inherit SLOW: Hook = Hook(fibra::park); }
        let parent = spawn(|| {
            SLOW.with(|_| ());
            let captured = Noisy("closure");
            go(move || drop(captured));
            log("unreachable");
        });
        yield_now();
        parent.kill();
        log(parent.join().unwrap_err());
        assert_eq!(fibra::stats().fibers, 1);
    });
    check("closure the fiber was killed");
}

#[test]
fn a_destructor_of_a_local_that_spawns_hands_down_what_is_left() {
    struct Spawns;
    impl Drop for Spawns {
        fn drop(&mut self) {
            log(spawn(number).join().unwrap());
        }
    }
    fibra::local! { static SPAWNS: Spawns = Spawns; }
    fibra::run(|| {
        let fiber = spawn(|| {
            NUMBER.with(|number| number.set(2));
            SPAWNS.with(|_| ());
        });
        fiber.join().unwrap();
    });
    check("2");
}

#[test]
fn a_panic_in_the_middle_of_the_clones_leaves_neither_clones_nor_fibers_behind() {
    fibra::run(|| {
        NUMBER.with(|number| number.set(1));
        SHARED.with(|shared| shared.borrow_mut().push(1));
        fibra::local! { static inherit FAILS: Hook = Hook(|| panic!("third")); }
        FAILS.with(|_| ());
        for _ in 0..100 {
            assert!(panic::catch_unwind(AssertUnwindSafe(|| spawn(|| ()))).is_err());
        }
        assert_eq!(SHARED.with(Rc::strong_count), 1);
        assert_eq!(fibra::stats().fibers, 1);
    });
}
