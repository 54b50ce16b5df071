//! Tests the common properties of all errors of the crate: each is an `Error` that threads may
//! share, has a `Debug` of one line, answers queries of its kind, and converts to its containers.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fibra::blocking::OwnedError;
use fibra::channel::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use fibra::fs::TryLockError;
use fibra::generator::{CloseError, Generator, GeneratorExit, ResumeError, Yielder};
use fibra::greenlet::{
    Elsewhere, Families, Greenlet, GreenletExit, LocalsError, ParentError, RunError, SwitchError,
};
use fibra::pool::{
    DrainError, DrainTimeoutError, JoinTimeoutError, RetryError, SpawnTimeoutError, TrySpawnError,
};
use fibra::stackless::{ChannelError, TaskletError, TaskletExit};
use fibra::sync::{PromiseError, TimeoutError};
use fibra::{
    Deadlock, JoinError, Killed, Panic, channel, greenlet, net, pool, process, stackless, time,
};

use crate::traits;

use crate::support::{
    DONE_LINE, PanicsOnDrop, in_child, ms, name_of, panic_of, quiet_panic, stderr,
};

/// An error as it appears in the table.
struct Shown {
    name: &'static str,
    debug: String,
    display: String,
    /// The names of the `is_` methods that return true for it.
    is: Vec<&'static str>,
}

/// Makes each error, and calls its `is_` methods.
macro_rules! shown {
    ($($error:expr $(=> $($is:ident)+)?;)+) => {
        vec![$({
            let error = $error;
            let is: &[(&str, bool)] = &[$($((stringify!($is), error.$is())),+)?];
            let is = is.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
            let error: Box<dyn Error + Send + Sync> = error.into();
            let (debug, display) = (format!("{error:?}"), error.to_string());
            Shown { name: stringify!($error), debug, display, is }
        }),+]
    };
}

/// Returns a deadlock of many fibers with long names.
fn deadlock() -> Box<Deadlock> {
    fibra::run(|| {
        let never = channel::Channel::<u8>::new();
        for _ in 0..50 {
            let never = never.clone();
            let name = "long name ".repeat(100);
            drop(fibra::Builder::new().name(name).spawn(move || never.recv()));
        }
        let Err(RecvError::Deadlock(report)) = never.recv() else { unreachable!() };
        report
    })
}

fn no_memory() -> io::Error {
    io::Error::from_raw_os_error(12)
}

fn long_panic() -> Panic {
    Panic::new(Box::new("first line\n".repeat(1000)))
}

fn families() -> Families {
    fibra::frame(|| {
        let inner = Greenlet::new(|_: u8| {
            let other = Greenlet::new(|text: String| text);
            let Err(SwitchError::Family(_, families)) = other.switch(String::new()) else {
                unreachable!()
            };
            assert_eq!((families.given(), families.expected()), ("alloc::string::String", "u8"));
            let text = families.to_string();
            assert!(
                text.contains("values of type `alloc::string::String` cannot be exchanged here"),
                "{text}"
            );
            assert!(text.contains("exchange values of type `u8`"), "{text}");
            0
        });
        inner.switch(1).unwrap();
        let text = Greenlet::new(|_: &str| {
            let to_main = greenlet::main::<u64>().switch(1);
            let Err(SwitchError::Family(1, families)) = to_main else { unreachable!() };
            assert_eq!((families.given(), families.expected()), ("u64", "&str"));
            let current = panic_of(greenlet::current::<u64>);
            assert!(current.contains("of type `&str`, and not of type `u64`"), "{current}");
            "done"
        });
        text.switch("go").unwrap();
        let mut found = None;
        let families = Greenlet::new(move |_: Option<Families>| {
            let Err(SwitchError::Family((), families)) = Greenlet::new(|()| ()).switch(()) else {
                unreachable!()
            };
            found.replace(families);
            found
        });
        families.switch(None).unwrap().unwrap()
    })
}

fn elsewhere() -> Elsewhere {
    fibra::run(|| {
        let mine = Greenlet::new(|n: u8| greenlet::main().switch(n).unwrap());
        mine.switch(1).unwrap();
        let name = "long name ".repeat(100);
        let other = fibra::Builder::new().name(name).spawn({
            let mine = mine.clone();
            move || mine.switch(2)
        });
        let Err(SwitchError::Elsewhere(2, places)) = other.join().unwrap() else { unreachable!() };
        places
    })
}

