//! What a signal is called.
//!
//! Invariants:
//! - A number is between 1 and 64: a set of signals is a word.

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
    SIGHUP: "The terminal is gone; by custom, that a server reads its settings again.",
    SIGINT: "Ctrl-C.",
    SIGQUIT: "Ctrl-\\.",
    SIGABRT: "`abort` was called.",
    SIGKILL: "Ends the process. It cannot be received.",
    SIGUSR1: "For the program's own use.",
    SIGUSR2: "For the program's own use.",
    SIGPIPE: "A write to a pipe that nobody reads. Rust programs ignore it, and see an error.",
    SIGALRM: "A timer of `alarm(2)`.",
    SIGTERM: "A polite request to end.",
    SIGCHLD: "A child process has ended or stopped.",
    SIGCONT: "Goes on after a stop.",
    SIGSTOP: "Stops the process. It cannot be received.",
    SIGTSTP: "Ctrl-Z.",
    SIGTTIN: "A background process reads from the terminal.",
    SIGTTOU: "A background process writes to the terminal.",
    SIGURG: "Urgent data on a socket.",
    SIGWINCH: "The window has another size.",
    SIGIO: "A descriptor is ready.",
    SIGSYS: "A system call that does not exist.",
}

impl Signal {
    /// The signal of this number.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is none: numbers go from 1 to 64.
    pub fn from_raw(number: i32) -> io::Result<Signal> {
        if (1..=LARGEST).contains(&number) {
            return Ok(Signal(number));
        }
        let text = format!("there is no signal {number}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// Its number on this system.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Its place in a set, and in a table.
    #[allow(clippy::cast_sign_loss, reason = "a number is between 1 and 64")]
    pub(super) const fn index(self) -> usize {
        self.0 as usize - 1
    }

    pub(super) const fn bit(self) -> u64 {
        1 << self.index()
    }

    /// The smallest of a set.
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
