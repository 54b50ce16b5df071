//! Signals: the subscribers that get them, and the effect of signals that no subscriber gets.
//!
//! Signals belong to the process: each test has its own signal, or its own process.

use std::cell::Cell;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;

use fibra::signal::{self, Signal, Signals};
use rustix::process::{getpid, kill_process};

use crate::support::{DONE_LINE, OnDrop, go, in_child, log, ms, name_of, panic_of, stderr};

/// Sends `signal` to this process.
fn send(signal: Signal) {
    kill_process(getpid(), rustix::process::Signal::from_named_raw(signal.as_raw()).unwrap())
        .unwrap();
}

/// Sends `signal`, and returns when it has arrived: `kill` may return before another thread has
/// handled it.
fn send_and_wait(signal: Signal, witness: &Signals) {
    send(signal);
    assert_eq!(witness.recv().unwrap(), signal);
}

#[track_caller]
fn check_done(output: &std::process::Output) {
    assert!(output.status.success() && stderr(output).ends_with(DONE_LINE), "{}", stderr(output));
}

#[test]
fn every_subscriber_gets_every_signal() {
    let usr1 = Signal::SIGUSR1;
    let elsewhere = Signals::new(&[usr1]).unwrap();
    let thread = std::thread::scope(|threads| {
        let thread = threads.spawn(|| (elsewhere.recv().unwrap(), elsewhere.try_recv()));
        fibra::run(|| {
            let (one, two) = (Signals::new(&[usr1]).unwrap(), Signals::new(&[usr1]).unwrap());
            let fiber = fibra::spawn(move || one.recv().unwrap());
            fibra::yield_now();
            send(usr1);
            assert_eq!((fiber.join().unwrap(), two.recv().unwrap()), (usr1, usr1));
            assert_eq!(two.try_recv(), None);
        });
        thread.join().unwrap()
    });
    assert_eq!(thread, (usr1, None));
}

#[test]
fn signals_that_are_not_received_coalesce_and_come_in_the_order_of_their_numbers() {
    let test =
        name_of!(signals_that_are_not_received_coalesce_and_come_in_the_order_of_their_numbers);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let (hup, usr1, usr2) = (Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2);
            let signals = Signals::new(&[usr2, usr1, hup, usr1]).unwrap();
            let witness = Signals::new(&[usr2, usr1, hup]).unwrap();
            for signal in [usr2, usr1, usr1, hup, usr2] {
                send_and_wait(signal, &witness);
            }
            let got: Vec<_> = signals.iter().take(3).collect();
            assert_eq!(got, [hup, usr1, usr2]);
            assert_eq!(signals.try_recv(), None);
            assert_eq!(signals.recv_timeout(ms(1)).unwrap_err().kind(), io::ErrorKind::TimedOut);
            send_and_wait(usr2, &witness);
            assert_eq!(signals.try_recv(), Some(usr2));
            assert_eq!(format!("{signals:?}"), "Signals([SIGHUP, SIGUSR1, SIGUSR2])");
        });
    });
    check_done(&output);
}

#[test]
fn of_several_that_share_a_subscription_each_signal_reaches_one() {
    let test = name_of!(of_several_that_share_a_subscription_each_signal_reaches_one);
    let output = in_child(test, &[], || {
        let all = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM];
        let signals = Signals::new(&all).unwrap();
        let mut got: Vec<Signal> = std::thread::scope(|threads| {
            let plain = threads.spawn(|| signals.recv().unwrap());
            let fibers = threads.spawn(|| {
                fibra::run(|| {
                    fibra::scope(|scope| {
                        let take = || signals.recv().unwrap();
                        let fibers = [scope.spawn(take), scope.spawn(take), scope.spawn(take)];
                        fibers.map(|fiber| fiber.join().unwrap())
                    })
                })
            });
            all.into_iter().for_each(send);
            fibers.join().unwrap().into_iter().chain([plain.join().unwrap()]).collect()
        });
        got.sort();
        let mut sent = all.to_vec();
        sent.sort();
        assert_eq!(got, sent);
    });
    check_done(&output);
}

#[test]
fn a_receive_that_is_killed_or_late_takes_nothing() {
    fibra::run(|| {
        let winch = Signal::SIGWINCH;
        let signals = Rc::new(Signals::new(&[winch]).unwrap());
        let shared = signals.clone();
        let fiber = fibra::spawn(move || shared.recv());
        fibra::yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
        assert!(fibra::time::timeout(ms(1), || signals.recv()).is_err());
        send(winch);
        assert_eq!(signals.recv().unwrap(), winch);
    });
}