#[rustfmt::skip]
fn of_channels() -> Vec<Shown> {
    shown! {
        SendError::Closed(1) => is_closed is_deadlock is_killed;
        SendError::Deadlock(1, deadlock()) => is_closed is_deadlock is_killed;
        SendError::Killed(1) => is_closed is_deadlock is_killed;
        TrySendError::Full(1) => is_full is_closed;
        TrySendError::Closed(1) => is_full is_closed;
        SendTimeoutError::Timeout(1) => is_timeout is_closed is_deadlock is_killed;
        SendTimeoutError::Closed(1) => is_timeout is_closed is_deadlock is_killed;
        SendTimeoutError::Deadlock(1, deadlock()) => is_timeout is_closed is_deadlock is_killed;
        SendTimeoutError::Killed(1) => is_timeout is_closed is_deadlock is_killed;
        RecvError::Closed => is_closed is_deadlock is_killed;
        RecvError::Deadlock(deadlock()) => is_closed is_deadlock is_killed;
        RecvError::Killed => is_closed is_deadlock is_killed;
        TryRecvError::Empty => is_empty is_closed;
        TryRecvError::Closed => is_empty is_closed;
        RecvTimeoutError::Timeout => is_timeout is_closed is_deadlock is_killed;
        RecvTimeoutError::Closed => is_timeout is_closed is_deadlock is_killed;
        RecvTimeoutError::Deadlock(deadlock()) => is_timeout is_closed is_deadlock is_killed;
        RecvTimeoutError::Killed => is_timeout is_closed is_deadlock is_killed;
    }
}

#[rustfmt::skip]
fn of_fibers() -> Vec<Shown> {
    shown! {
        *deadlock();
        killed();
        JoinError::Panicked(long_panic()) => is_panic is_killed is_deadlock;
        JoinError::Killed => is_panic is_killed is_deadlock;
        JoinError::KilledFor("reason ".repeat(100).into()) => is_panic is_killed is_deadlock;
        JoinError::Abandoned => is_panic is_killed is_deadlock;
        JoinError::NoStack(no_memory()) => is_panic is_killed is_deadlock;
        JoinError::Itself => is_panic is_killed is_deadlock;
        JoinError::Taken => is_panic is_killed is_deadlock;
        JoinError::CallerKilled => is_panic is_killed is_deadlock;
        JoinError::Deadlock(deadlock()) => is_panic is_killed is_deadlock;
    }
}

#[rustfmt::skip]
fn of_locks_and_pools() -> Vec<Shown> {
    shown! {
        TimeoutError::Timeout => is_timeout is_closed is_deadlock is_killed;
        TimeoutError::Closed => is_timeout is_closed is_deadlock is_killed;
        TimeoutError::Deadlock(deadlock()) => is_timeout is_closed is_deadlock is_killed;
        TimeoutError::Killed => is_timeout is_closed is_deadlock is_killed;
        PromiseError::Broken => is_broken is_timeout is_deadlock is_killed;
        PromiseError::Timeout => is_broken is_timeout is_deadlock is_killed;
        PromiseError::Deadlock(deadlock()) => is_broken is_timeout is_deadlock is_killed;
        PromiseError::Killed => is_broken is_timeout is_deadlock is_killed;
        TrySpawnError::Full(1) => is_full is_closed;
        TrySpawnError::Closed(1) => is_full is_closed;
        SpawnTimeoutError::Timeout(1) => is_timeout is_closed is_deadlock is_killed;
        SpawnTimeoutError::Closed(1) => is_timeout is_closed is_deadlock is_killed;
        SpawnTimeoutError::Deadlock(1, deadlock()) => is_timeout is_closed is_deadlock is_killed;
        SpawnTimeoutError::Killed(1) => is_timeout is_closed is_deadlock is_killed;
        JoinTimeoutError::Timeout => is_timeout is_deadlock is_killed;
        JoinTimeoutError::Deadlock(deadlock()) => is_timeout is_deadlock is_killed;
        JoinTimeoutError::Killed => is_timeout is_deadlock is_killed;
        DrainError::Deadlock(deadlock()) => is_deadlock is_killed;
        DrainError::Killed => is_deadlock is_killed;
        DrainTimeoutError::Timeout => is_timeout is_deadlock is_killed;
        DrainTimeoutError::Deadlock(deadlock()) => is_timeout is_deadlock is_killed;
        DrainTimeoutError::Killed => is_timeout is_deadlock is_killed;
        TryLockError::Error(no_memory());
        TryLockError::WouldBlock;
        OwnedError::Poisoned => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        OwnedError::Maker(Arc::new(no_memory())) => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        OwnedError::Closed => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        OwnedError::Nested => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        OwnedError::Timeout => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        OwnedError::NoThread(Arc::new(no_memory())) => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        OwnedError::Killed => is_poisoned is_maker is_closed is_nested is_timeout is_no_thread is_killed;
        retry_error();
        elapsed();
        global_pool_error();
        reunite_error();
        worker_lost();
        http_error() => is_builder is_connect is_timeout is_redirect is_status is_request is_body is_decode;
    }
}

