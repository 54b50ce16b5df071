//! The numbers and names of signals.
//!
//! Invariant: a number is between 1 and 64, so that a set of signals is a word.

use std::fmt;
use std::io;

/// A signal of the operating system.
///
/// # Examples
///
/// ```
/// use fibra::signal::Signal;
///
/// assert_eq!(Signal::SIGTERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::from_raw(15).unwrap(), Signal::SIGTERM);
/// assert!(Signal::from_raw(0).is_err());
/// ```
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Signal(i32);

const LARGEST: i32 = 64;

macro_rules! signals {
    ($($name:ident: $what:literal,)*) => {
        impl Signal {
            $(#[doc = $what] pub const $name: Signal = Signal(libc::$name);)*
        }

        const NAMES: &[(i32, &str)] = &[$((libc::$name, stringify!($name)),)*];
    };
}

signals! {
    SIGHUP: "The terminal was closed; by convention, a server reloads its configuration.",
    SIGINT: "Ctrl-C.",
    SIGQUIT: "Ctrl-\\.",
    SIGABRT: "`abort` was called.",
    SIGKILL: "Ends the process. Cannot be received.",
    SIGUSR1: "Available for the program's own use.",
    SIGUSR2: "Available for the program's own use.",
    SIGPIPE: "A write to a pipe without readers. Rust programs ignore it, and get an error.",
    SIGALRM: "A timer of `alarm(2)`.",
    SIGTERM: "A request to end.",
    SIGCHLD: "A child process has ended or stopped.",
    SIGCONT: "Continues after a stop.",
    SIGSTOP: "Stops the process. Cannot be received.",
    SIGTSTP: "Ctrl-Z.",
    SIGTTIN: "A background process reads from the terminal.",
    SIGTTOU: "A background process writes to the terminal.",
    SIGURG: "Urgent data on a socket.",
    SIGWINCH: "The window was resized.",
    SIGIO: "A descriptor is ready.",
    SIGSYS: "A system call that does not exist.",
}

impl Signal {
    /// Returns the signal with this number.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) if there is none: numbers go from 1 to
    /// 64.
    pub fn from_raw(number: i32) -> io::Result<Signal> {
        if (1..=LARGEST).contains(&number) {
            return Ok(Signal(number));
        }
        let text = format!("there is no signal {number}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// Returns the signal's number on this system.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Returns the signal's place in a set, and in a table.
    #[allow(clippy::cast_sign_loss, reason = "a number is between 1 and 64")]
    pub(super) const fn index(self) -> usize {
        self.0 as usize - 1
    }

    pub(super) const fn bit(self) -> u64 {
        1 << self.index()
    }

    /// Returns the smallest signal of a set.
    #[allow(clippy::cast_possible_wrap, reason = "a number is between 1 and 64")]
    pub(super) const fn first_of(set: u64) -> Option<Signal> {
        if set == 0 { None } else { Some(Signal(set.trailing_zeros() as i32 + 1)) }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
