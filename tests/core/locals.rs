//! Tests fiber-locals: each fiber has its own value, and destructors run on the fiber.

use std::cell::{Cell, RefCell};

use fibra::{spawn, yield_now};

use crate::support::{Noisy, check, go, log, ms, run_virtually};

fibra::local! {
    static COUNT: Cell<u32> = Cell::new(1);
    static OTHER: Cell<u32> = Cell::new(100);
    static NOTES: RefCell<Vec<Noisy<&'static str>>> = RefCell::default();
}

#[test]
fn each_fiber_has_a_value_of_its_own_and_each_key_too() {
    fibra::run(|| {
        let handles: Vec<_> = (0..10)
            .map(|i| {
                spawn(move || {
                    assert_eq!((COUNT.with(Cell::get), OTHER.with(Cell::get)), (1, 100));
                    COUNT.with(|count| count.set(i));
                    yield_now();
                    (COUNT.with(Cell::get), OTHER.with(Cell::get))
                })
            })
            .collect();
        for (i, handle) in (0..).zip(handles) {
            assert_eq!(handle.join().unwrap(), (i, 100));
        }
        assert_eq!(COUNT.with(Cell::get), 1);
    });
}

#[test]
fn a_value_is_created_at_its_first_use_in_each_run() {
    fibra::local! {
        static MADE: Noisy<&'static str> = {
            log("made");
            Noisy("dropped")
        };
    }
    for _ in 0..2 {
        fibra::run(|| {
            log("start");
            MADE.with(|_| log("first"));
            MADE.with(|_| log("second"));
        });
    }
    check("start made first second dropped start made first second dropped");
}

#[test]
fn a_use_may_wait_while_others_use_theirs() {
    fibra::run(|| {
        let child = spawn(|| {
            COUNT.with(|count| {
                yield_now();
                count.set(count.get() + 10);
                yield_now();
                count.get()
            })
        });
        COUNT.with(|count| {
            yield_now();
            count.set(count.get() + 20);
            yield_now();
            assert_eq!(count.get(), 21);
        });
        assert_eq!(child.join().unwrap(), 11);
    });
}

#[test]
fn values_are_dropped_the_youngest_first_on_their_fiber_before_it_has_ended() {
    struct Checks(&'static str, fibra::Fiber);
    impl Drop for Checks {
        fn drop(&mut self) {
            assert_eq!(fibra::current(), self.1);
            assert!(!self.1.is_finished());
            log(self.0);
        }
    }
    fibra::local! {
        static A: Checks = Checks("A", fibra::current());
        static B: Checks = Checks("B", fibra::current());
        static C: Checks = Checks("C", fibra::current());
    }
    fibra::run(|| {
        let child = spawn(|| {
            B.with(|_| ());
            A.with(|_| ());
            C.with(|_| ());
            A.with(|_| ());
            log("body");
        });
        child.join().unwrap();
        log("joined");
    });
    check("body C A B joined");
}

#[test]
fn values_are_dropped_however_the_fiber_ends() {
    let bodies: [(&str, fn()); 3] =
        [("returns", || ()), ("panics", || panic!("boom")), ("is killed", fibra::park)];
    for (how, body) in bodies {
        fibra::run(|| {
            let child = spawn(move || {
                NOTES.with(|notes| notes.borrow_mut().push(Noisy("note")));
                body();
            });
            yield_now();
            child.kill();
            assert_eq!(child.join().is_ok(), how == "returns");
        });
        check("note");
    }
}

#[test]
fn a_destructor_may_use_other_locals_old_and_new() {
    struct UsesOthers;
    impl Drop for UsesOthers {
        fn drop(&mut self) {
            log(COUNT.with(Cell::get));
            log(OTHER.with(Cell::get));
            NOTES.with(|notes| notes.borrow_mut().push(Noisy("late note")));
        }
    }
    fibra::local! { static USES: UsesOthers = UsesOthers; }
    fibra::run(|| {
        let child = spawn(|| {
            COUNT.with(|count| count.set(42));
            USES.with(|_| ());
        });
        child.join().unwrap();
        log("joined");
    });
    check("42 100 late note joined");
}

#[test]
fn a_destructor_that_makes_its_own_local_again_comes_to_an_end() {
    struct Phoenix(Cell<u32>);
    impl Drop for Phoenix {
        fn drop(&mut self) {
            let age = self.0.get();
            BIRD.with(|young| young.0.set(age + 1));
        }
    }
    fibra::local! { static BIRD: Phoenix = Phoenix(Cell::new(0)); }
    fibra::run(|| {
        let child = spawn(|| BIRD.with(|_| 5));
        assert_eq!(child.join().unwrap(), 5);
    });
}

#[test]
fn a_destructor_may_wait_spawn_and_is_not_cut_short_by_a_kill() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            go(|| log("spawned"));
            fibra::sleep(ms(10));
            log("dropped");
        }
    }
    fibra::local! { static SLOW: Slow = Slow; }
    run_virtually(|| {
        let child = spawn(|| SLOW.with(|_| 3));
        yield_now();
        child.kill();
        // The closure of the child had returned before the kill.
        assert_eq!(child.join().unwrap(), 3);
    });
    check("spawned dropped");
}

#[test]
fn a_destructor_that_panics_is_reported_and_the_others_still_run() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("in a local");
        }
    }
    fibra::local! { static BOMB: PanicsOnDrop = PanicsOnDrop; }
    fibra::run(|| {
        let child = spawn(|| {
            NOTES.with(|notes| notes.borrow_mut().push(Noisy("note")));
            BOMB.with(|_| 4)
        });
        assert_eq!(child.join().unwrap(), 4);
    });
    check("note");
}

#[test]
fn an_output_may_use_locals_when_it_is_dropped_unjoined_and_they_are_dropped_on_the_fiber() {
    struct OnFiber;
    impl Drop for OnFiber {
        fn drop(&mut self) {
            // On the scheduler's own stack, this wait would be fatal.
            yield_now();
            log(fibra::current());
        }
    }
    struct Output;
    impl Drop for Output {
        fn drop(&mut self) {
            LATE.with(|_| log("output"));
        }
    }
    fibra::local! { static LATE: OnFiber = OnFiber; }
    fibra::run(|| {
        go(|| Output);
        (0..4).for_each(|_| yield_now());
        log("main");
    });
    check("output fiber #2 main");
}

#[test]
fn a_handle_that_is_dropped_while_the_locals_are_does_not_lose_the_output() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            yield_now();
            yield_now();
            log("local");
        }
    }
    fibra::local! { static SLOW: Slow = Slow; }
    fibra::run(|| {
        let child = spawn(|| {
            SLOW.with(|_| ());
            Noisy("output")
        });
        yield_now();
        drop(child);
        (0..4).for_each(|_| yield_now());
    });
    check("local output");
}

#[test]
fn an_initialiser_may_use_its_own_key_and_wait() {
    fibra::local! {
        static NESTED: u32 = if DEEP.with(|deep| deep.replace(true)) {
            1
        } else {
            yield_now();
            NESTED.with(|value| value + 1)
        };
        static DEEP: Cell<bool> = Cell::new(false);
    }
    fibra::run(|| assert_eq!(NESTED.with(|value| *value), 2));
}

#[test]
fn locals_of_main_are_dropped_inside_run() {
    fibra::run(|| NOTES.with(|notes| notes.borrow_mut().push(Noisy("main's"))));
    check("main's");
}
