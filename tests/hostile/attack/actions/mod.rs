//! The actions that user code takes at a point where the library runs it.

mod ends;
mod kills;
mod stacks;
mod tasklets;
mod waits;

use std::rc::Rc;

use super::stage::Stage;

/// The changes that an action may cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// No change: the output is the same as without the action.
    Quiet,
    /// It changes how fibers end, and so the output.
    Disturbs,
    /// The process ends.
    Exits,
}

/// An action of user code.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The number of times that the action is done, if its point is passed that often.
    pub(crate) times: u32,
    /// Whether the action unwinds. It is not done while the thread unwinds: that would abort.
    pub(crate) unwinds: bool,
    pub(crate) act: fn(&Rc<Stage>),
}

const fn quiet(name: &'static str, act: fn(&Rc<Stage>)) -> Action {
    Action { name, kind: Kind::Quiet, times: 2, unwinds: false, act }
}

const fn disturbs(name: &'static str, act: fn(&Rc<Stage>)) -> Action {
    Action { name, kind: Kind::Disturbs, times: 2, unwinds: false, act }
}

const fn unwinds(name: &'static str, act: fn(&Rc<Stage>)) -> Action {
    Action { name, kind: Kind::Disturbs, times: 1, unwinds: true, act }
}

/// All actions.
pub(crate) fn all() -> impl Iterator<Item = &'static Action> {
    [waits::ACTIONS, stacks::ACTIONS, tasklets::ACTIONS, kills::ACTIONS, ends::ACTIONS]
        .into_iter()
        .flatten()
}
