//! The thread that writes dumps when a signal asks for one: `SIGQUIT`, and a Ctrl-C that has not
//! ended the program.
//!
//! ```text
//!   SIGQUIT, the first:      handler --> a byte --> thread: dump of all schedulers
//!   SIGQUIT within 3 s of    handler --> the default action, which ends the process
//!     that, or meanwhile
//!   SIGINT under `main`:     handler --> a byte --> thread: waits 2 s; has `main` returned?
//!                                                     no: dump of all schedulers
//! ```
//!
//! Invariants:
//! - The thread starts when it is first needed, and waits for bytes without waking up until the
//!   process ends. It holds nothing of a runtime.
//! - A handler does nothing but atomic operations and the write of a byte to a pipe that does not
//!   block.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::collections::locked::locked;
use crate::fiber::report::say;
use crate::io::pipe::pipe;
use crate::sched::time::clock::{Clock, RealClock};
use crate::signal::action::{self, Action, Subscription};
use crate::signal::number::Signal;
use crate::watchdog::census;

/// The time within which a second `SIGQUIT` ends the process.
const SECOND_QUIT: Duration = Duration::from_secs(3);

/// The time that a program has to end after a Ctrl-C before it is asked for what it waits.
const GRACE: Duration = Duration::from_secs(2);

/// The most fibers of each scheduler that the note about a Ctrl-C lists.
const LISTED: usize = 20;

/// Writes a dump of all fibers of the process to standard error for each `SIGQUIT` (Ctrl-\) from
/// now on, and lets the program continue.
///
/// The dump is that of [`dump`](crate::dump()), for each scheduler of the process. If a fiber holds
/// its scheduler, so that the scheduler does not answer within 200 ms, the dump shows that fiber
/// with its native stack; the other fibers of that scheduler cannot be listed then.
///
/// A second `SIGQUIT` while a dump is being written, or within 3 seconds of the first, has the
/// default action: it ends the process, with a core file where these are enabled. If `SIGQUIT` is
/// ignored when this is called, it stays ignored. Calling this again has no effect.
///
/// Under [`fibra::main`](crate::main()), a build with debug assertions calls this by itself.
///
/// May be called on any thread. A thread is started that waits for the signal until the process
/// ends.
///
/// # Errors
///
/// Returns an error if no pipe or no thread can be created, or if no handler can be installed.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::dump_on_sigquit()?;
/// fibra::run(|| {
///     // On standard error, after `kill -QUIT`:
///     // fibra: SIGQUIT: the fibers of all schedulers:
///     // scheduler 1:
///     //   fiber 'main' (#1) is asleep at src/main.rs:9:5 for 1.5s
/// });
/// # Ok(())
/// # }
/// ```
#[doc(alias("SIGQUIT", "faulthandler", "jstack"))]
pub fn dump_on_sigquit() -> io::Result<()> {
    static SUBSCRIPTION: Mutex<Option<Subscription>> = Mutex::new(None);
    let mut subscription = locked(&SUBSCRIPTION);
    if subscription.is_some() || action::is_ignored(Signal::SIGQUIT) {
        return Ok(());
    }
    let bell = attend()?;
    let quits = Arc::new(Quits { bell: bell.clone(), is_second: AtomicBool::new(false) });
    *locked(&bell.quits) = Some(quits.clone());
    *subscription = Some(action::subscribe(Signal::SIGQUIT, Action::Quit(quits))?);
    Ok(())
}

/// The way from handlers to the thread.
#[derive(Debug)]
pub(crate) struct Bell {
    writer: OwnedFd,
    quits: Mutex<Option<Arc<Quits>>>,
    /// The programs that a Ctrl-C has asked to end.
    programs: Mutex<Vec<Arc<Program>>>,
}

impl Bell {
    /// Wakes the thread. Async-signal-safe: a system call. If the pipe is full the thread is awake.
    fn ring(&self, byte: u8) {
        let _ = rustix::io::write(&self.writer, &[byte]);
    }
}

/// The state of `SIGQUIT`.
#[derive(Debug)]
pub(crate) struct Quits {
    bell: Arc<Bell>,
    /// Whether the next one ends the process.
    is_second: AtomicBool,
}

impl Quits {
    /// Asks for a dump. Returns false if the signal must have its default action.
    /// Async-signal-safe.
    pub(crate) fn quit(&self) -> bool {
        let is_first = !self.is_second.swap(true, Ordering::SeqCst);
        if is_first {
            self.bell.ring(QUIT);
        }
        is_first
    }
}

