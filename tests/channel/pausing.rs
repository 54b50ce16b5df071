//! Fibers that are paused in the middle of a wait: only `resume` or an unwind continues them.

use fibra::channel::{self, Channel};
use fibra::{sleep, spawn, yield_now};

use crate::support::{check, log, ms, run_virtually};

#[test]
fn the_deadline_of_a_completed_wait_does_not_wake_a_paused_fiber() {
    run_virtually(|| {
        let channel = Channel::new();
        let from = channel.clone();
        let paused = spawn(move || log(from.recv_timeout(ms(10)).unwrap()));
        yield_now();
        channel.try_send("value").unwrap();
        assert!(paused.fiber().pause());
        sleep(ms(20));
        yield_now();
        log("main");
        assert!(paused.fiber().resume());
        paused.join().unwrap();
    });
    check("main value");
}

#[test]
fn a_deadline_that_passes_in_a_pause_is_met_after_it() {
    run_virtually(|| {
        let channel = Channel::<()>::new();
        let (first, second) = (channel.clone(), channel.clone());
        // Both are woken at the same time, and in this order.
        let slot = std::rc::Rc::new(std::cell::RefCell::new(None::<fibra::Fiber>));
        let other = slot.clone();
        let pauser = spawn(move || {
            sleep(ms(10));
            assert!(other.borrow().as_ref().unwrap().pause());
            // The paused fiber is still in the queue of the channel.
            second.try_send(()).unwrap();
            (0..3).for_each(|_| yield_now());
            log("pauser");
            assert!(other.borrow().as_ref().unwrap().resume());
        });
        yield_now();
        let paused = spawn(move || log(format!("{:?}", first.recv_timeout(ms(10)))));
        *slot.borrow_mut() = Some(paused.fiber().clone());
        pauser.join().unwrap();
        paused.join().unwrap();
    });
    check("pauser Ok(())");
}

#[test]
fn the_end_of_a_fiber_does_not_wake_a_paused_one_that_joins_it() {
    run_virtually(|| {
        let (done, gate) = channel::oneshot();
        let target = spawn(move || gate.recv().unwrap());
        let joiner = spawn(move || {
            log(target.join().unwrap());
        });
        yield_now();
        assert!(!joiner.fiber().pause(), "it is in no ring");
        done.send("ended").unwrap();
        yield_now();
        // Both are in the ring now; the joiner is paused before its turn comes.
        assert!(joiner.fiber().pause());
        sleep(ms(1));
        log("main");
        assert!(joiner.fiber().resume());
        joiner.join().unwrap();
    });
    check("main ended");
}

#[test]
fn a_kill_ends_a_pause() {
    run_virtually(|| {
        let paused = spawn(|| {
            loop {
                yield_now();
            }
        });
        yield_now();
        assert!(paused.fiber().pause());
        assert!(format!("{}", fibra::dump()).contains("is paused"), "{}", fibra::dump());
        paused.kill();
        assert!(paused.join().unwrap_err().is_killed());
    });
}
