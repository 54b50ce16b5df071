//! Child processes.
//!
//! Invariants:
//! - However the handle ends, the child is reaped: by a wait, or as an orphan.
//! - A signal never reaches another process: none is sent to a child that was reaped.

use std::fmt;
use std::io::{self, Read};
use std::panic;
use std::process::{self, ExitStatus, Output};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::process::exit::{self, PidFd};
use crate::process::orphans;
use crate::process::pipes::{ChildStderr, ChildStdin, ChildStdout};
use crate::sched::api::handle::in_fiber;
use crate::sched::api::scope::scope;
use crate::sched::lowlevel::Limit;
use crate::signal::Signal;

/// A child process. Like [`std::process::Child`].
///
/// When it is dropped the child continues to run, unless
/// [`kill_on_drop`](crate::process::Command::kill_on_drop) is set, and is reaped when it ends: see
/// [the module](crate::process#a-child-whose-handle-is-dropped).
///
/// # Examples
///
/// ```
/// use std::io::{BufRead, BufReader};
/// use fibra::process::{Command, Stdio};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
///     let stdout = child.stdout.take().expect("it is piped");
///     for line in BufReader::new(stdout).lines() {
///         assert_eq!(line?, "hello");
///     }
///     assert!(child.wait()?.success());
///     Ok(())
/// })
/// # }
/// ```
pub struct Child {
    /// The writing end of the pipe to the child's standard input, if it was requested.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the pipe from the child's standard output, if it was requested.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the pipe from the child's standard error, if it was requested.
    pub stderr: Option<ChildStderr>,
    running: Running,
}

impl Child {
    pub(super) fn new(mut child: process::Child, kill_on_drop: bool) -> io::Result<Child> {
        let pidfd = exit::pidfd(&child);
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running { child: Some(child), pidfd, kill_on_drop };
        Ok(Child {
            stdin: stdin.map(ChildStdin::from_std).transpose()?,
            stdout: stdout.map(ChildStdout::from_std).transpose()?,
            stderr: stderr.map(ChildStderr::from_std).transpose()?,
            running,
        })
    }

    /// Returns the process identifier.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.child().id()
    }

    pub(super) fn set_kill_on_drop(&mut self, kill: bool) {
        self.running.kill_on_drop = kill;
    }

    /// Waits until the child has ended. Closes its `stdin` first, so that the child does not wait
    /// for more input.
    ///
    /// A wait that is interrupted can be repeated, and so can one that has returned: the status is
    /// kept.
    ///
    /// # Errors
    ///
    /// Returns the errors of `waitpid(2)`: there is no such child if other code has reaped it (a
    /// `waitpid` for any child, or because `SIGCHLD` is ignored).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let mut child = fibra::process::Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    ///     assert_eq!(child.wait()?.code(), Some(3));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.running.wait(Limit::None)
    }

    /// Like [`wait`](Child::wait), but waits no longer than `timeout`. The child is not killed
    /// then.
    ///
    /// # Errors
    ///
    /// The same as for `wait`, and [`TimedOut`](io::ErrorKind::TimedOut).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{io, time::Duration};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let mut child = fibra::process::Command::new("sleep").arg("60").spawn()?;
    ///     let late = child.wait_timeout(Duration::from_millis(1)).unwrap_err();
    ///     assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    ///     child.kill()?;
    ///     assert!(!child.wait()?.success());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.running.wait(Limit::After(timeout))
    }

    /// Like [`wait_timeout`](Child::wait_timeout), but waits no longer than until `deadline`, by
    /// the clock of the caller's scheduler; on a plain thread, by the system's clock.
    ///
    /// # Errors
    ///
    /// The same as for `wait_timeout`.
    #[track_caller]
    pub fn wait_deadline(&mut self, deadline: Instant) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.running.wait(Limit::At(deadline))
    }

    /// Returns the status of the child if it has ended. Never waits, and leaves `stdin` open.
    ///
    /// # Errors
    ///
    /// The same as for [`wait`](Child::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::process::{Command, Stdio};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let mut child = Command::new("cat").stdin(Stdio::piped()).spawn()?;
    ///     assert!(child.try_wait()?.is_none()); // it waits for its input
    ///     drop(child.stdin.take());
    ///     assert!(child.wait()?.success());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.running.child_mut().try_wait()
    }

    /// Reads everything that the child writes, to both of its outputs at the same time, and waits
    /// until it has ended. Closes its `stdin` first.
    ///
    /// In a fiber, a second fiber reads the standard error meanwhile; on a plain thread, a second
    /// thread does.
    ///
    /// # Errors
    ///
    /// Returns the errors of reading, and of [`wait`](Child::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::process::{Command, Stdio};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    ///     assert_eq!(child.wait_with_output()?.stdout, b"hello\n");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let (stdout, stderr) = read_both(self.stdout.take(), self.stderr.take())?;
        Ok(Output { status: self.wait()?, stdout, stderr })
    }

    /// Kills the child with `SIGKILL`. It is not an error if the child has ended already.
    ///
    /// This does not wait for the child: [`wait`](Child::wait) does that.
    ///
    /// # Errors
    ///
    /// Returns the errors of `kill(2)`: the child may have changed its user.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::process::Command;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let mut child = Command::new("sleep").arg("3600").spawn()?;
    ///     child.kill()?;
    ///     assert!(!child.wait()?.success());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn kill(&mut self) -> io::Result<()> {
        self.running.kill()
    }

    /// Sends `signal` to the child. If the child has ended already nothing is sent, which is not an
    /// error.
    ///
    /// # Errors
    ///
    /// Returns the errors of `kill(2)`; and [`InvalidInput`](io::ErrorKind::InvalidInput) for a
    /// signal without a name (the real-time ones).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use fibra::signal::Signal;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let mut child = fibra::process::Command::new("sleep").arg("60").spawn()?;
    ///     child.signal(Signal::SIGTERM)?;
    ///     assert_eq!(child.wait()?.signal(), Some(Signal::SIGTERM.as_raw()));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.running.signal(signal)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("kill_on_drop", &self.running.kill_on_drop)
            .finish_non_exhaustive()
    }
}

