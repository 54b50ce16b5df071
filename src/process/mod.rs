//! Child processes with std's names and signatures, which park the fiber instead of blocking the
//! thread.
//!
//! | std::process | here | what differs |
//! |---|---|---|
//! | `Command` | [`Command`] | [`kill_on_drop`](Command::kill_on_drop) |
//! | `Child` | [`Child`] | [`wait_timeout`](Child::wait_timeout), [`signal`](Child::signal); no zombie stays |
//! | `ChildStdin`, `ChildStdout`, `ChildStderr` | [`ChildStdin`], [`ChildStdout`], [`ChildStderr`] | |
//! | `Stdio`, `Output`, `ExitStatus`, `ExitCode` | re-exported | `Stdio::from(pipe)` is [`Stdio::try_from`](ChildStdout#impl-TryFrom%3CChildStdout%3E-for-Stdio) |
//! | `id`, `abort`, `exit` | std's | see [`fibra::main`](crate::main()) for an end with destructors |
//!
//! [`WorkerPool`] is a number of worker processes that are given messages and answer them.
//!
//! On a plain thread, outside of [`fibra::run`](crate::run), the same calls block the thread.
//!
//! # What waits, and for what
//!
//! Reading, writing and waiting for the end park the fiber. Starting a process does not: it happens
//! on the calling thread, and takes as long as the kernel needs to load the program. std uses
//! `posix_spawn` for that, which copies no memory; with a `uid`, a `gid` or a `pre_exec` it forks,
//! and that copies the page tables of all stacks. Measured (Linux 6.18, 2 cores at 2.8 GHz,
//! medians):
//!
//! | | alone | beside 100,000 parked fibers |
//! |---|--:|--:|
//! | start `/bin/true` | 0.1 ms | 0.1 ms |
//! | the same with a `uid` | 0.3 ms | 200 ms |
//!
//! From a program with many fibers others are best started without these: by `sudo -u`, `setpriv`
//! or a [`WorkerPool`] that was made early.
//!
//! The end of a child is seen through a *pidfd*, a descriptor that gets readable then. No handler
//! for `SIGCHLD` is set up, and nobody else's children are reaped. Where there are none (other
//! systems than Linux, kernels before 5.3, no descriptor left) the waiting fiber looks again and
//! again, after 0.5 ms at first, then after pauses that double up to 50 ms.
//!
//! # A child whose handle is dropped
//!
//! lives on, as in std, or is killed if [`kill_on_drop`](Command::kill_on_drop) says so. In either
//! case it is reaped when it ends, so that no zombie stays: on the spot if it has ended already,
//! else by a thread that there is for as long as there are such children, and that sleeps until one
//! ends. That is also what happens when a fiber is killed, or its time is over, while it waits in
//! [`output`](Command::output) or [`status`](Command::status).
//!
//! ```
//! use fibra::process::{Command, Stdio};
//! use std::io::{Read, Write};
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::run(|| {
//!     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//!     let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
//!     fibra::spawn(move || stdin.write_all(b"through another process"));
//!     let mut text = String::new();
//!     stdout.read_to_string(&mut text)?;
//!     assert_eq!(text, "through another process");
//!     assert!(child.wait()?.success());
//!     Ok(())
//! })
//! # }
//! ```

mod child;
mod command;
mod exit;
mod frames;
mod orphans;
mod pipes;
mod pool;
mod worker;

pub use std::process::{ExitCode, ExitStatus, Output, Stdio};

pub use child::Child;
pub use command::Command;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
pub use pool::{WorkerLost, WorkerPool};
pub use worker::worker;
