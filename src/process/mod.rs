//! Child processes with std's names and signatures, which park the fiber instead of blocking the
//! thread.
//!
//! | std::process | fibra | differences |
//! |---|---|---|
//! | `Command` | [`Command`] | [`kill_on_drop`](Command::kill_on_drop) |
//! | `Child` | [`Child`] | also [`wait_timeout`](Child::wait_timeout); no zombies |
//! | `ChildStdin` | [`ChildStdin`] | `TryFrom` converts it into a `Stdio` |
//! | `ChildStdout` | [`ChildStdout`] | the same |
//! | `ChildStderr` | [`ChildStderr`] | the same |
//! | `Stdio`, `Output`, `ExitStatus`, `ExitCode` | re-exported | |
//! | `id`, `abort`, `exit` | none | see [`fibra::main`](crate::main()) |
//!
//! [`WorkerPool`] is a set of worker processes that answer messages.
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
//! In a program with many fibers, avoid these settings and use `sudo -u`, `setpriv` or a
//! [`WorkerPool`] that was created early.
//!
//! The end of a child is detected through a *pidfd*, a descriptor that becomes readable then. No
//! handler for `SIGCHLD` is installed, and no other children are reaped. Where there are no pidfds
//! (systems other than Linux, kernels before 5.3, no descriptor left) the waiting fiber polls,
//! after 0.5 ms at first, then after pauses that double up to 50 ms.
//!
//! # A child whose handle is dropped
//!
//! The child continues to run, as in std, or is killed if [`kill_on_drop`](Command::kill_on_drop)
//! is set. In either case it is reaped when it ends, so that no zombie stays: immediately if it has
//! ended already, otherwise by a thread that exists for as long as there are such children, and
//! that sleeps until one ends. The same happens when a fiber is killed, or its time is over, while
//! it waits in [`output`](Command::output) or [`status`](Command::status).
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
