//! The permitted outcomes for a point and an action.
//!
//! The rule is strict: whatever the action, `run` returns or unwinds, each value is dropped exactly
//! once and the thread does not stay in the unwinding state; and after a quiet action the output is
//! the right one. The exceptions stand below, each with its reason.

use super::actions::{Action, Kind};
use super::scenarios::{Play, Scenario};

/// The permitted outcome of a combination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// `run` returns the text that the scenario makes without an action, and no value is left.
    Right,
    /// `run` returns or unwinds, and no value is left.
    Ends,
    /// Like `Ends`, but stacks may be abandoned, with the values that lie on them.
    GivesUp,
    /// Like `Ends`, but values may be leaked.
    Leaks,
    /// The process exits with the action's status.
    Exits,
    /// The process may abort.
    Aborts,
    /// The combination is not played.
    Skipped,
}

const ABORTS: bool = cfg!(panic = "abort");

pub(crate) fn rule(scenario: &Scenario, action: &Action) -> Rule {
    let usual = match action.kind {
        _ if ABORTS && (scenario.unwinds || action.unwinds) => Rule::Skipped,
        // Code that runs outside all fibers is refused most actions, by a panic.
        _ if ABORTS && matches!(scenario.play, Play::Whole(_)) => Rule::Skipped,
        // A generator that borrows and is suspended at the end of its scope aborts, as documented.
        _ if ABORTS && action.name == "borrows in generators" => Rule::Skipped,
        Kind::Exits => Rule::Exits,
        // Nor may a callback of a tasklet switch: that is refused by a panic, too.
        _ if ABORTS && scenario.point.contains(" callback: ") => Rule::Aborts,
        Kind::Quiet if ABORTS => Rule::GivesUp,
        Kind::Disturbs if ABORTS => Rule::Aborts,
        Kind::Quiet => Rule::Right,
        Kind::Disturbs => Rule::Ends,
    };
    if usual == Rule::Skipped || usual == Rule::Exits {
        return usual;
    }
    let exception = EXCEPTIONS.iter().find(|exception| exception.concerns(scenario, action));
    exception.map_or(usual, |exception| exception.rule)
}

struct Exception {
    /// A part of the point's name. An empty text matches every name.
    point: &'static str,
    /// A part of the action's name. An empty text matches every name.
    action: &'static str,
    rule: Rule,
    #[allow(dead_code, reason = "for who reads this")]
    why: &'static str,
}

impl Exception {
    fn concerns(&self, scenario: &Scenario, action: &Action) -> bool {
        scenario.point.contains(self.point) && action.name.contains(self.action)
    }
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        point: "par: ",
        action: "parks and is never woken",
        rule: Rule::Skipped,
        why: "a scope across threads is an external wait: no deadlock is found",
    },
    Exception {
        point: "par: ",
        action: "leaves the ring for good",
        rule: Rule::Skipped,
        why: "as above",
    },
    Exception {
        point: "par: ",
        action: "waits for what never comes",
        rule: Rule::Skipped,
        why: "as above",
    },
    Exception {
        point: "par: ",
        action: "sleeps for an hour",
        rule: Rule::Skipped,
        why: "as above, so that the clock advances as real time does",
    },
    Exception {
        point: "par: ",
        action: "opens a nursery and kills it",
        rule: Rule::Skipped,
        why: "as above: where nothing can be killed, it would sleep for a minute",
    },
    Exception {
        point: "waker: it goes when another takes its place at a runtime's job",
        action: "parks and is never woken",
        rule: Rule::Skipped,
        why: "another thread could spawn a job: no deadlock is found",
    },
    Exception {
        point: "waker: it goes when another takes its place at a runtime's job",
        action: "leaves the ring for good",
        rule: Rule::Skipped,
        why: "another thread could spawn a job: no deadlock is found",
    },
    Exception {
        point: "waker: it goes when another takes its place at a runtime's job",
        action: "waits for what never comes",
        rule: Rule::Skipped,
        why: "another thread could spawn a job: no deadlock is found",
    },
    Exception {
        point: "future: the closure of a fiber as one",
        action: "opens a nursery and kills it",
        rule: if ABORTS { Rule::Skipped } else { Rule::Right },
        why: "nothing can be killed, and real time goes on: it would sleep for a minute",
    },
    Exception {
        point: "future: the closure of a fiber as one",
        action: "parks and is never woken",
        rule: Rule::Skipped,
        why: "another thread could end the wait: no deadlock is found",
    },
    Exception {
        point: "future: the closure of a fiber as one",
        action: "leaves the ring for good",
        rule: Rule::Skipped,
        why: "another thread could end the wait: no deadlock is found",
    },
    Exception {
        point: "text: the writer of tasklets",
        action: "parks and is never woken",
        rule: Rule::Skipped,
        why: "another thread could end the wait: no deadlock is found",
    },
    Exception {
        point: "text: the writer of tasklets",
        action: "leaves the ring for good",
        rule: Rule::Skipped,
        why: "another thread could end the wait: no deadlock is found",
    },
    Exception {
        point: "",
        action: "parks and is never woken",
        rule: Rule::Aborts,
        why: "a wait without an end in a destructor that unwinds: rule 6 of `cancellation`",
    },
    Exception {
        point: "a generator is given up that lends it",
        action: "",
        rule: if ABORTS { Rule::Aborts } else { Rule::GivesUp },
        why: "the scenario's own generator refuses to end",
    },
    Exception {
        point: "",
        action: "refuses to end",
        rule: Rule::Aborts,
        why: "it is given up, or aborts the process if somebody lends to it",
    },
    Exception {
        point: "",
        action: "leaves the ring for good",
        rule: Rule::Aborts,
        why: "as a wait without an end",
    },
    Exception {
        point: "yielded while it closes",
        action: "",
        rule: Rule::GivesUp,
        why: "a generator that goes on yielding while it closes is given up if the thread unwinds",
    },
    Exception {
        point: "the destructor of a panic",
        action: "throw",
        rule: Rule::Leaks,
        why: "what a payload's destructor unwinds with is leaked: its destructor might do it again",
    },
    Exception {
        point: "a payload that ends its receiver",
        action: "throw",
        rule: Rule::Leaks,
        why: "as above",
    },
    Exception {
        point: "imap: the destructor of results",
        action: "greenlet",
        rule: Rule::GivesUp,
        why: "a greenlet left while its thread unwinds is given up if its fiber ends meanwhile",
    },
    Exception {
        point: "a spawn in an unwind",
        action: "greenlet",
        rule: Rule::GivesUp,
        why: "as above: the job starts while its thread unwinds",
    },
    Exception {
        point: "sync: the predicate of a condition",
        action: "kills all others",
        rule: Rule::Skipped,
        why: "another thread could notify it: no deadlock is found",
    },
    Exception {
        point: "future: the closure of a fiber as one",
        action: "waits for what never comes",
        rule: Rule::Skipped,
        why: "another thread could wake the task: no deadlock is found",
    },
    Exception {
        point: "future: the closure of a fiber as one",
        action: "sleeps for an hour",
        rule: Rule::Skipped,
        why: "as above, so that the clock goes on as real time does",
    },
    Exception {
        point: "text: the writer of tasklets",
        action: "never comes",
        rule: Rule::Skipped,
        why: "another thread could throw at it: no deadlock is found",
    },
];