#[rustfmt::skip]
fn of_facades() -> Vec<Shown> {
    shown! {
        ChannelError::BlockTrap => is_timeout is_closed is_deadlock is_killed;
        ChannelError::Closed => is_timeout is_closed is_deadlock is_killed;
        ChannelError::SwitchTrap => is_timeout is_closed is_deadlock is_killed;
        ChannelError::Recursive => is_timeout is_closed is_deadlock is_killed;
        ChannelError::Deadlock(deadlock()) => is_timeout is_closed is_deadlock is_killed;
        ChannelError::MainReceiving(deadlock()) => is_timeout is_closed is_deadlock is_killed;
        ChannelError::MainSending(deadlock()) => is_timeout is_closed is_deadlock is_killed;
        ChannelError::Timeout => is_timeout is_closed is_deadlock is_killed;
        ChannelError::Killed => is_timeout is_closed is_deadlock is_killed;
        unsent() => is_timeout is_closed is_deadlock is_killed;
        TaskletExit;
        TaskletError::Alive("name ".repeat(100));
        TaskletError::DeadThrow(long_panic(), "name ".repeat(100));
        generator_exit();
        ResumeError::Finished(1);
        ResumeError::Running(1);
        ResumeError::Elsewhere(1);
        ResumeError::NoFrame(1);
        ResumeError::NoStack(1, no_memory());
        CloseError::Ignored(1) => is_panic;
        CloseError::<u8>::Panicked(long_panic()) => is_panic;
        CloseError::<u8>::Refused => is_panic;
        GreenletExit::new("because ".repeat(100));
        GreenletExit::default();
        SwitchError::<u8>::Exit(GreenletExit::new("because ".repeat(100))) => is_panic;
        SwitchError::<u8>::Unraised(long_panic()) => is_panic;
        SwitchError::Elsewhere(1, elsewhere()) => is_panic;
        SwitchError::NoRun(1) => is_panic;
        SwitchError::Family(1, families()) => is_panic;
        SwitchError::NoFrame(1) => is_panic;
        SwitchError::NoStack(1, no_memory()) => is_panic;
        SwitchError::Gone(1) => is_panic;
        SwitchError::Tracing(1) => is_panic;
        RunError::Started;
        RunError::Main;
        ParentError::Cyclic;
        ParentError::Main;
        ParentError::Elsewhere;
        locals_error();
    }
}

/// The types of the errors in the table that are made by functions.
const MADE_BY: &[(&str, &str)] = &[
    ("*deadlock()", "Deadlock"),
    ("killed()", "Killed"),
    ("retry_error()", "RetryError"),
    ("elapsed()", "Elapsed"),
    ("global_pool_error()", "GlobalPoolError"),
    ("reunite_error()", "ReuniteError"),
    ("worker_lost()", "WorkerLost"),
    ("http_error()", "Error"),
    ("unsent()", "SendError"),
    ("generator_exit()", "GeneratorExit"),
    ("locals_error()", "LocalsError"),
];

