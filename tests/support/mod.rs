//! Support for the behaviour tests: a trace, virtual time, noisy destructors, child processes.
//!
//! Invariant: a trace belongs to the thread that writes it, so tests do not disturb each other.

#![allow(dead_code, reason = "each suite uses a part of it")]

pub(crate) mod abort;
pub(crate) mod channel;
#[cfg(feature = "greenlet")]
pub(crate) mod greenlet;
#[cfg(feature = "tokio")]
pub(crate) mod guest;
pub(crate) mod limits;
#[cfg(feature = "net")]
pub(crate) mod net;
pub(crate) mod rules;
pub(crate) mod stackless;
pub(crate) mod sync;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

thread_local! {
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Appends `entry` to this thread's trace.
pub(crate) fn log(entry: impl Display) {
    let entry = entry.to_string();
    // A destructor of a thread-local may call this after the trace was destroyed.
    let _ = TRACE.try_with(|trace| trace.borrow_mut().push(entry));
}

/// Compares this thread's trace, one space between entries, with `expected`, and empties it.
#[track_caller]
pub(crate) fn check(expected: &str) {
    assert_eq!(trace().join(" "), expected);
}

/// Returns this thread's trace, and empties it.
pub(crate) fn trace() -> Vec<String> {
    TRACE.with(RefCell::take)
}

/// Empties this thread's trace.
pub(crate) fn forget_trace() {
    TRACE.with(RefCell::take);
}

/// Logs its text when it is dropped.
pub(crate) struct Noisy<S: Display>(pub(crate) S);

impl<S: Display> Drop for Noisy<S> {
    fn drop(&mut self) {
        log(&self.0);
    }
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Like `fibra::run`, but on a virtual clock.
pub(crate) fn run_virtually<T>(f: impl FnOnce() -> T) -> T {
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(f)
}

/// Returns a duration of `n` milliseconds.
pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Longer than any test waits, unless the clock is virtual.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Panics with `text`, without the report of the panic hook.
pub(crate) fn quiet_panic(text: &'static str) -> ! {
    panic::resume_unwind(Box::new(text))
}

/// Returns whether `f` panics.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> bool {
    panic::catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// A payload, or another value, whose destructor panics with the given text.
pub(crate) struct PanicsOnDrop(pub(crate) &'static str);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        quiet_panic(self.0);
    }
}

/// Returns the text that `f` panics with.
#[track_caller]
pub(crate) fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => text_of(payload.as_ref()),
    }
}

/// Returns the text of a panic's payload.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is not a string".into())
}

/// Returns the text that the fiber of `handle` panicked with.
#[track_caller]
pub(crate) fn join_panic<T>(handle: fibra::JoinHandle<T>) -> String {
    match handle.join() {
        Err(fibra::JoinError::Panicked(panic)) => panic.message().into(),
        Err(other) => panic!("the fiber did not panic: {other}"),
        Ok(_) => panic!("the fiber did not panic: it returned"),
    }
}

/// The environment variable that names the test that a child must run.
pub(crate) const CHILD: &str = "FIBRA_TEST_CHILD";

/// The end of the standard error of a child whose body has returned.
pub(crate) const DONE_LINE: &str = "the child's body has ended\n";

/// Runs `body` in a process of its own and returns its output. `test` names the calling test: the
/// child is this program, with arguments to run that test alone.
pub(crate) fn in_child(test: &str, environment: &[(&str, &str)], body: impl FnOnce()) -> Output {
    if std::env::var(CHILD).is_ok_and(|wanted| wanted == test) {
        body();
        eprint!("{DONE_LINE}");
        leave_process(0);
    }
    let mut child = this_program();
    child.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    child
        .env_remove("RUST_BACKTRACE")
        .env("FIBRA_HOG_LIMIT", "off")
        .env(CHILD, test)
        .envs(environment.iter().copied());
    output_in_time(&mut child)
}

/// The longest that a child may run: a child that hangs fails its test, and not the whole run.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs a child and returns its output. If it does not end by itself, it is killed.
pub(crate) fn output_in_time(child: &mut Command) -> Output {
    let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    let pid = child.id();
    let (ended, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                let kill = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
                eprintln!("process {pid} did not end within {LONGEST:?}: killed: {kill:?}");
            }
        });
        let output = child.wait_with_output();
        drop(ended);
        output.unwrap()
    })
}