/// A program that a Ctrl-C is to end.
#[derive(Debug)]
pub(crate) struct Program {
    bell: Option<Arc<Bell>>,
    state: AtomicUsize,
}

const RUNS: usize = 0;
const ASKED: usize = 1;
const HAS_ENDED: usize = 2;

impl Program {
    /// Creates the record of a program that begins. Without a thread there will be no note.
    pub(crate) fn begin() -> Arc<Program> {
        let program = Arc::new(Program { bell: attend().ok(), state: AtomicUsize::new(RUNS) });
        if let Some(bell) = &program.bell {
            locked(&bell.programs).push(program.clone());
        }
        program
    }

    /// Notes that it was asked to end. Async-signal-safe.
    pub(crate) fn is_asked(&self) {
        self.state.store(ASKED, Ordering::SeqCst);
        if let Some(bell) = &self.bell {
            bell.ring(INTERRUPT);
        }
    }

    /// Notes that it has ended.
    pub(crate) fn ended(&self) {
        self.state.store(HAS_ENDED, Ordering::SeqCst);
        if let Some(bell) = &self.bell {
            locked(&bell.programs).retain(|program| !std::ptr::eq(&raw const **program, self));
        }
    }
}

const QUIT: u8 = b'q';
const INTERRUPT: u8 = b'i';

/// Returns the way to the thread, which is started the first time.
fn attend() -> io::Result<Arc<Bell>> {
    static BELL: Mutex<Option<Arc<Bell>>> = Mutex::new(None);
    let mut started = locked(&BELL);
    if let Some(bell) = &*started {
        return Ok(bell.clone());
    }
    let (reader, writer) = pipe()?;
    let (quits, programs) = (Mutex::new(None), Mutex::new(Vec::new()));
    let bell = Arc::new(Bell { writer, quits, programs });
    let of_thread = bell.clone();
    // It is not joined: it waits for signals until the process ends.
    let thread = thread::Builder::new().name("fibra-signals".into());
    drop(thread.spawn(move || serve(&reader, &of_thread))?);
    *started = Some(bell.clone());
    Ok(bell)
}

/// Answers signals, until the process ends.
fn serve(reader: &OwnedFd, bell: &Bell) {
    let mut dues = Dues::default();
    loop {
        dues.wait(reader);
        let mut bytes = [0; 64];
        let count = rustix::io::read(reader, &mut bytes).unwrap_or(0);
        let now = RealClock.now();
        if bytes[..count].contains(&INTERRUPT) {
            dues.note = Some(now + GRACE);
        }
        if bytes[..count].contains(&QUIT) {
            say(format_args!(
                "SIGQUIT: the fibers of all schedulers:\n{}",
                census::text_of_all(usize::MAX)
            ));
            dues.rearm = Some(now + SECOND_QUIT);
        }
        if dues.rearm.take_if(|due| *due <= now).is_some() {
            if let Some(quits) = &*locked(&bell.quits) {
                quits.is_second.store(false, Ordering::SeqCst);
            }
        }
        if dues.note.take_if(|due| *due <= now).is_some() {
            note_programs(bell);
        }
    }
}

/// What the thread does at later times.
#[derive(Default)]
struct Dues {
    note: Option<Instant>,
    rearm: Option<Instant>,
}

impl Dues {
    /// Waits for bytes, or until something is due.
    fn wait(&self, reader: &OwnedFd) {
        let next = [self.note, self.rearm].into_iter().flatten().min();
        let pause = next.map(|due| due.saturating_duration_since(RealClock.now()));
        // Rounded up, so that it is due afterwards.
        let pause = pause.map(|pause| pause + Duration::from_micros(1));
        let pause = pause.and_then(|pause| Timespec::try_from(pause).ok());
        // An error, such as a signal, only means an early look.
        let _ = rustix::event::poll(&mut [PollFd::new(reader, PollFlags::IN)], pause.as_ref());
    }
}

/// Reports for what the programs wait that were asked to end, and have not.
fn note_programs(bell: &Bell) {
    let is_late = |program: &Arc<Program>| program.state.load(Ordering::SeqCst) == ASKED;
    if !locked(&bell.programs).iter().any(is_late) {
        return;
    }
    let fibers = census::text_of_all(LISTED);
    if locked(&bell.programs).iter().any(is_late) {
        say(format_args!(
            "Ctrl-C: the main fiber was killed {GRACE:?} ago, and the program waits for these fibers \
             (Ctrl-C again ends it immediately):\n{fibers}"
        ));
    }
}
