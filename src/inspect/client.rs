//! One client: the beginning of its next command, and the rest of its last answer.
//!
//! Invariant: nothing is read from a client as long as it has not taken the last answer. So each
//! client has one answer in memory.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::inspect::command::{self, Command};
use crate::jobs::shared::Shared;
use crate::net::sockets;

/// The longest line that a client may send.
const LONGEST_LINE: usize = 256;

/// The time without a command, or without taking a part of an answer, after which a client is
/// disconnected.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);
const LONGEST_STALL: Duration = Duration::from_secs(10);

pub(super) struct Client {
    connection: OwnedFd,
    /// The bytes of its next commands.
    input: Vec<u8>,
    output: Vec<u8>,
    /// The number of bytes of `output` that it has taken.
    taken: usize,
    /// The time between two repetitions of `ps`, and when the next one is due.
    repeats: Option<(Duration, Instant)>,
    /// The time at which it is disconnected, unless something happens before.
    silent_until: Instant,
    /// Whether it sends nothing more.
    has_ended: bool,
    is_open: bool,
}

impl Client {
    pub(super) fn new(connection: OwnedFd, now: Instant) -> Client {
        Client {
            connection,
            input: Vec::new(),
            output: Vec::new(),
            taken: 0,
            repeats: None,
            silent_until: now + LONGEST_SILENCE,
            has_ended: false,
            is_open: true,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns what it waits for.
    pub(super) fn interest(&self) -> PollFlags {
        match (self.owes(), self.has_ended) {
            (true, _) => PollFlags::OUT,
            (false, false) => PollFlags::IN,
            // A connection whose other end is closed is ready in any case.
            (false, true) => PollFlags::empty(),
        }
    }

    /// Returns the time at which it must be looked at, even if it is not ready.
    pub(super) fn due(&self) -> Instant {
        let repeats = self.repeats.filter(|_| !self.owes());
        repeats.map_or(self.silent_until, |(_, due)| due.min(self.silent_until))
    }

    fn owes(&self) -> bool {
        self.taken < self.output.len()
    }

    /// Reads and writes as far as that is possible now, and answers the commands that are complete.
    pub(super) fn step(&mut self, is_ready: bool, now: Instant, shared: &Shared) {
        if self.silent_until <= now {
            self.is_open = false;
            return;
        }
        if is_ready && self.has_ended && !self.owes() {
            // It watches, and its other end is closed.
            self.is_open = false;
            return;
        }
        let result = if is_ready { self.transfer(now) } else { Ok(()) };
        self.is_open = result.is_ok();
        while self.is_open && !self.owes() && self.answer_next(now, shared) {
            self.is_open = self.send(now).is_ok();
        }
        // All that it has asked for is answered.
        self.is_open &= !(self.has_ended && !self.owes() && self.repeats.is_none());
    }

    fn transfer(&mut self, now: Instant) -> io::Result<()> {
        if self.owes() {
            return self.send(now);
        }
        let mut buffer = [0; LONGEST_LINE];
        match sockets::recv(&self.connection, &mut buffer) {
            Ok(0) => self.has_ended = true,
            Ok(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                self.silent_until = now + LONGEST_SILENCE;
                // A line ends a repetition, even if it is empty.
                if self.input.contains(&b'\n') {
                    self.repeats = None;
                }
            }
            Err(error) if is_not_now(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn send(&mut self, now: Instant) -> io::Result<()> {
        while self.owes() {
            match sockets::send(&self.connection, &self.output[self.taken..]) {
                Ok(count) => {
                    self.taken += count;
                    self.silent_until = now + LONGEST_STALL;
                }
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        // The next answer may be short, and an answer with many stacks is not.
        self.output = Vec::new();
        self.taken = 0;
        self.silent_until = now + LONGEST_SILENCE;
        Ok(())
    }

    /// Puts the answer to its next command into `output`. Returns whether there was one.
    fn answer_next(&mut self, now: Instant, shared: &Shared) -> bool {
        if let Some(command) = self.next_command() {
            if let Command::Watch(every) = command {
                self.repeats = Some((every, now));
            } else {
                self.give(&command::answer(&command, shared), now);
                return true;
            }
        }
        match &mut self.repeats {
            Some((every, due)) if *due <= now => {
                *due = now + *every;
                self.give(&command::answer(&Command::Ps, shared), now);
                true
            }
            _ => false,
        }
    }

    /// Takes the next line out of `input`. What a client has sent before it ended is a line, too.
    fn next_command(&mut self) -> Option<Command> {
        let end = self.input.iter().position(|&byte| byte == b'\n');
        if end.is_none() && LONGEST_LINE < self.input.len() {
            self.input.clear();
            self.has_ended = true;
            return Some(Command::TooLong);
        }
        let is_last = end.is_none() && self.has_ended && !self.input.is_empty();
        let line: Vec<u8> = match end {
            Some(end) => self.input.drain(..=end).collect(),
            None if is_last => std::mem::take(&mut self.input),
            None => return None,
        };
        Some(Command::parse(&String::from_utf8_lossy(&line)))
    }

    /// Makes `text` the answer that it owes. An answer ends with an empty line, and contains none.
    fn give(&mut self, text: &str, now: Instant) {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        self.output = lines.flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect();
        self.output.push(b'\n');
        self.taken = 0;
        self.silent_until = now + LONGEST_STALL;
    }
}

/// Returns whether a call has moved no data because it would have had to wait.
fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