/// Returns a command that runs this program: by the emulator that `.ci/aarch64` names, if there
/// is one.
pub(crate) fn this_program() -> Command {
    let emulator = std::env::var("FIBRA_TEST_EMULATOR").unwrap_or_default();
    let program = std::env::current_exe().unwrap();
    let mut words = emulator.split_whitespace();
    let Some(first) = words.next() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}

#[allow(clippy::disallowed_methods, reason = "a child that has done its work, outside of `run`")]
fn leave_process(code: i32) -> ! {
    std::process::exit(code)
}

/// Returns the text that a process wrote to its standard error.
///
/// An emulator adds a line if a signal ends the process: that line is left out.
pub(crate) fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let is_own = |line: &&str| !line.starts_with("qemu: uncaught target signal");
    text.split_inclusive('\n').filter(is_own).collect()
}

/// Returns the text of a dump or of a report without what its lines say about spawns, and about the
/// channels and fibers that are waited for.
pub(crate) fn without_origins(dump: &str) -> String {
    let brief = |line: &str| {
        let line = line.split(", spawned ").next().unwrap_or_default();
        let Some(to) = line.rfind(") at ").filter(|_| !line.contains(" held by ")) else {
            return String::from(line);
        };
        let from = line[..to].rfind(" (").unwrap_or(to);
        format!("{}{}", &line[..from], &line[to + 1..])
    };
    dump.split('\n').map(brief).collect::<Vec<_>>().join("\n")
}

/// Returns the name of a test, for `in_child`. A name that is not a test's does not compile.
#[allow(unused_macros, reason = "only tests with child processes use it")]
macro_rules! name_of {
    ($test:ident) => {{
        let _: fn() = $test;
        $crate::support::test_name(concat!(module_path!(), "::", stringify!($test)))
    }};
}
#[allow(unused_imports, reason = "only tests with child processes use it")]
pub(crate) use name_of;

/// Returns the name of the test at `path`: the part after the name of its program.
pub(crate) fn test_name(path: &'static str) -> &'static str {
    path.split_once("::").map_or(path, |(_, name)| name)
}

/// Runs `f` on a thread of its own, and returns its result, or continues its panic.
///
/// The thread is not joined: a thread on which a stack was abandoned never ends.
#[allow(clippy::disallowed_methods, reason = "it is not joined")]
pub(crate) fn apart<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (to, from) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let result = panic::catch_unwind(AssertUnwindSafe(f));
        to.send((result, TRACE.with(RefCell::take)))
    });
    let (result, trace) = from.recv().expect("the thread sends its result");
    TRACE.with(|own| own.borrow_mut().extend(trace));
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// Spawns a fiber that is not joined.
pub(crate) fn go<T: 'static>(f: impl FnOnce() -> T + 'static) {
    drop(fibra::spawn(f));
}

/// Returns the numbers below `n`. On a busy machine it ends after ten seconds, with the first ones.
#[allow(clippy::disallowed_methods, reason = "callers may be outside of fibers")]
pub(crate) fn rounds(n: usize) -> impl Iterator<Item = usize> {
    let by = std::time::Instant::now() + Duration::from_secs(10);
    (0..n).take_while(move |_| std::time::Instant::now() < by)
}

/// Calls `measure` until `is_right` holds for its result, and returns that.
///
/// On a busy machine a thread may not run for a while, and so a time or a share may be wrong once.
/// If the tested code is wrong, it is wrong each time: then this panics, with all results.
#[track_caller]
pub(crate) fn measure_until<M: std::fmt::Debug>(
    is_right: impl Fn(&M) -> bool,
    mut measure: impl FnMut() -> M,
) -> M {
    let mut wrong = Vec::new();
    for _ in 0..6 {
        let measured = measure();
        if is_right(&measured) {
            return measured;
        }
        wrong.push(measured);
    }
    panic!("none of these measurements is right: {wrong:?}");
}

/// Logs events with the milliseconds since it was made.
#[derive(Clone, Copy)]
pub(crate) struct Watch(std::time::Instant);

impl Watch {
    pub(crate) fn start() -> Watch {
        Watch(fibra::now())
    }

    pub(crate) fn log(self, entry: impl Display) {
        log(format!("{entry}@{}", (fibra::now() - self.0).as_millis()));
    }
}