#[test]
fn a_handler_runs_for_each_signal_until_its_handle_is_dropped() {
    let test = name_of!(a_handler_runs_for_each_signal_until_its_handle_is_dropped);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let usr1 = Signal::SIGUSR1;
            let witness = Signals::new(&[usr1]).unwrap();
            let count = Rc::new(Cell::new(0));
            let (counted, (told, heard)) = (count.clone(), fibra::channel::unbounded());
            let handle = signal::on(usr1, move || {
                counted.set(counted.get() + 1);
                fibra::yield_now();
                told.send(()).unwrap();
            });
            let handle = handle.unwrap();
            assert_eq!(handle.signal(), usr1);
            for n in 1..=3 {
                send_and_wait(usr1, &witness);
                heard.recv().unwrap();
                assert_eq!(count.get(), n);
            }
            drop(handle);
            send_and_wait(usr1, &witness);
            fibra::testing::wait_all_blocked();
            assert_eq!(count.get(), 3);
        });
    });
    check_done(&output);
}

#[test]
fn a_handler_that_drops_its_own_handle_goes_on_to_its_end() {
    fibra::run(|| {
        let io = Signal::SIGIO;
        let _held = Signals::new(&[io]).unwrap();
        let place = Rc::new(Cell::new(None));
        let (inside, (told, heard)) = (place.clone(), fibra::channel::unbounded());
        let handler = move || {
            drop(inside.take());
            fibra::yield_now();
            told.send("to the end").unwrap();
        };
        place.set(Some(signal::on(io, handler).unwrap()));
        send(io);
        assert_eq!(heard.recv().unwrap(), "to the end");
        assert!(heard.recv().is_err(), "the handler is gone");
    });
}

#[test]
fn a_handler_is_killed_with_its_handle() {
    fibra::run(|| {
        let urgent = Signal::SIGURG;
        let (told, heard) = fibra::channel::unbounded();
        let handle = signal::on(urgent, move || {
            told.send(()).unwrap();
            let _noisy = OnDrop(|| log("unwound"));
            fibra::sleep(ms(1_000_000));
        });
        send(urgent);
        heard.recv().unwrap();
        drop(handle);
        assert!(heard.recv().is_err());
        crate::support::check("unwound");
    });
}

#[test]
fn without_a_subscriber_the_default_action_happens_again() {
    let test = name_of!(without_a_subscriber_the_default_action_happens_again);
    let output = in_child(test, &[], || {
        let term = Signal::SIGTERM;
        let (one, two) = (Signals::new(&[term]).unwrap(), Signals::new(&[term]).unwrap());
        send_and_wait(term, &one);
        drop(one);
        assert_eq!(two.recv().unwrap(), term);
        send_and_wait(term, &two);
        drop(two);
        let again = Signals::new(&[term]).unwrap();
        send_and_wait(term, &again);
        drop(again);
        // This signal is ignored by default, and so it is still ignored.
        let child = Signals::new(&[Signal::SIGCHLD]).unwrap();
        send_and_wait(Signal::SIGCHLD, &child);
        drop(child);
        send(Signal::SIGCHLD);
        send(term);
        loop {
            std::thread::park();
        }
    });
    assert_eq!(output.status.signal(), Some(Signal::SIGTERM.as_raw()), "{}", stderr(&output));
}

#[test]
fn after_the_first_ctrl_c_was_waited_for_it_never_ends_the_process() {
    let test = name_of!(after_the_first_ctrl_c_was_waited_for_it_never_ends_the_process);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let int = Signal::SIGINT;
            for _ in 0..3 {
                go(move || send(int));
                signal::ctrl_c().unwrap();
            }
            let witness = Signals::new(&[int]).unwrap();
            send_and_wait(int, &witness);
            drop(witness);
            send(int);
            let witness = Signals::new(&[Signal::SIGUSR1]).unwrap();
            send_and_wait(Signal::SIGUSR1, &witness);
        });
    });
    check_done(&output);
}

#[test]
fn what_cannot_be_received_is_refused() {
    for signal in [Signal::SIGKILL, Signal::SIGSTOP, Signal::from_raw(11).unwrap()] {
        let error = Signals::new(&[Signal::SIGUSR2, signal]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    assert!(Signal::from_raw(65).is_err() && Signal::from_raw(-1).is_err());
    assert_eq!(
        format!("{} {:?}", Signal::from_raw(42).unwrap(), Signal::SIGHUP),
        "signal 42 SIGHUP"
    );
    let outside = || drop(signal::on(Signal::SIGUSR2, || {}));
    assert!(panic_of(outside).contains("fibra::run"));
}

/// The stack of the fiber would have no room for the handler.
#[test]
fn the_handler_does_not_run_on_the_stack_of_a_fiber() {
    let test = name_of!(the_handler_does_not_run_on_the_stack_of_a_fiber);
    let output = in_child(test, &[], || {
        let usr1 = Signal::SIGUSR1;
        fibra::run(|| {
            let signals = Signals::new(&[usr1]).unwrap();
            let tight = fibra::Builder::new().stack_size(16 << 10).spawn(move || {
                let mut room = [0u8; 11 << 10];
                std::hint::black_box(&mut room);
                // SAFETY: no obligation. This thread handles the signal before the call returns.
                #[allow(unsafe_code, reason = "a signal for this thread")]
                unsafe {
                    libc::raise(usr1.as_raw())
                };
                std::hint::black_box(&mut room);
            });
            tight.join().unwrap();
            assert_eq!(signals.try_recv(), Some(usr1));
        });
    });
    check_done(&output);
}
