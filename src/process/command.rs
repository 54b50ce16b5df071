//! What a process is to be started with.
//!
//! Invariants:
//! - A stream that the caller has not set has std's default for the call: inherited by `spawn` and
//!   `status`, captured (or for `stdin` empty) by `output`.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use crate::process::child::Child;

/// What to start, and with what. As [`std::process::Command`].
///
/// What is not here (`pre_exec`, `exec`) is reached by [`as_std_mut`](Command::as_std_mut).
///
/// # Examples
///
/// With a limit, and so that nothing is left behind when it is over:
///
/// ```
/// use std::time::Duration;
/// use fibra::{process::Command, time::timeout};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let quick = timeout(Duration::from_secs(60), || Command::new("echo").arg("done").output());
///     assert_eq!(quick.unwrap()?.stdout, b"done\n");
///
///     let slow = timeout(Duration::from_millis(5), || {
///         Command::new("sleep").arg("60").kill_on_drop(true).status()
///     });
///     assert!(slow.is_err());
///     Ok(())
/// })
/// # }
/// ```
pub struct Command {
    inner: process::Command,
    kill_on_drop: bool,
    /// Whether the caller has said what `stdin`, `stdout` and `stderr` are to be.
    set: [bool; 3],
}

impl Command {
    /// A command that starts `program`, which is looked for in `PATH` if it is only a name, with no
    /// arguments, and with this process's environment, directory and streams.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.arg(arg))
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.change(|inner| inner.args(args))
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.env(key, value))
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, variables: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.change(|inner| inner.envs(variables))
    }

    /// Takes a variable out of the environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.env_remove(key))
    }

    /// Inherits no variable of the environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.change(process::Command::env_clear)
    }

    /// Sets the directory that it is started in.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.change(|inner| inner.current_dir(directory))
    }

    /// Sets what it reads. What another child writes is made a [`Stdio`] first, which may fail:
    /// `Stdio::try_from(child.stdout.take().unwrap())?`.
    pub fn stdin(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.set[0] = true;
        self.change(|inner| inner.stdin(stream))
    }

    /// Sets where it writes.
    pub fn stdout(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.set[1] = true;
        self.change(|inner| inner.stdout(stream))
    }

    /// Sets where it writes its errors.
    pub fn stderr(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.set[2] = true;
        self.change(|inner| inner.stderr(stream))
    }

    /// Sets the user that it runs as. Such a process is forked: see [the module](crate::process).
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.change(|inner| inner.uid(id))
    }

    /// Sets the group that it runs as. Such a process is forked: see [the module](crate::process).
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.change(|inner| inner.gid(id))
    }

    /// Puts it into a process group, or into one of its own if that is 0. Ctrl-C in the terminal
    /// reaches the group in the foreground only.
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.change(|inner| inner.process_group(group))
    }

    /// Sets what it is told to be called, in place of the name of the program.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.arg0(name))
    }

    /// Kills the child if its handle is dropped before it has been waited for, which is also what
    /// happens when [`output`](Command::output) or [`status`](Command::status) is cut short. Off if
    /// not set.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = kill;
        self
    }

    /// Starts the process. This happens on the calling thread: see
    /// [the module](crate::process#what-waits-and-for-what) for how long it takes.
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or no descriptors are left for its pipes.
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::new(self.inner.spawn()?, self.kill_on_drop)
    }

    /// Starts the process, waits until it has ended, and returns what it has written.
    ///
    /// Streams that were not set on this command are captured, and `stdin` is empty.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait_with_output`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let output = fibra::process::Command::new("echo").arg("hello").output()?;
    ///     assert_eq!(output.stdout, b"hello\n");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        let streams = [Stdio::null(), Stdio::piped(), Stdio::piped()];
        self.set_unset(streams);
        let child = self.spawn();
        self.set_unset([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()]);
        child?.wait_with_output()
    }

    /// Starts the process, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait`].
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// The program.
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.inner.get_program()
    }

    /// The arguments, without the program.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.inner.get_args()
    }

    /// The variables of the environment that were set, or taken out.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.inner.get_envs()
    }

    /// The directory that was set.
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.inner.get_current_dir()
    }

    /// The command as std has it.
    #[must_use]
    pub fn as_std(&self) -> &process::Command {
        &self.inner
    }

    /// The command as std has it, to change it. Streams are to be set on this one:
    /// [`output`](Command::output) does not learn of those that are set there.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.inner
    }

    /// The command as std has it.
    #[must_use]
    pub fn into_std(self) -> process::Command {
        self.inner
    }

    fn change(
        &mut self,
        change: impl FnOnce(&mut process::Command) -> &mut process::Command,
    ) -> &mut Command {
        change(&mut self.inner);
        self
    }

    fn set_unset(&mut self, [stdin, stdout, stderr]: [Stdio; 3]) {
        let [stdin_set, stdout_set, stderr_set] = self.set;
        if !stdin_set {
            self.inner.stdin(stdin);
        }
        if !stdout_set {
            self.inner.stdout(stdout);
        }
        if !stderr_set {
            self.inner.stderr(stderr);
        }
    }
}

impl From<process::Command> for Command {
    /// Streams that were set on it are taken for defaults by [`output`](Command::output).
    fn from(inner: process::Command) -> Command {
        Command { inner, kill_on_drop: false, set: [false; 3] }
    }
}

impl fmt::Debug for Command {
    /// As a shell would be told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