fn killed() -> Killed {
    let killed = catch_unwind(|| {
        fibra::run(|| {
            fibra::current().kill();
            fibra::checkpoint();
        });
    });
    *killed.unwrap_err().downcast().unwrap()
}

fn retry_error() -> RetryError<io::Error> {
    fibra::run(|| pool::Retry::attempts(50).run(|_| Err::<(), _>(no_memory())).unwrap_err())
}

fn elapsed() -> time::Elapsed {
    fibra::run(|| time::timeout(ms(0), || fibra::sleep(ms(1))).unwrap_err())
}

fn global_pool_error() -> fibra::blocking::GlobalPoolError {
    fibra::run(|| fibra::blocking(|| ()));
    fibra::blocking::ThreadPoolBuilder::new().build_global().unwrap_err()
}

fn reunite_error() -> net::ReuniteError<net::UnixStream> {
    let half = || net::UnixStream::pair().unwrap().0.into_split();
    let ((reads, _writes), (_reads, writes)) = (half(), half());
    reads.reunite(writes).unwrap_err()
}

fn unsent() -> stackless::SendError<u8> {
    fibra::run(|| stackless::Channel::new().send(1).unwrap_err())
}

fn generator_exit() -> GeneratorExit {
    fibra::frame(|| {
        let mut waits = Generator::new(|yielder: &Yielder<u8>, ()| {
            let wait = AssertUnwindSafe(|| yielder.yield_(1));
            *catch_unwind(wait).unwrap_err().downcast::<GeneratorExit>().unwrap()
        });
        let _ = waits.resume(());
        waits.close().unwrap().unwrap()
    })
}

fn locals_error() -> LocalsError {
    fibra::run(|| {
        let (sender, receiver) = channel::oneshot();
        let runs = fibra::spawn_now(|| {
            let waits = Greenlet::new(|n: u8| {
                fibra::yield_now();
                n
            });
            sender.send(waits.clone()).unwrap();
            waits.switch(1).unwrap()
        });
        let waits = receiver.recv().unwrap();
        let refused = waits.set_locals(greenlet::GreenletLocals::default()).unwrap_err();
        drop(waits);
        runs.join().unwrap();
        refused
    })
}

fn worker_lost() -> process::WorkerLost {
    let error = fibra::run(|| {
        let pool = process::WorkerPool::new(process::Command::new("true"), 1).unwrap();
        pool.map(["never read"]).remove(0).unwrap_err()
    });
    error.get_ref().and_then(|inner| inner.downcast_ref()).cloned().unwrap()
}

fn http_error() -> fibra::http::Error {
    let url = format!("ftp://x/{}", "y".repeat(1000));
    fibra::http::Client::new().get(url).send().unwrap_err()
}

fn all() -> Vec<Shown> {
    [of_channels(), of_fibers(), of_locks_and_pools(), of_facades()].into_iter().flatten().collect()
}

/// Returns one line per error: its name, its `is_` methods that return true, and its `Debug`.
fn table(errors: &[Shown]) -> String {
    let mut table = String::new();
    for shown @ Shown { debug, is, .. } in errors {
        let name = name_of(shown);
        // It shows the time of day.
        let debug = if name == "Elapsed" { "Elapsed" } else { debug };
        writeln!(table, "{name:<28} [{}] {debug}", is.join(" ")).unwrap();
    }
    table
}

/// Returns the type, and the variant if there is one.
fn name_of(shown: &Shown) -> &'static str {
    let made_by = MADE_BY.iter().find(|(function, _)| *function == shown.name);
    made_by.map_or(shown.name, |(_, name)| name).split('(').next().expect("there is a first part")
}

#[test]
fn debug_is_one_short_line_and_errors_answer_what_they_are() {
    let errors = all();
    for Shown { name, debug, .. } in &errors {
        assert!(debug.chars().count() <= 200 && !debug.contains('\n'), "{name}: {debug}");
    }
    crate::assert_table(&table(&errors), include_str!("errors.txt"));
}

#[test]
fn display_has_the_whole_report() {
    for Shown { name, display, .. } in all() {
        assert!(!display.is_empty(), "{name}");
        if name.contains("deadlock()") {
            // Long lists are truncated, and fibers that are alike share a line.
            let shared = display.contains("\n    31 fibers ('long name long name");
            assert!(shared && display.contains(" more"), "{name}: {display}");
        }
    }
}

