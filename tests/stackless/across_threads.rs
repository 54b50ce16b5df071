//! Tasklets across threads: the operations that other threads have, their order, and what is left
//! when the thread's `run` is over (S-046, S-059, S-195 to S-203).

#![allow(clippy::disallowed_methods, reason = "other threads are what is tested")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use fibra::stackless::{
    self, PortableTasklet, RemoteTasklet, SharedChannel, Tasklet, TaskletError, TaskletExit,
};

use crate::support::{Noisy, check, forget_trace, log, ms, panic_of, run_virtually};

/// Returns a paused tasklet that logs its name.
fn paused(name: &'static str) -> Tasklet {
    stackless::tasklet(move |()| log(name)).bind(())
}

/// Returns a tasklet that waits at a channel, and logs how the wait ended.
fn blocked() -> Tasklet {
    let tasklet = stackless::spawn(|| {
        let channel = SharedChannel::<u32>::new();
        let other_handle = channel.clone();
        let unwound = catch_unwind(AssertUnwindSafe(|| channel.receive())).unwrap_err();
        log(format!("{} {}", unwound.is::<TaskletExit>(), other_handle.balance()));
        std::panic::resume_unwind(unwound);
    });
    stackless::run();
    assert!(tasklet.is_blocked());
    tasklet
}

/// Runs `f` in another thread, and returns when its messages have been delivered and the other
/// fibers have had their turn. Time must be virtual.
fn from_afar<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let value = thread::spawn(f).join().unwrap();
    fibra::sleep(ms(1));
    value
}

fn is_send_and_sync<T: Send + Sync + Clone>() {}

#[test]
fn the_handles_go_to_other_threads() {
    is_send_and_sync::<RemoteTasklet>();
    is_send_and_sync::<SharedChannel<std::cell::Cell<u32>>>();
    fn is_send<T: Send>() {}
    is_send::<PortableTasklet>();
}

#[test]
fn a_remote_run_jumps_the_queue_of_inserted_ones() {
    // S-046: from outside `b.insert(); c.insert(); a.run()` -> a, b, c.
    run_virtually(|| {
        let tasklets = ["a", "b", "c"].map(paused);
        let [a, b, c] = tasklets.each_ref().map(Tasklet::remote);
        from_afar(move || {
            b.insert().unwrap();
            c.insert().unwrap();
            a.run().unwrap();
        });
        stackless::run();
    });
    check("a b c");
}

#[test]
fn a_remote_insert_wakes_a_thread_that_sleeps() {
    // S-034, S-195
    fibra::run(|| {
        let done = SharedChannel::new();
        let to = done.clone();
        let waiting = stackless::tasklet(move |()| to.send(7).unwrap()).bind(());
        let remote = waiting.remote();
        let thread = thread::spawn(move || remote.insert().unwrap());
        log(done.receive().unwrap());
        thread.join().unwrap();
    });
    check("7");
}

#[test]
fn a_remote_remove_takes_it_out_of_the_ring() {
    run_virtually(|| {
        let tasklet = stackless::spawn(|| {
            loop {
                log("turn");
                stackless::schedule();
            }
        });
        stackless::schedule();
        let remote = tasklet.remote();
        thread::spawn(move || remote.remove().unwrap()).join().unwrap();
        // Messages are delivered before one batch of switches has passed.
        (0..100).for_each(|_| stackless::schedule());
        assert!(tasklet.is_paused());
        tasklet.kill().unwrap();
    });
    forget_trace();
}

#[test]
fn a_remote_kill_takes_it_off_its_channel_and_ends_it() {
    // S-059
    run_virtually(|| {
        let tasklet = blocked();
        let remote = tasklet.remote();
        from_afar(move || remote.kill().unwrap());
        assert!(!tasklet.is_alive());
    });
    check("true 0");
}

