//! Jobs, their outcomes and their handles, at the moments at which few programs look: before the
//! runtime runs, while it ends, and in destructors of destructors.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use fibra::sync::Event;
use fibra::{Handle, JoinError, Runtime, par};

use crate::support::{OnDrop, PanicsOnDrop, caught, in_child, ms, name_of, stderr};
use crate::{Count, LATE, must_end, on, sleep_until, spin_until};

#[test]
fn a_panic_of_one_refused_closure_does_not_keep_the_others_from_being_refused() {
    let runtime = Runtime::builder().threads(2).build().unwrap();
    let bad = PanicsOnDrop("a closure");
    let first = runtime.handle().spawn_on(1, move || drop(bad));
    let others: Vec<_> = (0..3).map(|_| runtime.handle().spawn_on(1, || ())).collect();
    let _ = caught(|| drop(runtime));
    assert_eq!(first.join(), Err(JoinError::Shutdown));
    for mut other in others {
        assert_eq!(other.join_timeout(LATE), Some(Err(JoinError::Shutdown)));
    }
}

#[test]
fn a_runtime_that_is_never_run_refuses_its_jobs_although_a_handle_is_left() {
    for threads in 1..3 {
        let runtime = Runtime::builder().threads(threads).build().unwrap();
        let handle = runtime.handle();
        let mut job = handle.spawn(|| 1);
        drop(runtime);
        assert_eq!(job.join_timeout(LATE), Some(Err(JoinError::Shutdown)), "{threads}");
        let mut late = handle.spawn(|| 2);
        assert_eq!(late.join_timeout(LATE), Some(Err(JoinError::Shutdown)), "{threads}");
        assert!(handle.try_spawn(|| 3).unwrap_err().is_closed());
    }
}

#[test]
fn a_job_that_the_first_handle_of_a_plain_run_spawns_while_that_ends_is_refused() {
    let (sender, receiver) = mpsc::channel();
    fibra::run(|| {
        fibra::spawn(move || {
            fibra::finally(fibra::park, || {
                let _ = sender.send(Handle::current().spawn(|| 1));
            });
        });
        fibra::yield_now();
    });
    let mut job = receiver.recv().unwrap();
    assert_eq!(job.join_timeout(LATE), Some(Err(JoinError::Shutdown)));
}

#[test]
fn a_stream_that_a_time_limit_has_interrupted_continues_with_the_same_item() {
    on(2, |_| {
        let release = Arc::new(Event::new());
        let released = release.clone();
        let mut slow = par::imap(0..3_u64, move |n| {
            released.wait();
            n
        });
        assert!(fibra::time::timeout(ms(5), || slow.next()).is_err());
        release.set();
        assert_eq!(slow.collect::<Vec<_>>(), [0, 1, 2]);
    });
}

#[test]
fn a_stream_that_is_left_during_a_wait_kills_the_job_that_it_waited_for() {
    on(2, |_| {
        let (started, ended) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (starts, ends) = (started.clone(), ended.clone());
        let mut stuck = par::imap(0..3_u64, move |_| {
            let ends = ends.clone();
            let _ends = OnDrop(move || _ = ends.add());
            starts.add();
            fibra::park();
        });
        while started.get() < 3 {
            assert!(fibra::time::timeout(ms(20), || stuck.next()).is_err());
        }
        drop(stuck);
        sleep_until(|| ended.get() == 3);
    });
}

/// A value whose destructor needs a fiber, and waits.
struct Waits(Arc<Count>);

impl Drop for Waits {
    fn drop(&mut self) {
        fibra::yield_now();
        self.0.add();
    }
}

thread_local! {
    static STUCK: Cell<bool> = const { Cell::new(false) };
}

struct NeverEnds;

impl Drop for NeverEnds {
    fn drop(&mut self) {
        STUCK.set(true);
        loop {
            let _ = panic::catch_unwind(fibra::park);
        }
    }
}

fibra::local! {
    static LOCAL: NeverEnds = NeverEnds;
}

