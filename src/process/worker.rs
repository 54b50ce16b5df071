//! The worker's side of a pool.
//!
//! Invariant: output that the program prints does not get among the answers: those have a
//! descriptor of their own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use crate::process::frames;

/// Answers the requests of the [`WorkerPool`](crate::process::WorkerPool) that has started this
/// process, until the pool closes the connection.
///
/// Call it early in `main`, outside of [`fibra::run`](crate::run), which `answer` may call. While
/// this waits for a request it blocks the thread: the process has nothing else to do.
///
/// Requests and answers use the process's standard input and output. From this call on `println!`
/// writes to the standard error instead, and reads return the end of the input immediately.
/// Anything that was printed before is lost.
///
/// If `answer` panics the process ends, and only this request fails: the pool starts another
/// worker.
///
/// # Errors
///
/// Returns an error if the pool is gone in the middle of a message, or an answer has 4 GiB or more.
///
/// # Examples
///
/// ```no_run
/// use fibra::process::{Command, WorkerPool, worker};
///
/// fn main() -> std::io::Result<()> {
///     if std::env::args().nth(1).as_deref() == Some("worker") {
///         return worker(|request| request.into_iter().rev().collect());
///     }
///     fibra::run(|| {
///         let mut command = Command::new(std::env::current_exe()?);
///         command.arg("worker");
///         let pool = WorkerPool::new(command, 2)?;
///         assert_eq!(pool.call(b"abc")?, b"cba");
///         Ok(())
///     })
/// }
/// ```
pub fn worker(mut answer: impl FnMut(Vec<u8>) -> Vec<u8>) -> io::Result<()> {
    let mut requests = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut answers = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    frames::greet(&mut answers)?;
    while let Some((number, request)) = frames::receive(&mut requests)? {
        frames::send(&mut answers, number, &answer(request))?;
    }
    Ok(())
}