#[test]
fn what_is_thrown_from_afar_goes_to_the_run_of_the_owner() {
    // S-203
    run_virtually(|| {
        let tasklet = blocked();
        let remote = tasklet.remote();
        thread::spawn(move || remote.throw("thrown").unwrap()).join().unwrap();
        log(panic_of(|| stackless::Run::new().threadblock().run()));
        assert!(!tasklet.is_alive());
    });
    check("false 0 thrown");
}

#[test]
fn one_that_has_not_started_is_never_called() {
    // S-056
    run_virtually(|| {
        let noisy = Noisy("dropped");
        let tasklet = stackless::tasklet(move |()| {
            let _noisy = &noisy;
            log("called");
        })
        .bind(());
        let remote = tasklet.remote();
        from_afar(move || remote.kill().unwrap());
        assert!(!tasklet.is_alive());
    });
    check("dropped");
}

#[test]
fn orders_are_carried_out_in_the_order_in_which_they_were_posted() {
    run_virtually(|| {
        let tasklet = paused("ran");
        let remote = tasklet.remote();
        let last = remote.clone();
        from_afar(move || {
            for _ in 0..10 {
                remote.insert().unwrap();
                remote.remove().unwrap();
            }
        });
        assert!(tasklet.is_paused());
        from_afar(move || last.insert().unwrap());
        stackless::run();
    });
    check("ran");
}

#[test]
fn orders_that_do_not_fit_do_nothing() {
    run_virtually(|| {
        let waits = stackless::spawn(|| {
            let channel = stackless::Channel::<u32>::new();
            let _ = channel.receive();
        });
        stackless::run();
        let remote = waits.remote();
        let main = stackless::getcurrent().remote();
        from_afar(move || {
            remote.insert().unwrap();
            remote.remove().unwrap();
            remote.run().unwrap();
            main.insert().unwrap();
            main.run().unwrap();
        });
        assert!(waits.is_blocked());
    });
}

#[test]
fn a_payload_that_comes_too_late_is_dropped_on_a_fiber_of_its_thread() {
    struct TellsWhere(mpsc::Sender<(thread::ThreadId, bool)>);
    impl Drop for TellsWhere {
        fn drop(&mut self) {
            self.0.send((thread::current().id(), fibra::in_fiber())).unwrap();
        }
    }

    let (tell, told) = mpsc::channel();
    run_virtually(|| {
        let ended = paused("ran");
        let remote = ended.remote();
        ended.run().unwrap();
        let payload = TellsWhere(tell.clone());
        from_afar(move || remote.throw(payload).unwrap());
        assert_eq!(told.try_recv(), Ok((thread::current().id(), true)));

        // A throw that is posted, and not delivered before `run` ends.
        let living = paused("never");
        let remote = living.remote();
        thread::spawn(move || remote.throw(TellsWhere(tell)).unwrap()).join().unwrap();
        std::mem::forget(living);
    });
    assert_eq!(told.recv(), Ok((thread::current().id(), true)));
    check("ran");
}

#[test]
fn a_replaced_payload_is_dropped_and_may_panic() {
    run_virtually(|| {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                log("first");
                std::panic::resume_unwind(Box::new("in a destructor"));
            }
        }
        let tasklet = blocked();
        let remote = tasklet.remote();
        from_afar(move || {
            remote.throw(Panics).unwrap();
            remote.kill().unwrap();
        });
        assert!(!tasklet.is_alive());
    });
    check("true 0 first");
}

#[test]
fn after_the_end_of_run_orders_are_refused_and_payloads_come_back() {
    // S-199, S-200
    let (remote, empty) = run_virtually(|| {
        let tasklet = paused("never");
        let remote = tasklet.remote();
        assert_eq!(remote.thread_id(), Some(thread::current().id()));
        assert_eq!(remote.id(), tasklet.fiber().map(|fiber| fiber.id()));
        std::mem::forget(tasklet);
        (remote, Tasklet::new().remote())
    });
    thread::spawn(move || {
        remote.remove().unwrap();
        remote.kill().unwrap();
        for refused in [remote.insert(), remote.run()] {
            let error = refused.unwrap_err();
            assert!(matches!(error, TaskletError::NoThread(_)));
            assert!(error.to_string().starts_with("tasklet has no thread"), "{error}");
        }
        let Err(TaskletError::NoThreadThrow(payload, _)) = remote.throw(7u8) else {
            panic!("there is no tasklet to throw at")
        };
        assert_eq!(payload.downcast::<u8>(), Ok(7));
        assert_eq!(remote.thread_id(), None);

        assert!(matches!(empty.insert(), Err(TaskletError::Dead(_))));
        assert!(matches!(empty.throw(1), Err(TaskletError::DeadThrow(..))));
        empty.kill().unwrap();
        assert_eq!((empty.id(), empty.thread_id()), (None, None));
    })
    .join()
    .unwrap();
    check("");
}

