//! A whole program as fibers: `fibra::main`, in which Ctrl-C ends it in an orderly way.
//!
//! ```text
//!   1st SIGINT:  handler --> request, wake --> run loop: kill(main) --> unwinds --> status 130
//!   2nd SIGINT:  handler --> _exit(130)
//! ```
//!
//! Invariants:
//! - The handler of the second signal needs nobody: not the run loop, and no thread that listens.
//! - What the scheduler sleeps in is open before the handler can be called.

use std::process::{ExitCode, Termination};
use std::sync::Arc;

use crate::fiber::exit::JoinError;
use crate::reactor::driver::Driver;
use crate::runtime::Runtime;
use crate::sched::api::run::{self, refuse_nesting};
use crate::sched::core::scheduler::Scheduler;
use crate::signal::{self, Action, Presses, Signal};

/// By the custom of shells: 128, and the number of the signal.
const INTERRUPTED: u8 = 130;

/// Runs `f` as [`run`](crate::run) does, as the whole of a program that Ctrl-C ends in an orderly
/// way.
///
/// The first Ctrl-C (`SIGINT`) kills the main fiber: it unwinds from its next wait, then all other
/// fibers do, every destructor runs, and the status of the program is 130. It is a kill like any
/// other (see [`cancellation`](crate::cancellation)): a shield puts it off, a wait that has
/// completed returns first. Clean-up finds the reason in
/// [`Fiber::kill_reason`](crate::Fiber::kill_reason). A main that computes without waiting meets it
/// at [`checkpoint`](crate::checkpoint).
///
/// The second Ctrl-C ends the process at once, also if the thread never comes back to fibra: status
/// 130, no destructor, and what `stdout` has buffered is not written.
///
/// | main | status |
/// |---|---|
/// | returns | that of its value, as for a `fn main`: `()`, an [`ExitCode`], a `Result` ... |
/// | panics | unwinds out of this call: 101 from a `fn main` |
/// | was killed by Ctrl-C | 130, without a word |
/// | was killed otherwise | unwinds with [`Cancelled`](crate::Cancelled): 101 |
///
/// If `SIGINT` is ignored when the program starts, it stays ignored: a shell without job control
/// does that for what it starts in the background. After `main` has returned Ctrl-C does again what
/// it did before.
///
/// Under `panic = "abort"` nothing can be unwound: at the first Ctrl-C waits that return a `Result`
/// fail in the main fiber, and the status is what it returns then. The second works as said.
///
/// The sizes of stacks are those of [`run`](crate::run). [`Runtime::main`] is the same with other
/// settings.
///
/// # Panics
///
/// As [`run`](crate::run); and if the handler cannot be set up, for lack of descriptors.
///
/// # Examples
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::time::Duration;
///
/// fn main() -> ExitCode {
///     fibra::main(|| {
///         struct Server;
///         impl Drop for Server {
///             fn drop(&mut self) {
///                 println!("closed");
///             }
///         }
///         let _server = Server;
///         fibra::sleep(Duration::from_secs(3600)); // Ctrl-C: prints "closed", status 130
///     })
/// }
/// ```
#[track_caller]
pub fn main<F, T>(f: F) -> ExitCode
where
    F: FnOnce() -> T,
    T: Termination,
{
    refuse_nesting();
    match Runtime::builder().build() {
        Ok(runtime) => runtime.main(f),
        Err(error) => panic!("fibra could not start: {error}"),
    }
}

impl Runtime {
    /// Runs `f` on this thread as the whole of a program, as [`main`].
    ///
    /// # Panics
    ///
    /// As [`main`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// fn main() -> ExitCode {
    ///     match fibra::Runtime::builder().main_stack_size(64 << 20).build() {
    ///         Ok(runtime) => runtime.main(|| println!("a stack of 64 MiB")),
    ///         Err(error) => {
    ///             eprintln!("{error}");
    ///             ExitCode::FAILURE
    ///         }
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn main<F, T>(self, f: F) -> ExitCode
    where
        F: FnOnce() -> T,
        T: Termination,
    {
        refuse_nesting();
        run_as_program(self.scheduler, f)
    }
}

#[track_caller]
fn run_as_program<F, T>(sched: Box<Scheduler>, f: F) -> ExitCode
where
    F: FnOnce() -> T,
    T: Termination,
{
    if signal::is_ignored(Signal::SIGINT) {
        return run::run_on(sched, f).report();
    }
    if let Err(error) = Driver::open_for_signals(&sched) {
        panic!("fibra could not start: {error}");
    }
    let presses = Arc::new(Presses::new(sched.accept_kill_request(), i32::from(INTERRUPTED)));
    let subscription = signal::subscribe(Signal::SIGINT, Action::EndMain(presses.clone()));
    let _subscription = match subscription {
        Ok(subscription) => subscription,
        Err(error) => {
            panic!("fibra could not handle {}: {error}", Signal::SIGINT)
        }
    };
    match run::run_to_its_end(sched, f) {
        Ok(value) => value.report(),
        Err(JoinError::Killed | JoinError::KilledFor(_)) if presses.any() => {
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => run::fail(error),
    }
}