#[test]
fn every_error_is_in_the_table() {
    let errors = all();
    let type_of = |shown: &Shown| name_of(shown).split(':').next().map(String::from);
    let names: Vec<_> = errors.iter().filter_map(type_of).collect();
    let is_error = |row: &&traits::Row| row.traits.iter().any(|traits| traits.error);
    let missing: Vec<_> = traits::rows()
        .iter()
        .filter(is_error)
        .filter(|row| !names.iter().any(|name| row.path.rsplit("::").next() == Some(name)))
        .map(|row| row.path)
        .collect();
    assert!(missing.is_empty(), "no line for {missing:#?}");
}

/// The traits of errors: C `Clone`, = `PartialEq`, I conversion to an `io::Error`. Errors that hold
/// a value hold a `u8` here.
#[test]
fn errors_compare_and_clone_where_what_they_hold_does() {
    let mut table = String::new();
    for row in traits::rows().iter().filter(|row| row.traits[0].error) {
        writeln!(table, "{:<28} {}", row.path, row.traits[0].error_letters()).unwrap();
        assert!(row.traits[0].is_shared(), "{} is not Send and Sync", row.path);
    }
    crate::assert_table(&table, include_str!("error_traits.txt"));
}

/// The error type to which the question mark converts all of these errors.
type Any = Box<dyn Error + Send + Sync>;

#[test]
fn a_join_works_with_the_question_mark() {
    fn work(fails: bool) -> Result<u8, Any> {
        let worker = fibra::spawn(move || if fails { panic!("out of {}", "milk") } else { 7 });
        Ok(worker.join()?)
    }
    fn as_io(fails: bool) -> io::Result<u8> {
        let worker = fibra::spawn(move || if fails { panic!("out of {}", "milk") } else { 7 });
        Ok(worker.join()?)
    }
    fibra::run(|| {
        assert_eq!(work(false).unwrap(), 7);
        assert_eq!(work(true).unwrap_err().to_string(), "the fiber panicked: out of milk");
        assert_eq!(as_io(false).unwrap(), 7);
        assert_eq!(as_io(true).unwrap_err().to_string(), "the fiber panicked: out of milk");
    });
}

#[test]
fn an_error_turns_into_that_of_the_form_with_a_time_limit() {
    let report = deadlock();
    let deadlocked = |error| matches!(error, RecvTimeoutError::Deadlock(_));
    assert!(deadlocked(RecvError::Deadlock(report.clone()).into()));
    assert_eq!(RecvTimeoutError::from(RecvError::Closed), RecvTimeoutError::Closed);
    assert_eq!(RecvTimeoutError::from(RecvError::Killed), RecvTimeoutError::Killed);
    assert_eq!(SendTimeoutError::from(SendError::Closed(1)), SendTimeoutError::Closed(1));
    assert_eq!(SendTimeoutError::from(SendError::Killed(1)), SendTimeoutError::Killed(1));
    let unsent = SendTimeoutError::from(SendError::Deadlock(1, report.clone()));
    assert_eq!(unsent, SendTimeoutError::Deadlock(1, report));
    let undrained = DrainTimeoutError::from(DrainError::Killed);
    assert_eq!(undrained, DrainTimeoutError::Killed);
    assert_eq!(ChannelError::from(unsent_at_a_closed_channel()), ChannelError::Closed);
}

fn unsent_at_a_closed_channel() -> stackless::SendError<u8> {
    fibra::run(|| {
        let channel = stackless::Channel::new();
        channel.close();
        channel.send(1).unwrap_err()
    })
}

#[test]
fn an_io_error_has_the_kind_of_what_it_was_made_of() {
    assert_eq!(io::Error::from(elapsed()).kind(), io::ErrorKind::TimedOut);
    assert_eq!(io::Error::from(TimeoutError::Timeout).kind(), io::ErrorKind::TimedOut);
    assert_eq!(io::Error::from(TimeoutError::Killed).kind(), io::ErrorKind::Other);
    assert_eq!(io::Error::from(DrainTimeoutError::Timeout).kind(), io::ErrorKind::TimedOut);
    assert_eq!(io::Error::from(JoinError::NoStack(no_memory())).raw_os_error(), Some(12));
    let killed = io::Error::from(JoinError::Killed);
    assert_eq!(killed.get_ref().and_then(|inner| inner.downcast_ref()), Some(&JoinError::Killed));
}