#[test]
fn a_tasklet_that_another_thread_can_command_is_no_part_of_a_deadlock() {
    fibra::run(|| {
        let channel = stackless::Channel::new();
        let to = channel.clone();
        let paused = stackless::tasklet(move |()| to.send(1).unwrap()).bind(());
        let remote = paused.remote();
        // With the second handle gone, no thread can insert the tasklet any more.
        let thread = thread::spawn(move || remote.insert().unwrap());
        log(channel.receive().unwrap());
        thread.join().unwrap();

        let waits = paused.remote();
        drop(waits);
        assert!(channel.receive().is_err());
    });
    check("1");
}

#[test]
fn a_wait_becomes_a_deadlock_when_the_last_remote_handle_is_dropped() {
    fibra::run(|| {
        let channel = stackless::Channel::<u32>::new();
        let remote = stackless::getcurrent().remote();
        let thread = thread::spawn(move || drop(remote));
        assert!(channel.receive().unwrap_err().report().is_some());
        thread.join().unwrap();
    });
}

#[test]
fn an_unstarted_tasklet_goes_to_the_thread_that_binds_it() {
    // S-196, S-201
    let home = thread::current().id();
    let portable = run_virtually(|| {
        PortableTasklet::new(move || {
            assert_ne!(thread::current().id(), home);
            log("there");
        })
    });
    thread::spawn(move || {
        run_virtually(|| {
            let tasklet = portable.bind_thread();
            assert!(tasklet.is_paused() && !tasklet.is_scheduled());
            log("here");
            tasklet.run().unwrap();
            assert!(!tasklet.is_alive());
        });
        check("here there");
    })
    .join()
    .unwrap();
}

#[test]
fn a_portable_tasklet_that_is_dropped_drops_its_function() {
    // S-209
    let noisy = Noisy("dropped");
    drop(PortableTasklet::new(move || {
        let _noisy = &noisy;
        log("called");
    }));
    check("dropped");
}

#[test]
fn the_end_of_a_thread_unwinds_its_tasklets_and_repairs_the_balance() {
    // S-198
    let channel = SharedChannel::<u32>::new();
    let there = channel.clone();
    thread::spawn(move || {
        run_virtually(|| {
            let channel = there.clone();
            stackless::spawn(move || {
                let _noisy = Noisy("unwound");
                let _ = channel.receive();
            });
            fibra::yield_now();
            assert_eq!(there.balance(), -1);
        });
        check("unwound");
        assert_eq!(there.balance(), 0);
    })
    .join()
    .unwrap();
    assert!(channel.try_send(1).is_err(), "no receiver is left");
}

#[test]
fn a_remote_handle_does_not_keep_a_paused_tasklet() {
    run_virtually(|| {
        let tasklet = paused("never");
        let remote = tasklet.remote();
        drop(tasklet);
        from_afar(move || remote.insert().unwrap());
        fibra::sleep(ms(1));
    });
    check("");
}

#[test]
fn an_order_is_obeyed_while_the_owner_is_busy() {
    fibra::run(|| {
        let tasklet = stackless::spawn(|| {
            loop {
                stackless::schedule();
            }
        });
        let remote = tasklet.remote();
        let thread = thread::spawn(move || remote.kill().unwrap());
        while tasklet.is_alive() {
            stackless::schedule();
        }
        thread.join().unwrap();
    });
}