#[test]
fn a_job_that_is_abandoned_in_a_destructor_after_its_closure_has_its_output() {
    let test = name_of!(a_job_that_is_abandoned_in_a_destructor_after_its_closure_has_its_output);
    let output = in_child(test, &[], || {
        must_end();
        let drops = Arc::new(Count::default());
        let output = drops.clone();
        let job = on(1, |handle| {
            let job = handle.spawn(move || {
                LOCAL.with(|_| ());
                Waits(output)
            });
            sleep_until(|| STUCK.get());
            job
        });
        let output = job.join().unwrap(); // the closure had returned it
        fibra::run(|| drop(output));
        assert_eq!(drops.get(), 1);
    });
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_closure_and_the_output_of_a_job_may_be_larger_than_its_stack() {
    let test = name_of!(the_closure_and_the_output_of_a_job_may_be_larger_than_its_stack);
    let output = in_child(test, &[], || {
        must_end();
        let builder = Runtime::builder().threads(2).main_stack_size(64 << 20);
        builder.build().unwrap().run(|| {
            let handle = Handle::current();
            let large = [1_u8; 300 << 10];
            let job = handle.spawn_on(1, move || large);
            assert_eq!(job.join().unwrap()[9], 1);
            let killed = handle.spawn_on(0, move || large);
            killed.kill();
            assert!(killed.join().unwrap_err().is_killed());
            handle.spawn_on(0, || ()).join().unwrap();
            par::scope(|s| assert_eq!(s.spawn(|| large).join().unwrap()[0], 1));
        });
    });
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
}

#[test]
fn an_exit_before_the_main_closure_unwinds_the_other_schedulers() {
    let test = name_of!(an_exit_before_the_main_closure_unwinds_the_other_schedulers);
    let output = in_child(test, &[], || {
        must_end();
        let runtime = Runtime::builder().threads(2).build().unwrap();
        let handle = runtime.handle();
        let (sender, receiver) = mpsc::channel();
        let waits = move || {
            let clean_up = OnDrop(|| eprintln!("it was unwound"));
            let _ = sender.send(());
            fibra::park();
            drop(clean_up);
        };
        handle.spawn_on(1, waits).detach();
        let receiver = std::sync::Mutex::new(receiver);
        handle
            .spawn_on(0, move || {
                receiver.lock().unwrap().recv().unwrap();
                fibra::exit(7)
            })
            .detach();
        runtime.run(|| {
            eprintln!("main has begun");
            fibra::park();
        });
    });
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.contains("it was unwound"), "{text}");
}

#[test]
fn a_handle_that_is_dropped_while_its_thread_unwinds_reports_a_bad_panic() {
    on(2, |handle| {
        for _ in 0..3 {
            let bad = || panic::panic_any(PanicsOnDrop("a payload"));
            let job = handle.spawn_on(1, bad);
            spin_until(|| job.is_finished());
            let unwinds = panic::catch_unwind(AssertUnwindSafe(|| {
                let _job = job;
                panic::resume_unwind(Box::new("it unwinds"));
            }));
            assert_eq!(*unwinds.unwrap_err().downcast::<&str>().unwrap(), "it unwinds");
            handle.spawn_on(1, bad).detach();
            let scope = || {
                par::scope(|s| {
                    drop(s.spawn_on(1, bad));
                    drop(s.spawn_on(1, bad));
                });
            };
            std::mem::forget(panic::catch_unwind(scope).unwrap_err());
        }
        assert_eq!(handle.spawn_on(1, || 5).join(), Ok(5));
    });
}

#[test]
fn a_job_that_kills_itself_by_its_handle_unwinds_at_its_next_wait() {
    on(2, |handle| {
        for index in 0..2 {
            let (sender, receiver) = fibra::sync::mpmc::bounded(1);
            let unwound = Arc::new(Count::default());
            let unwinds = unwound.clone();
            let job = handle.spawn_on(index, move || {
                let _unwinds = OnDrop(move || _ = unwinds.add());
                let own: fibra::RemoteHandle<()> = receiver.recv().unwrap();
                own.kill_with("itself");
                own.kill();
                drop(own);
                fibra::park();
            });
            sender.send(job).unwrap();
            while unwound.get() == 0 {
                fibra::sleep(ms(1));
            }
        }
        thread::yield_now();
    });
}

/// Ends the main fiber of the scheduler on which it runs, as far as user code can.
fn attack_main(how: usize) {
    let main = fibra::stackless::getmain();
    match how {
        0 => main.fiber().unwrap().kill(),
        1 => drop(main.kill_pending()),
        2 => drop(main.throw_pending("from a job")),
        3 => drop(main.throw("from a job")),
        4 => drop(main.fiber().unwrap().pause()),
        5 => drop(main.remove()),
        _ => main.fiber().unwrap().unpark(),
    }
}

#[test]
fn nothing_that_a_job_does_to_the_main_fiber_of_its_scheduler_ends_that_scheduler() {
    for how in 0..7 {
        on(2, |handle| {
            let _ = handle.spawn_on(1, move || attack_main(how)).join();
            for _ in 0..3 {
                fibra::sleep(ms(1));
                let mut next = handle.spawn_on(1, || 5);
                assert_eq!(next.join_timeout(LATE), Some(Ok(5)), "{how}");
            }
        });
    }
}

#[test]
fn nothing_that_a_fiber_does_to_the_main_fiber_keeps_it_from_ending_the_other_schedulers() {
    for (how, grace) in (0..7).flat_map(|how| [(how, ms(0)), (how, ms(10))]) {
        let slow = Arc::new(Count::default());
        let ended = slow.clone();
        let builder = Runtime::builder().threads(2).shutdown_timeout(grace);
        builder.build().unwrap().run(|| {
            let handle = Handle::current();
            let clean_up = OnDrop(move || {
                fibra::sleep(ms(20));
                ended.add();
            });
            let job = move || fibra::finally(fibra::park, || drop(clean_up));
            handle.spawn_on(1, job).detach();
            fibra::spawn(move || {
                let attacks = OnDrop(move || attack_main(how));
                fibra::sleep(ms(15)); // the runtime ends meanwhile
                drop(attacks);
                fibra::sleep(ms(1));
                attack_main(how);
            });
            fibra::sleep(ms(10));
        });
        assert_eq!(slow.get(), 1, "{how}");
    }
}
