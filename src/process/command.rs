//! The description of a process to start.
//!
//! Invariant: a stream that the caller has not set has std's default for the call: inherited by
//! `spawn` and `status`, captured (or for `stdin` empty) by `output`.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use crate::process::child::Child;

/// A description of a process to start. Like [`std::process::Command`].
///
/// Methods that are missing here (`pre_exec`, `exec`) are available through
/// [`as_std_mut`](Command::as_std_mut).
///
/// # Examples
///
/// With a time limit, after which no process is left behind:
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
    /// Whether the caller has set `stdin`, `stdout` and `stderr`.
    set: [bool; 3],
}

impl Command {
    /// Creates a command that starts `program`, which is searched for in `PATH` if it is only a
    /// name, with no arguments, and with this process's environment, directory and streams.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::process::Command;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let output = Command::new("echo").args(["hello", "world"]).output()?;
    ///     assert_eq!(output.stdout, b"hello world\n");
    ///     Ok(())
    /// })
    /// # }
    /// ```
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

    /// Sets an environment variable.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.env(key, value))
    }

    /// Sets environment variables.
    pub fn envs<I, K, V>(&mut self, variables: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.change(|inner| inner.envs(variables))
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.env_remove(key))
    }

    /// Removes all environment variables, so that none is inherited.
    pub fn env_clear(&mut self) -> &mut Command {
        self.change(process::Command::env_clear)
    }

    /// Sets the working directory of the process.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.change(|inner| inner.current_dir(directory))
    }

    /// Sets the standard input. To read what another child writes, convert its pipe into a
    /// [`Stdio`] first, which may fail: `Stdio::try_from(child.stdout.take().unwrap())?`.
    pub fn stdin(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.set[0] = true;
        self.change(|inner| inner.stdin(stream))
    }

    /// Sets the standard output.
    pub fn stdout(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.set[1] = true;
        self.change(|inner| inner.stdout(stream))
    }

    /// Sets the standard error.
    pub fn stderr(&mut self, stream: impl Into<Stdio>) -> &mut Command {
        self.set[2] = true;
        self.change(|inner| inner.stderr(stream))
    }

    /// Sets the user of the process. Such a process is forked: see [the module](crate::process).
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.change(|inner| inner.uid(id))
    }

    /// Sets the group of the process. Such a process is forked: see [the module](crate::process).
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.change(|inner| inner.gid(id))
    }

    /// Puts the process into a process group, or into a new one if `group` is 0. Ctrl-C in the
    /// terminal reaches only the group in the foreground.
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.change(|inner| inner.process_group(group))
    }

    /// Sets the name that the process gets as its argument 0, instead of the name of the program.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.change(|inner| inner.arg0(name))
    }

    /// Chooses whether the child is killed if its handle is dropped before it has been waited for,
    /// which is also what happens when [`output`](Command::output) or [`status`](Command::status)
    /// is interrupted. Off by default.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = kill;
        self
    }

    /// Starts the process. This happens on the calling thread: [the
    /// module](crate::process#what-waits-and-for-what) describes how long it takes.
    ///
    /// # Errors
    ///
    /// Returns an error if the program cannot be started, or no descriptors are left for its pipes.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::process::Command;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let mut child = Command::new("true").spawn()?;
    ///     assert!(child.wait()?.success());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::new(self.inner.spawn()?, self.kill_on_drop)
    }

    /// Starts the process, waits until it has ended, and returns its output.
    ///
    /// Streams that were not set on this command are captured, and `stdin` is empty.
    ///
    /// # Errors
    ///
    /// The same as for [`spawn`](Command::spawn) and [`Child::wait_with_output`].
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
    /// The same as for [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::process::Command;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     assert!(Command::new("sh").args(["-c", "exit 0"]).status()?.success());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Returns the program.
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.inner.get_program()
    }

    /// Returns the arguments, without the program.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.inner.get_args()
    }

    /// Returns the environment variables that were set or removed.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.inner.get_envs()
    }

    /// Returns the working directory that was set.
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.inner.get_current_dir()
    }

    /// Returns the underlying command of std.
    #[must_use]
    pub fn as_std(&self) -> &process::Command {
        &self.inner
    }

    /// Returns the underlying command of std, for changes. Set streams on `self` instead:
    /// [`output`](Command::output) does not detect those that are set on the inner command.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.inner
    }

    /// Converts this command into one of std.
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
    /// Streams that were set on it are replaced by the defaults of [`output`](Command::output).
    fn from(inner: process::Command) -> Command {
        Command { inner, kill_on_drop: false, set: [false; 3] }
    }
}

impl fmt::Debug for Command {
    /// Formats the command as a shell command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