/// The process itself, without its pipes.
struct Running {
    /// The child of std; `None` only once it is dropped.
    child: Option<process::Child>,
    pidfd: PidFd,
    kill_on_drop: bool,
}

impl Running {
    fn child(&self) -> &process::Child {
        self.child.as_ref().expect("it is taken out by the drop only")
    }

    fn child_mut(&mut self) -> &mut process::Child {
        self.child.as_mut().expect("it is taken out by the drop only")
    }

    #[track_caller]
    fn wait(&mut self, limit: Limit) -> io::Result<ExitStatus> {
        let child = self.child.as_mut().expect("it is taken out by the drop only");
        exit::wait(child, &self.pidfd, limit.left())
    }

    fn kill(&mut self) -> io::Result<()> {
        self.child_mut().kill()
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        let Some(number) = rustix::process::Signal::from_named_raw(signal.as_raw()) else {
            let text = format!("{signal} cannot be sent to a child");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        // This reaps the child if it has ended; otherwise its number still refers to it.
        if self.child_mut().try_wait()?.is_some() {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            return Ok(rustix::process::pidfd_send_signal(pidfd, number)?);
        }
        Ok(rustix::process::kill_process(Pid::from_child(self.child()), number)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pidfd = self.pidfd.take().map(crate::io::Waitable::into_inner);
        if self.kill_on_drop {
            // The child may have ended already.
            let _ = child.kill();
        }
        orphans::adopt(child, pidfd);
    }
}

#[track_caller]
fn read_both(
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (stdout, stderr) = match (stdout, stderr) {
        (Some(stdout), Some(stderr)) => (stdout, stderr),
        (stdout, stderr) => return Ok((read_all(stdout)?, read_all(stderr)?)),
    };
    if in_fiber() {
        return scope(|scope| {
            let errors = scope.spawn(|| read_all(Some(stderr)));
            let out = read_all(Some(stdout));
            // If this side has failed, or is killed where nothing can unwind, the data of the other
            // side is not needed; and the scope would wait for its reader.
            let out = out.inspect_err(|_| scope.kill())?;
            let errors = errors.join().map_err(|error| {
                scope.kill();
                io::Error::other(error.to_string())
            });
            Ok((out, errors??))
        });
    }
    std::thread::scope(|scope| {
        let errors = scope.spawn(|| read_all(Some(stderr)));
        let out = read_all(Some(stdout))?;
        let errors = errors.join();
        Ok((out, errors.unwrap_or_else(|payload| panic::resume_unwind(payload))?))
    })
}

#[track_caller]
fn read_all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
