//! The time limits of a connection: for heads, for idle times, and for clients that take nothing.
//!
//! Invariants:
//! - A limit counts from the moment at which the connection was first seen in that phase.
//! - The alarm is never later than the deadline of the current phase. If it rings earlier, it is
//!   set again: so a request costs one look at the clock, and no timer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::future::{Sleep, sleep_until};
use crate::http::server::life::Life;
use crate::http::server::settings::Limits;
use crate::sched::lowlevel::clock_now;

/// The event that a connection waits for. The numbers distinguish one such wait from the next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// For a handler, or for a body that a handler reads or writes.
    Works,
    /// For the head of a request, after this many requests.
    Head(u32),
    /// For the next request, after this many.
    Idle(u32),
    /// For the client to take data, after this many writes.
    Sends(u32),
    /// For the client to close, after it was asked to.
    Ends,
}

/// The result of a check.
#[derive(Debug)]
pub(super) enum Verdict {
    Continue,
    /// It has been idle for long: ask it to end.
    Close,
    /// Its client is too slow.
    Late(io::Error),
    /// Its client is too slow with the rest of a head.
    LateHead(io::Error),
}

/// The time for which a connection that was asked to end may stay, if there is no other limit.
const FAREWELL: Duration = Duration::from_secs(30);

/// The watch over the time of one connection.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    limits: &'a Limits,
    life: &'a Life,
    phase: Phase,
    since: Instant,
    ends: bool,
    alarm: Option<(Instant, Sleep)>,
}

impl Watch<'_> {
    pub(super) fn new<'a>(limits: &'a Limits, life: &'a Life) -> Watch<'a> {
        let (phase, since) = (life.phase(), clock_now());
        Watch { limits, life, phase, since, ends: false, alarm: None }
    }

    /// Checks the limits after a poll of the connection, and wakes the task for the next one.
    pub(super) fn check(&mut self, cx: &mut Context<'_>) -> Verdict {
        let phase = match self.life.phase() {
            Phase::Head(_) | Phase::Idle(_) if self.ends => Phase::Ends,
            phase => phase,
        };
        let Some(limit) = self.limit(phase) else {
            self.phase = phase;
            return Verdict::Continue;
        };
        let now = clock_now();
        if phase != self.phase {
            (self.phase, self.since) = (phase, now);
        }
        let Some(deadline) = self.since.checked_add(limit) else { return Verdict::Continue };
        if deadline <= now {
            return self.verdict();
        }
        self.wake_by(deadline, now, cx);
        Verdict::Continue
    }

    fn limit(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Works => None,
            Phase::Head(_) => self.limits.head,
            Phase::Idle(_) => self.limits.idle,
            Phase::Sends(_) => self.limits.send,
            Phase::Ends => self.limits.head.or(Some(FAREWELL)),
        }
    }

    #[cold]
    fn verdict(&mut self) -> Verdict {
        let text = match self.phase {
            Phase::Idle(_) => {
                self.ends = true;
                return Verdict::Close;
            }
            Phase::Sends(_) => "the client took nothing of what was sent to it for too long",
            Phase::Ends => "the client did not close an idle connection",
            Phase::Works | Phase::Head(_) => "the client took too long for the head of a request",
        };
        let error = io::Error::new(io::ErrorKind::TimedOut, text);
        match self.phase {
            Phase::Head(_) if self.life.has_a_part_of_a_head() => Verdict::LateHead(error),
            _ => Verdict::Late(error),
        }
    }

    fn wake_by(&mut self, deadline: Instant, now: Instant, cx: &mut Context<'_>) {
        if self.alarm.as_ref().is_some_and(|(at, _)| now < *at && *at <= deadline) {
            return;
        }
        let mut alarm = sleep_until(deadline);
        // It is not ready: `deadline` is later than `now`. At worst it is ready in the next check.
        let _ = Pin::new(&mut alarm).poll(cx);
        self.alarm = Some((deadline, alarm));
    }
}
