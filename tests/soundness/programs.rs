//! Hostile programs in safe code: each tries to make the scheduler touch freed memory, lose a
//! value, hang, or abort where the design promises otherwise.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fibra::JoinError;
use fibra::channel::{self, Channel, SendTimeoutError};

use crate::support::{HOUR, OnDrop, PanicsOnDrop, apart, quiet_panic, run_virtually};

const SECOND: Duration = Duration::from_secs(1);

fn panics_on_drop() -> Box<dyn Any + Send> {
    Box::new(PanicsOnDrop("the payload's destructor"))
}

type Log = Rc<RefCell<Vec<String>>>;

fn note(log: &Log, what: impl Into<String>) {
    log.borrow_mut().push(what.into());
}

// -- values, deadlines and destructors that wait ------------------------------------------------

#[test]
fn a_value_may_sleep_in_its_destructor_when_its_timed_send_is_killed() {
    run_virtually(|| {
        let (sender, _receiver) = channel::bounded(0);
        let rendezvous = Channel::new();
        let other = rendezvous.clone();
        let fibers = [
            fibra::spawn(move || {
                let value = OnDrop(|| fibra::sleep(SECOND));
                drop(sender.send_timeout(value, HOUR));
            }),
            fibra::spawn(move || {
                let value = OnDrop(|| fibra::sleep(SECOND));
                drop(other.send_timeout(value, HOUR));
            }),
        ];
        fibra::yield_now();
        for fiber in fibers {
            fiber.kill();
            assert!(fiber.join().unwrap_err().is_killed());
        }
        assert_eq!(fibra::stats().timers, 0, "no deadline outlives its wait");
        fibra::sleep(2 * HOUR);
        assert_eq!(rendezvous.balance(), 0);
    });
}

#[test]
fn a_deadline_that_passes_while_the_fiber_gives_way_is_not_lost() {
    run_virtually(|| {
        drop(fibra::spawn(|| fibra::sleep(HOUR)));
        fibra::yield_now();
        // More than a batch, so that deadlines are checked when a fiber gives way.
        for _ in 0..200 {
            drop(fibra::spawn(|| (0..100).for_each(|_| fibra::yield_now())));
        }
        let (start, channel) = (fibra::now(), Channel::new());
        for operations in 120..140 {
            // In some of these rounds the send uses up the budget: it yields first, and its
            // deadline passes meanwhile.
            for _ in 0..operations {
                fibra::current().unpark();
                fibra::park();
            }
            let sent = channel.send_timeout(operations, Duration::ZERO);
            assert!(matches!(sent, Err(SendTimeoutError::Timeout(_))));
        }
        assert_eq!(fibra::now(), start);
    });
}

#[test]
fn a_deadline_that_passes_after_a_stray_wake_is_not_lost() {
    run_virtually(|| {
        let start = fibra::now();
        drop(fibra::spawn(|| fibra::sleep(HOUR)));
        let result = catch_unwind(|| {
            fibra::nursery(|n| {
                n.spawn(|| quiet_panic("child"));
                // More than a batch, so that deadlines are checked before this fiber runs again.
                for _ in 0..200 {
                    n.spawn(|| (0..3).for_each(|_| fibra::shield(fibra::yield_now)));
                }
                // The child's failure wakes this fiber, which is shielded and continues to sleep.
                fibra::shield(|| fibra::sleep_until(fibra::now()));
            });
        });
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"child"));
        assert_eq!(fibra::now(), start);
    });
}

// -- fiber-locals -------------------------------------------------------------------------------

thread_local! {
    static LOG: Log = Log::default();
}

