//! Tests `finally` and `shield`: clean-up that waits and that no kill interrupts.

use fibra::{finally, shield, spawn, yield_now};

use crate::support::{Noisy, OnDrop, check, join_panic, log, ms, panic_of, run_virtually};

fn clean_up() {
    assert!(!std::thread::panicking());
    fibra::sleep(ms(10));
    log("cleaned");
}

#[test]
fn the_clean_up_runs_after_a_body_that_returns() {
    run_virtually(|| {
        let answer = finally(
            || {
                log("body");
                7
            },
            clean_up,
        );
        log(answer);
    });
    check("body cleaned 7");
}

#[test]
fn the_clean_up_runs_after_a_body_that_panics_and_the_panic_goes_on() {
    run_virtually(|| {
        let text = panic_of(|| finally(|| panic!("body"), clean_up));
        log(text);
    });
    check("cleaned body");
}

#[test]
fn the_clean_up_runs_after_a_body_that_is_killed_and_the_kill_goes_on() {
    run_virtually(|| {
        let child = spawn(|| {
            let _outer = Noisy("outer");
            finally(fibra::park, clean_up);
            log("unreachable");
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("cleaned outer");
}

#[test]
fn a_kill_during_the_clean_up_is_met_after_it() {
    run_virtually(|| {
        let child = spawn(|| {
            finally(|| log("body"), clean_up);
            log("after");
            yield_now();
            log("unreachable");
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("body cleaned after");
}

#[test]
fn a_panic_of_the_clean_up_replaces_that_of_the_body() {
    run_virtually(|| {
        let child = spawn(|| finally(|| panic!("body"), || panic!("cleanup")));
        assert_eq!(join_panic::<()>(child), "cleanup");
    });
}

#[test]
fn a_panic_of_the_clean_up_does_not_hide_a_kill() {
    run_virtually(|| {
        let child = spawn(|| finally(fibra::park, || panic!("cleanup")));
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
}

#[test]
fn other_fibers_do_not_count_as_panicking_while_a_clean_up_waits() {
    run_virtually(|| {
        let child = spawn(|| finally(|| panic!("body"), clean_up));
        fibra::sleep(ms(5));
        assert!(!std::thread::panicking());
        let guarded = std::sync::Mutex::new(0);
        drop(guarded.lock().unwrap());
        assert!(!guarded.is_poisoned());
        assert_eq!(join_panic::<()>(child), "body");
    });
    check("cleaned");
}

/// The effect that `finally` avoids: std counts panics per thread, so other fibers see the count.
#[test]
fn other_fibers_do_count_as_panicking_while_a_destructor_waits_unwinding() {
    run_virtually(|| {
        let child = spawn(|| {
            let _waits = OnDrop(|| fibra::sleep(ms(10)));
            panic!("body");
        });
        fibra::sleep(ms(5));
        assert!(std::thread::panicking());
        assert_eq!(join_panic::<()>(child), "body");
        assert!(!std::thread::panicking());
    });
}

#[test]
fn shields_nest_and_end_with_their_closure() {
    run_virtually(|| {
        let child = spawn(|| {
            let value = shield(|| {
                shield(yield_now);
                yield_now();
                log("still shielded");
                5
            });
            log(value);
            yield_now();
            log("unreachable");
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("still shielded 5");
}

#[test]
fn a_panic_leaves_a_shield_properly() {
    run_virtually(|| {
        let child = spawn(|| {
            log(panic_of(|| shield(|| panic!("inside"))));
            fibra::park();
            log("unreachable");
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("inside");
}

#[test]
fn a_shielded_wait_for_a_message_receives_it_after_the_kill() {
    run_virtually(|| {
        let channel = fibra::channel::Channel::new();
        let receiver = channel.clone();
        let child = spawn(move || {
            log(shield(|| receiver.recv().unwrap()));
            fibra::checkpoint();
            log("unreachable");
        });
        yield_now();
        child.kill();
        yield_now();
        channel.send("message").unwrap();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("message");
}
