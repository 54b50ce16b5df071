//! Tests misuse and bad input: each is a clear error that names the remedy, and nothing is lost.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::channel::{self, Channel, RecvError, SendError, TryRecvError, TrySendError};
use fibra::{JoinError, spawn, yield_now};

use crate::support::{Noisy, check, panic_of};

#[test]
fn calls_outside_of_run_panic_and_name_run_and_the_caller() {
    fibra::local! { static LOCAL: u32 = 1; }
    let calls: [(&str, fn()); 21] = [
        ("spawn", || drop(spawn(|| ()))),
        ("spawn_now", || drop(fibra::spawn_now(|| ()))),
        ("Builder::spawn", || drop(fibra::Builder::new().spawn(|| ()))),
        ("Builder::spawn_now", || drop(fibra::Builder::new().spawn_now(|| ()))),
        ("yield_now", || yield_now()),
        ("park", || fibra::park()),
        ("park_timeout", || fibra::park_timeout(crate::support::ms(1))),
        ("sleep", || fibra::sleep(crate::support::ms(1))),
        ("now", || drop(format!("{:?}", fibra::now()))),
        ("current", || drop(fibra::current())),
        ("scope", || fibra::scope(|_| ())),
        ("nursery", || fibra::nursery(|_| ())),
        ("shield", || fibra::shield(|| ())),
        ("checkpoint", || fibra::checkpoint()),
        ("dump", || drop(fibra::dump())),
        ("stats", || drop(fibra::stats())),
        ("local", || LOCAL.with(|_| ())),
        ("recv", || drop(Channel::<()>::new().recv())),
        ("send", || drop(Channel::new().send(1))),
        ("bounded send", || drop(channel::bounded(1).0.send(1))),
        ("oneshot recv", || drop(channel::oneshot::<()>().1.recv())),
    ];
    for (name, call) in calls {
        let text = panic_of(call);
        assert!(text.contains("works only inside a fiber"), "{name}: {text}");
        assert!(text.contains("`fibra::run(|| ...)`"), "{name}: {text}");
    }
    let line = line!() + 1;
    let text = panic_of(|| yield_now());
    assert!(text.contains(&format!("{}:{line}:", file!())), "{text}");
    assert!(!fibra::in_fiber());
}

#[test]
fn a_closure_that_cannot_be_spawned_is_dropped() {
    let owned = Noisy("dropped");
    panic_of(|| spawn(move || drop(owned)));
    check("dropped");
}

#[test]
fn a_nested_run_panics_and_the_outer_one_goes_on() {
    fibra::run(|| {
        let text = panic_of(|| fibra::run(|| ()));
        assert!(text.starts_with("`fibra::run` was called inside `fibra::run`"), "{text}");
        assert!(text.contains("use `fibra::spawn`, or another thread"), "{text}");
        let text = panic_of(|| fibra::Runtime::builder().build().unwrap().run(|| ()));
        assert!(text.starts_with("`fibra::run` was called inside"), "{text}");
        let in_child = spawn(|| panic_of(|| fibra::run(|| ())));
        assert!(in_child.join().unwrap().starts_with("`fibra::run` was called inside"));
        assert_eq!(spawn(|| 3).join().unwrap(), 3);
    });
}

#[test]
fn a_fiber_that_joins_itself_gets_an_error() {
    fibra::run(|| {
        let slot = Rc::new(RefCell::new(None));
        let own = slot.clone();
        let child = spawn(move || {
            let handle: fibra::JoinHandle<()> = own.take().expect("main has put it there");
            let error = handle.join().unwrap_err();
            assert!(matches!(error, JoinError::Itself), "{error:?}");
            crate::support::log(error);
        });
        *slot.borrow_mut() = Some(child);
        yield_now();
    });
    check(
        "a fiber cannot join itself, because it would wait forever: give the handle to another fiber",
    );
}

#[test]
fn absurd_stack_sizes_are_clamped_and_work() {
    fibra::run(|| {
        for (asked, got) in [(0, 16 << 10), (1, 16 << 10), (usize::MAX, 1 << 30)] {
            let child = fibra::Builder::new().stack_size(asked).spawn(|| {
                yield_now();
                7
            });
            assert_eq!(fibra::dump().fibers[1].stack_size, got);
            assert_eq!(child.join().unwrap(), 7);
        }
    });
    for asked in [0, usize::MAX] {
        let runtime = fibra::Runtime::builder().stack_size(asked).build().unwrap();
        assert_eq!(runtime.run(|| spawn(|| 8).join().unwrap()), 8);
    }
}

#[test]
fn a_name_with_a_nul_is_refused() {
    let text = panic_of(|| fibra::Builder::new().name("a\0b"));
    assert_eq!(text, "a fiber's name must not contain a NUL: \"a\\0b\"");
}

#[test]
fn empty_and_long_names_work() {
    fibra::run(|| {
        for name in [String::new(), "ü".repeat(10_000)] {
            let child = fibra::Builder::new().name(name.clone()).spawn(|| fibra::current().name());
            assert_eq!(child.join().unwrap().as_deref(), Some(name.as_str()));
        }
    });
}

#[test]
fn a_closed_channel_refuses_and_gives_the_value_back() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.close();
        assert!(matches!(channel.recv(), Err(RecvError::Closed)));
        assert_eq!(channel.try_recv(), Err(TryRecvError::Closed));
        assert!(matches!(channel.send(1), Err(SendError::Closed(1))));
        assert!(matches!(channel.try_send(2), Err(TrySendError::Closed(2))));
        assert_eq!(
            channel.recv().unwrap_err().to_string(),
            "receiving on a channel that is closed or has no senders left"
        );

        let (sender, receiver) = channel::bounded::<i32>(1);
        drop(sender);
        assert!(matches!(receiver.recv(), Err(RecvError::Closed)));
        let (sender, receiver) = channel::bounded(1);
        drop(receiver);
        assert_eq!(sender.send(3).unwrap_err().into_inner(), 3);
        let (sender, receiver) = channel::oneshot::<i32>();
        drop(receiver);
        assert_eq!(sender.send(4), Err(SendError::Closed(4)));
    });
}