#[test]
fn a_panic_gives_its_payload_by_value() {
    let payload = |f: fn()| match fibra::run(|| fibra::spawn(f).join()) {
        Err(JoinError::Panicked(panic)) => panic,
        other => panic!("{other:?}"),
    };
    let literal = payload(|| panic!("literal"));
    assert_eq!((literal.message(), literal.is::<&str>()), ("literal", true));
    assert_eq!(literal.downcast::<String>().unwrap_err().downcast(), Ok("literal"));
    let text = payload(|| panic!("text {}", std::hint::black_box(1)));
    assert_eq!((text.message(), text.is::<String>()), ("text 1", true));
    assert_eq!(text.downcast(), Ok(String::from("text 1")));
    let other = payload(|| std::panic::panic_any(7_u8));
    assert_eq!((other.message(), other.is::<u8>()), ("a value that is not a string", true));
    assert!(!other.is::<&str>());
    assert_ne!(other, other);
    assert_eq!(*other.into_payload().downcast::<u8>().unwrap(), 7);
    let again = catch_unwind(|| payload(|| panic!("again")).resume());
    assert_eq!(*again.unwrap_err().downcast::<&str>().unwrap(), "again");
}

#[test]
fn a_kill_that_is_caught_and_raised_elsewhere_is_reported_as_such() {
    fibra::run(|| {
        let catcher = fibra::spawn_now(|| catch_unwind(fibra::park).unwrap_err());
        catcher.kill();
        fibra::yield_now();
        let payload = match catcher.join() {
            Ok(payload) => payload,
            Err(error) => panic!("{error}"),
        };
        let raiser = fibra::spawn(move || std::panic::resume_unwind(payload));
        let error: JoinError = raiser.join().map(|never: ()| never).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the fiber panicked: the unwind of a kill or of a time limit, which was caught \
             elsewhere and raised again"
        );
    });
}

#[test]
fn a_panic_that_reaches_no_caller_is_reported_with_its_kind() {
    let test = name_of!(a_panic_that_reaches_no_caller_is_reported_with_its_kind);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            drop(fibra::spawn(move || quiet_panic("a fiber")));
            drop(fibra::spawn(|| PanicsOnDrop("an output")));
            fibra::yield_now();

            let mut generator = Generator::new(move |yielder: &Yielder<u8>, ()| {
                let _ = catch_unwind(AssertUnwindSafe(|| yielder.yield_(1)));
                quiet_panic("a generator")
            });
            let _ = generator.resume(());
            drop(generator);

            let previous = stackless::set_schedule_callback(Some(std::rc::Rc::new(move |_, _| {
                quiet_panic("a schedule callback")
            })));
            stackless::spawn(|| ());
            // Switches to the other tasklet and back.
            stackless::schedule();
            stackless::set_schedule_callback(previous);
            let previous = stackless::set_channel_callback(Some(std::rc::Rc::new(move |_| {
                quiet_panic("a channel callback")
            })));
            let _ = stackless::Channel::<u8>::new().receive();
            stackless::set_channel_callback(previous);

            let main = stackless::getmain();
            fibra::shield(|| main.throw_pending("too late").unwrap());
        });
    });
    let text = stderr(&output);
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.starts_with("fibra: fiber #2, spawned at tests/types/errors.rs:"), "{text}");
    assert!(first.ends_with(", panicked and was not joined: a fiber"), "{text}");
    assert_eq!(
        rest,
        format!(
            "\
             fibra: a destructor of fiber #3 panicked: an output\n\
             fibra: a generator panicked while it was dropped: a generator\n\
             fibra: the schedule callback panicked: a schedule callback\n\
             fibra: the schedule callback panicked: a schedule callback\n\
             fibra: the channel callback panicked: a channel callback\n\
             fibra: what was thrown at tasklet of fiber 'main' (#1) came too late: too late\n\
             {DONE_LINE}"
        )
    );
}
