//! Orphans: children whose handle was dropped before they ended. They are reaped when they end.
//!
//! ```text
//!   dropped handle --> ended already? reaped immediately
//!                  \-> ORPHANS --> the thread: poll(2) on pidfds and a bell; ends with the last
//! ```
//!
//! Invariants:
//! - There is a thread if and only if there are orphans. (If none can be started they stay until
//!   the next one is dropped.)
//! - Nothing waits for that thread, and it waits for no other thread.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Mutex, MutexGuard};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::io::pipe::pipe;
use crate::process::exit::LAST_PAUSE;
use crate::sched::lowlevel::locked;

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { new: Vec::new(), bell: None });

struct Orphans {
    /// The orphans that the thread has not seen yet.
    new: Vec<Orphan>,
    /// The writing end of the pipe that notifies the thread of new ones. Present as long as there
    /// is a thread.
    bell: Option<OwnedFd>,
}

struct Orphan {
    child: Child,
    pidfd: Option<OwnedFd>,
}

/// Ensures that `child`, which has not been waited for, is reaped when it ends.
pub(super) fn adopt(child: Child, pidfd: Option<OwnedFd>) {
    let mut orphan = Orphan { child, pidfd };
    if orphan.has_ended() {
        return;
    }
    let mut orphans = lock();
    orphans.new.push(orphan);
    match &orphans.bell {
        // The pipe is non-blocking; if it is full the thread is awake.
        Some(bell) => drop(rustix::io::write(bell, &[0])),
        None => orphans.bell = start().ok(),
    }
}

fn lock() -> MutexGuard<'static, Orphans> {
    locked(&ORPHANS)
}

fn start() -> io::Result<OwnedFd> {
    let (reader, writer) = pipe()?;
    let builder = thread::Builder::new().name("fibra-reaper".into()).stack_size(64 << 10);
    builder.spawn(move || reap(&reader))?;
    Ok(writer)
}

/// Reaps orphans until there are none: the body of the thread.
fn reap(bell: &OwnedFd) {
    let mut orphans = Vec::new();
    loop {
        {
            let mut shared = lock();
            orphans.append(&mut shared.new);
            orphans.retain_mut(|orphan| !orphan.has_ended());
            if orphans.is_empty() {
                shared.bell = None;
                return;
            }
        }
        sleep(bell, &orphans);
        let mut bytes = [0; 64];
        while matches!(rustix::io::read(bell, &mut bytes), Ok(n) if n == bytes.len()) {}
    }
}

/// Waits until one of them may have ended, or there are new ones.
fn sleep(bell: &OwnedFd, orphans: &[Orphan]) {
    let pidfds = orphans.iter().filter_map(|orphan| orphan.pidfd.as_ref());
    let mut fds: Vec<_> = pidfds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    fds.push(PollFd::new(bell, PollFlags::IN));
    let all_have_one = fds.len() == orphans.len() + 1;
    let pause = Timespec::try_from(LAST_PAUSE).ok().filter(|_| !all_have_one);
    // Whatever ends the wait, all of them are checked.
    let _ = rustix::event::poll(&mut fds, pause.as_ref());
}

impl Orphan {
    /// Returns whether there is nothing left to reap. An error means that other code has reaped it.
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}
