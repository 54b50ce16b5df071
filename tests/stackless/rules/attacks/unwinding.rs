//! Kills, throws and runs while a tasklet unwinds.

use fibra::stackless::{self, Channel};

use crate::support::stackless::{
    floating, logs, logs_end, paused, payload_of, quietly, raise, raised, receiving, state,
};
use crate::support::{DONE_LINE, OnDrop, check, in_child, log, name_of, stderr};

/// An error that would abort the process if it were not put off is raised in a child process.
#[test]
fn a_tasklet_that_kills_itself_in_a_destructor_that_unwinds_goes_on_unwinding() {
    let name = name_of!(a_tasklet_that_kills_itself_in_a_destructor_that_unwinds_goes_on_unwinding);
    let output = in_child(name, &[], || {
        fibra::run(|| {
            stackless::spawn(|| {
                logs_end("T", || {
                    let _kills = OnDrop(|| {
                        drop(stackless::getcurrent().kill());
                        drop(stackless::getcurrent().throw("second"));
                        drop(stackless::getcurrent().throw_pending("third"));
                        stackless::schedule();
                        log("destructor");
                    });
                    raise("first");
                });
            });
            log(raised(stackless::run));
        });
        check("destructor T:first first");
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn an_immediate_throw_at_a_tasklet_that_unwinds_is_put_off() {
    let name = name_of!(an_immediate_throw_at_a_tasklet_that_unwinds_is_put_off);
    let output = in_child(name, &[], || {
        fibra::run(|| {
            let channel = Channel::new();
            let answer = channel.clone();
            let t = stackless::tasklet(move |()| {
                logs_end("T", || {
                    let _waits = OnDrop(|| {
                        log(answer.receive().unwrap());
                        stackless::schedule_remove();
                        log("destructor");
                    });
                    raise("first");
                });
            });
            let t = t.bind(());
            t.run().unwrap();
            assert_eq!(state(&t), "alive blocked scheduled");
            // Whether the wait goes on or is interrupted without raising, nothing aborts.
            quietly(|| drop(t.throw("second")));
            if t.is_blocked() {
                quietly(|| channel.send("value").unwrap());
            }
            quietly(|| drop(t.kill()));
            quietly(|| drop(t.run()));
            quietly(stackless::run);
            assert_eq!(state(&t), "dead");
        });
        let seen = crate::support::trace();
        assert_eq!(seen.last().map(String::as_str), Some("T:first"), "{seen:?}");
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn a_tasklet_killed_by_its_handle_while_another_unwinds_is_killed_later() {
    let name = name_of!(a_tasklet_killed_by_its_handle_while_another_unwinds_is_killed_later);
    let output = in_child(name, &[], || {
        fibra::run(|| {
            let f = floating("F");
            let t = stackless::spawn(move || {
                let _last = f;
                raise("E");
            });
            log(raised(stackless::run));
            stackless::run();
            assert_eq!(state(&t), "dead");
            log("m");
        });
        check("E F! m");
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn the_scheduler_works_in_a_destructor_that_unwinds() {
    let name = name_of!(the_scheduler_works_in_a_destructor_that_unwinds);
    let output = in_child(name, &[], || {
        fibra::run(|| {
            let text = raised(|| {
                let _works = OnDrop(|| {
                    logs("A");
                    stackless::run();
                    paused("P").run().unwrap();
                    let channel = Channel::new();
                    receiving("R", &channel);
                    channel.send(1).unwrap();
                    logs("B");
                    stackless::schedule();
                    logs("C");
                    stackless::schedule_remove();
                    log("-");
                });
                raise("E");
            });
            log(text);
        });
        check("A P R1 B C - E");
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

/// An error that is delivered to a fiber that unwinds cannot be raised there.
#[test]
fn an_error_that_is_due_to_a_main_that_unwinds_does_not_abort() {
    let name = name_of!(an_error_that_is_due_to_a_main_that_unwinds_does_not_abort);
    let output = in_child(name, &[], || {
        fibra::run(|| {
            let text = raised(|| {
                let _runs = OnDrop(|| {
                    stackless::spawn(|| raise("inner"));
                    logs("A");
                    stackless::run();
                    log("destructor");
                });
                raise("outer");
            });
            log(text);
            quietly(stackless::run);
            quietly(stackless::schedule);
        });
        let mut seen = crate::support::trace();
        seen.retain(|entry| entry != "A");
        assert_eq!(seen, ["destructor", "outer"]);
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn a_tasklet_that_catches_everything_is_unwound_at_the_end_all_the_same() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            for _ in 0..5 {
                drop(payload_of(stackless::schedule_remove));
                log("caught");
            }
        });
        let t = t.bind(());
        t.run().unwrap();
        t.kill().unwrap();
        t.throw("E").unwrap();
        log("m");
        std::mem::forget(t);
    });
    let seen = crate::support::trace();
    assert_eq!(seen[..3], ["caught", "caught", "m"], "{seen:?}");
}

#[test]
fn what_is_thrown_at_main_leaves_the_run_if_main_does_not_wait_again() {
    let mut throws: Vec<fn()> = vec![|| drop(stackless::getmain().throw("E"))];
    throws.push(|| drop(stackless::getmain().throw_pending("E")));
    for throw in throws {
        let text = raised(|| fibra::run(throw));
        assert_eq!(text, "E");
    }
}

#[test]
fn a_kill_of_main_leaves_the_run() {
    let payload = payload_of(|| {
        fibra::run(|| {
            stackless::spawn(|| stackless::getmain().kill().unwrap());
            logs_end("m", stackless::run);
        });
    });
    assert!(payload.is::<stackless::TaskletExit>());
    check("m!");
}
