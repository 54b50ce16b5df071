//! `fibra::main`, which runs a whole program as fibers, and which Ctrl-C ends with an unwind.
//!
//! ```text
//!   1st SIGINT:  handler --> request, wake --> run loop: kill(main) --> unwinds --> status 130
//!   2nd SIGINT:  handler --> _exit(130)
//! ```
//!
//! Invariants:
//! - The handler of the second signal depends on nothing else: neither on the run loop nor on a
//!   thread that listens.
//! - The poller in which the scheduler sleeps is open before the handler can be called.

use std::process::{ExitCode, Termination};
use std::sync::Arc;

use crate::fiber::exit::JoinError;
use crate::fiber::panic_hook::install_panic_hook;
use crate::reactor::driver::Driver;
use crate::runtime::Runtime;
use crate::sched::api::run::{self, refuse_nesting};
use crate::signal::attendant::{Program, dump_on_sigquit};
use crate::signal::{self, Action, Presses, Signal};

/// The exit status of an interrupted program. By the convention of shells: 128 plus the signal
/// number.
const INTERRUPTED: u8 = 130;

/// Runs `f` like [`run`](crate::run), as a whole program that Ctrl-C ends with an unwind.
///
/// The first Ctrl-C (`SIGINT`) kills the main fiber. It unwinds from its next wait, then all other
/// fibers unwind, every destructor runs, and the exit status of the program is 130. This is a kill
/// like any other (see [`cancellation`](crate::cancellation)): a shield delays it, and a wait that
/// has completed returns first. Clean-up code finds the reason in
/// [`Fiber::kill_reason`](crate::Fiber::kill_reason). If the main fiber computes without waiting,
/// the kill takes effect at its next [`checkpoint`](crate::checkpoint).
///
/// The second Ctrl-C ends the process immediately, even if the thread never returns to fibra. The
/// exit status is 130, no destructor runs, and data that `stdout` has buffered is lost.
///
/// | the main fiber | exit status |
/// |---|---|
/// | returns | that of its value, as for a `fn main`: `()`, an [`ExitCode`], a `Result` ... |
/// | panics | unwinds out of this call: 101 from a `fn main` |
/// | was killed by Ctrl-C | 130, without a message |
/// | was killed otherwise | unwinds with [`Killed`](crate::Killed): 101 |
///
/// If `SIGINT` is ignored when the program starts, it stays ignored: shells without job control
/// start background programs that way. After `main` has returned, Ctrl-C has the effect that it had
/// before.
///
/// If the program has not ended two seconds after the first Ctrl-C, it writes to standard error for
/// which fibers it waits. In a build with debug assertions, `SIGQUIT` writes a dump of all fibers:
/// see [`dump_on_sigquit`].
///
/// Under `panic = "abort"` nothing can be unwound. After the first Ctrl-C, waits of the main fiber
/// that return a `Result` fail, and the exit status is that of the value which the main fiber then
/// returns. The second Ctrl-C works as described.
///
/// A panic on another fiber than the main one names that fiber on standard error: see
/// [`install_panic_hook`](crate::install_panic_hook).
///
/// The sizes of stacks are those of [`run`](crate::run). [`Runtime::main`] is the same with other
/// settings.
///
/// # Panics
///
/// Like [`run`](crate::run), and if the handler cannot be set up because no descriptors are left.
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
    /// Runs `f` on this thread as a whole program, like [`main`].
    ///
    /// In a runtime of several threads the first Ctrl-C kills the main fiber, too. When it has
    /// unwound, the runtime ends as if the main closure had returned: it waits for jobs as long as
    /// [`shutdown_timeout`](crate::RuntimeBuilder::shutdown_timeout) allows, and unwinds the jobs
    /// and fibers of all threads. The second Ctrl-C ends the process immediately, whatever any of
    /// the threads does.
    ///
    /// # Panics
    ///
    /// Like [`main`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// fn main() -> ExitCode {
    ///     match fibra::Runtime::builder().all_cores().build() {
    ///         Ok(runtime) => runtime.main(|| {
    ///             fibra::par::for_each(&[1, 2, 3], |n| println!("{n}"));
    ///         }),
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
        run_as_program(self, f)
    }
}

#[track_caller]
fn run_as_program<F, T>(runtime: Runtime, f: F) -> ExitCode
where
    F: FnOnce() -> T,
    T: Termination,
{
    install_panic_hook();
    if signal::is_ignored(Signal::SIGINT) {
        return runtime.run(f).report();
    }
    if let Err(error) = Driver::open_for_signals(&runtime.scheduler) {
        panic!("fibra could not start: {error}");
    }
    if cfg!(debug_assertions) {
        // An error only means that there will be no dumps.
        let _ = dump_on_sigquit();
    }
    let program = Program::begin();
    let request = runtime.scheduler.accept_kill_request();
    let presses = Arc::new(Presses::new(request, program.clone(), i32::from(INTERRUPTED)));
    let subscription = signal::subscribe(Signal::SIGINT, Action::EndMain(presses.clone()));
    let _subscription = match subscription {
        Ok(subscription) => subscription,
        Err(error) => {
            panic!("fibra could not handle {}: {error}", Signal::SIGINT)
        }
    };
    let ended = runtime.run_to_its_end(f);
    program.ended();
    match ended {
        Ok(value) => value.report(),
        Err(JoinError::Killed | JoinError::KilledFor(_)) if presses.any() => {
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => run::fail(error),
    }
}
