//! What user code does at a point.

mod ends;
mod kills;
mod stacks;
mod tasklets;
mod waits;

use std::rc::Rc;

use super::stage::Stage;

/// What a deed may change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Nothing: the output is as it would be without it.
    Quiet,
    /// What becomes of fibers, and so the output.
    Disturbs,
    /// The process ends.
    Exits,
}

/// Something that user code does.
pub(crate) struct Deed {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// How often it is done, if its point is passed so often.
    pub(crate) times: u32,
    /// Whether it unwinds. It is not done while the thread unwinds: that would abort.
    pub(crate) unwinds: bool,
    pub(crate) act: fn(&Rc<Stage>),
}

const fn quiet(name: &'static str, act: fn(&Rc<Stage>)) -> Deed {
    Deed { name, kind: Kind::Quiet, times: 2, unwinds: false, act }
}

const fn disturbs(name: &'static str, act: fn(&Rc<Stage>)) -> Deed {
    Deed { name, kind: Kind::Disturbs, times: 2, unwinds: false, act }
}

const fn unwinds(name: &'static str, act: fn(&Rc<Stage>)) -> Deed {
    Deed { name, kind: Kind::Disturbs, times: 1, unwinds: true, act }
}

/// All deeds.
pub(crate) fn all() -> impl Iterator<Item = &'static Deed> {
    [waits::DEEDS, stacks::DEEDS, tasklets::DEEDS, kills::DEEDS, ends::DEEDS].into_iter().flatten()
}