struct Local(&'static str);

impl Drop for Local {
    fn drop(&mut self) {
        let name = self.0;
        LOG.with(|log| note(log, format!("{name} dropped in {}", fibra::current())));
        fibra::yield_now();
        let child = move || LOG.with(|log| note(log, format!("child of {name}")));
        drop(fibra::spawn(child));
        fibra::sleep(SECOND);
        LOG.with(|log| note(log, format!("{name} gone")));
    }
}

fibra::local! {
    static LATE: Local = Local("late");
    static MAINS: Local = Local("main's");
}

#[test]
fn a_fiber_local_made_by_the_destructor_of_an_output_is_dropped_on_the_fiber() {
    struct Result;
    impl Drop for Result {
        fn drop(&mut self) {
            LATE.with(|_| ());
        }
    }
    run_virtually(|| {
        drop(fibra::Builder::new().name("worker").spawn(|| Result));
        fibra::sleep(HOUR);
    });
    let log = LOG.with(|log| log.take());
    assert_eq!(log, ["late dropped in fiber 'worker' (#2)", "child of late", "late gone"]);
}

#[test]
fn a_fiber_local_of_main_may_wait_and_spawn_in_its_destructor() {
    let answer = run_virtually(|| {
        MAINS.with(|_| ());
        42
    });
    assert_eq!(answer, 42);
    let log = LOG.with(|log| log.take());
    assert_eq!(log, ["main's dropped in fiber 'main' (#1)", "child of main's", "main's gone"]);
}

// -- kills --------------------------------------------------------------------------------------

#[test]
fn a_fiber_that_catches_every_kill_is_abandoned_once_and_its_joiner_gets_an_error() {
    apart(|| {
        let fiber = run_virtually(|| {
            let handle = fibra::spawn(|| {
                loop {
                    let _ = catch_unwind(fibra::park);
                }
            });
            let fiber = handle.fiber().clone();
            fibra::yield_now();
            handle.kill();
            assert!(matches!(handle.join(), Err(JoinError::Abandoned)));
            assert!(fiber.is_finished());
            let stats = fibra::stats();
            assert_eq!((stats.fibers, stats.abandoned), (1, 1));
            // Neither the end of this run nor another run may touch the fiber.
            drop(fibra::spawn(fibra::park));
            fiber
        });
        run_virtually(|| {
            fiber.kill();
            fiber.unpark();
            fibra::yield_now();
            assert_eq!(fibra::stats().fibers, 1);
        });
    });
}

struct Clings;

impl Drop for Clings {
    fn drop(&mut self) {
        loop {
            let _ = catch_unwind(fibra::park);
        }
    }
}

fibra::local! {
    static CLINGS: Clings = Clings;
}

#[test]
fn the_output_of_a_fiber_that_is_abandoned_in_its_clean_up_is_delivered() {
    apart(|| {
        let drops = Rc::new(Cell::new(0));
        let counted = drops.clone();
        let handle = run_virtually(|| {
            let handle = fibra::spawn(move || {
                CLINGS.with(|_| ());
                OnDrop(move || counted.set(counted.get() + 1))
            });
            fibra::yield_now();
            handle
        });
        assert_eq!(drops.get(), 0);
        drop(handle.join().unwrap());
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn a_killed_fiber_may_panic_with_a_payload_whose_destructor_panics() {
    run_virtually(|| {
        let fiber = fibra::spawn(|| {
            let _ = catch_unwind(fibra::park);
            panic::resume_unwind(panics_on_drop());
        });
        fibra::yield_now();
        fiber.kill();
        assert!(matches!(fiber.join(), Err(JoinError::Killed)));
    });
}

#[test]
fn a_kill_that_comes_while_another_fiber_unwinds_is_met_when_that_one_is_done() {
    run_virtually(|| {
        let unwinding = fibra::spawn(|| {
            let _slow = OnDrop(|| fibra::sleep(SECOND));
            quiet_panic("slow");
        });
        let parked = fibra::spawn(fibra::park);
        let scoped = fibra::spawn(|| fibra::scope(|s| drop(s.spawn(fibra::park))));
        fibra::yield_now();
        fibra::yield_now();
        let start = fibra::now();
        parked.kill();
        scoped.kill();
        assert!(matches!(parked.join(), Err(JoinError::Killed)));
        assert_eq!(fibra::now() - start, SECOND);
        // The scope passes the kill on to its fiber, and unwinds when that fiber has ended.
        assert!(matches!(scoped.join(), Err(JoinError::Killed)));
        assert!(matches!(unwinding.join(), Err(JoinError::Panicked(_))));
    });
}

#[test]
fn a_supervisor_of_many_failed_nurseries_is_unwound_by_its_first_kill() {
    run_virtually(|| {
        let unwound = Rc::new(Cell::new(false));
        let flag = unwound.clone();
        let supervisor = fibra::spawn(move || {
            let _unwound = OnDrop(|| flag.set(true));
            for _ in 0..300 {
                let failed = catch_unwind(|| {
                    fibra::nursery(|n| {
                        n.spawn(|| quiet_panic("again"));
                        fibra::park();
                    });
                });
                assert!(failed.is_err());
            }
            fibra::park();
        });
        fibra::sleep(SECOND);
        supervisor.kill();
        assert!(matches!(supervisor.join(), Err(JoinError::Killed)));
        assert!(unwound.get());
    });
}

#[test]
fn the_payload_of_a_kill_is_an_ordinary_panic_elsewhere() {
    run_virtually(|| {
        let kept: Rc<Cell<Option<Box<dyn Any + Send>>>> = Rc::default();
        let keeper = kept.clone();
        let killed = fibra::spawn(move || keeper.set(catch_unwind(fibra::park).err()));
        fibra::yield_now();
        killed.kill();
        killed.join().unwrap();
        let payload = kept.take().unwrap();
        let raiser = fibra::spawn(move || fibra::scope(|_| panic::resume_unwind(payload)));
        let Err(JoinError::Panicked(payload)) = raiser.join() else { panic!("it has panicked") };
        let text = payload.is::<String>() || payload.is::<&str>();
        assert!(!text, "the very payload, and no new panic");
    });
}

// -- scopes -------------------------------------------------------------------------------------

#[test]
fn a_child_that_kills_its_scope_kills_its_younger_siblings_too() {
    run_virtually(|| {
        let start = fibra::now();
        fibra::scope(|s| {
            s.spawn(|| fibra::sleep(HOUR));
            s.spawn(|| {
                fibra::yield_now();
                s.kill();
                unreachable!("it was killed itself");
            });
            s.spawn(|| fibra::sleep(HOUR));
        });
        assert_eq!(fibra::now(), start);
    });
}

#[test]
fn a_scope_whose_body_and_child_both_panic_raises_the_body_and_survives_the_other() {
    run_virtually(|| {
        let raised = catch_unwind(AssertUnwindSafe(|| {
            fibra::scope(|s| {
                s.spawn(|| panic::resume_unwind(panics_on_drop()));
                fibra::yield_now();
                quiet_panic("body");
            });
        }));
        assert_eq!(raised.unwrap_err().downcast_ref(), Some(&"body"));
    });
}

#[test]
fn a_scope_in_the_destructor_of_a_killed_fiber_lets_its_children_work() {
    run_virtually(|| {
        let saved = Rc::new(Cell::new(0));
        let count = saved.clone();
        let fiber = fibra::spawn(move || {
            let _saver = OnDrop(|| {
                fibra::scope(|s| {
                    for _ in 0..3 {
                        s.spawn(|| {
                            fibra::sleep(SECOND);
                            count.set(count.get() + 1);
                        });
                    }
                });
            });
            fibra::park();
        });
        fibra::yield_now();
        fiber.kill();
        assert!(matches!(fiber.join(), Err(JoinError::Killed)));
        assert_eq!(saved.get(), 3);
    });
}

// -- deadlocks ----------------------------------------------------------------------------------

#[test]
fn a_wait_that_could_not_fail_while_a_fiber_unwound_fails_afterwards() {
    run_virtually(|| {
        let unused = Channel::<()>::new();
        drop(fibra::spawn(move || {
            let _waits = OnDrop(|| drop(unused.recv()));
            quiet_panic("unwinds, and waits meanwhile");
        }));
        fibra::yield_now();
        let report = catch_unwind(fibra::park).unwrap_err();
        assert!(report.downcast_ref::<String>().unwrap().contains("deadlock"));
    });
}

#[test]
fn a_fiber_that_catches_every_deadlock_does_not_keep_run_from_ending() {
    apart(|| {
        run_virtually(|| {
            drop(fibra::spawn(|| {
                fibra::shield(|| {
                    loop {
                        let _ = catch_unwind(fibra::park);
                    }
                })
            }));
            fibra::yield_now();
        });
    });
}

// -- the frame ----------------------------------------------------------------------------------

#[test]
fn a_run_inside_a_destructor_that_unwinds_comes_to_its_end() {
    apart(|| {
        struct Runs;
        impl Drop for Runs {
            fn drop(&mut self) {
                run_virtually(|| {
                    drop(fibra::spawn(|| {
                        loop {
                            fibra::sleep(SECOND);
                        }
                    }));
                    fibra::spawn(|| fibra::sleep(SECOND)).join().unwrap();
                });
            }
        }
        let raised = catch_unwind(|| {
            let _runs = Runs;
            quiet_panic("outer");
        });
        assert_eq!(raised.unwrap_err().downcast_ref(), Some(&"outer"));
    });
}

// -- what may leave its thread ------------------------------------------------------------------

/// `OK` compiles for types that are not `Send`: for others `_` could be either parameter.
trait StaysHere<Which> {
    const OK: () = ();
}
struct IfSend;
impl<T: ?Sized> StaysHere<()> for T {}
impl<T: ?Sized + Send> StaysHere<IfSend> for T {}

fn leaves<T: Send>() {}

#[test]
fn handles_stay_on_their_thread_and_reports_may_leave() {
    () = <fibra::Fiber as StaysHere<_>>::OK;
    () = <fibra::JoinHandle<()> as StaysHere<_>>::OK;
    () = <fibra::ScopedJoinHandle<'_, ()> as StaysHere<_>>::OK;
    () = <&fibra::Scope<'_, '_> as StaysHere<_>>::OK;
    () = <fibra::Runtime as StaysHere<_>>::OK;
    () = <Channel<()> as StaysHere<_>>::OK;
    () = <channel::Iter<'_, ()> as StaysHere<_>>::OK;
    () = <channel::Sender<()> as StaysHere<_>>::OK;
    () = <channel::Receiver<()> as StaysHere<_>>::OK;
    () = <channel::OneshotSender<()> as StaysHere<_>>::OK;
    () = <channel::OneshotReceiver<()> as StaysHere<_>>::OK;
    leaves::<fibra::Unparker>();
    leaves::<&fibra::Unparker>();
    leaves::<JoinError>();
    leaves::<fibra::Deadlock>();
    leaves::<fibra::Dump>();
    leaves::<fibra::Builder>();
    leaves::<&fibra::FiberLocal<Rc<()>>>();
}
