//! Which partners meet in a rendezvous channel, and which of them runs first: decisions only,
//! without fibers.
//!
//! Invariants:
//! - Only fibers of one side wait at a time: a sender that finds a waiting receiver meets it.
//! - The consequences of the settings are computed when they are set: a meeting only looks them up.

/// The partner that runs first after a meeting.
///
/// # Examples
///
/// ```
/// use fibra::channel::{Channel, Preference};
///
/// let channel = Channel::<u32>::new();
/// assert_eq!(channel.preference(), Preference::Receiver);
/// channel.set_preference(Preference::Neither);
/// ```
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Preference {
    /// The receiver: a send to a waiting receiver switches to it immediately, and the sender goes
    /// to the end of the run ring. Stackless' -1, and the default.
    #[default]
    Receiver,
    /// The one that arrives second goes on; its partner runs when its turn comes. Stackless' 0.
    Neither,
    /// The sender: a receive from a waiting sender switches to it. Stackless' +1.
    Sender,
}

/// One of the two operations of a channel.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Send,
    Receive,
}

/// The next step of a fiber that arrives at a channel.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// It takes the first waiting partner off the queue and exchanges the value with it.
    Meet(After),
    /// It joins the queue.
    Wait,
    /// The operation fails: the channel is closed, and no partner waits.
    Refused,
}

/// The switches that follow a meeting.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// The partner is appended to the run ring, and the caller goes on.
    GoOn,
    /// The partner runs immediately, and the caller goes to the end of the run ring.
    RunPartner,
    /// The partner is appended to the run ring, then the caller.
    RunAll,
}

/// The settings of a channel, and their consequences.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Pairing {
    pub(crate) preference: Preference,
    pub(crate) schedule_all: bool,
    pub(crate) closing: bool,
    after_send: After,
    after_receive: After,
}

impl Pairing {
    pub(crate) const fn new(preference: Preference, schedule_all: bool, closing: bool) -> Pairing {
        let (after_send, after_receive) = match (schedule_all, preference) {
            (true, _) => (After::RunAll, After::RunAll),
            (false, Preference::Receiver) => (After::RunPartner, After::GoOn),
            (false, Preference::Neither) => (After::GoOn, After::GoOn),
            (false, Preference::Sender) => (After::GoOn, After::RunPartner),
        };
        Pairing { preference, schedule_all, closing, after_send, after_receive }
    }

    /// Returns the step of a fiber that arrives on `side`. `is_awaited` is whether fibers wait on
    /// the other side.
    #[inline(always)]
    pub(crate) fn arrive(&self, side: Side, is_awaited: bool) -> Step {
        if is_awaited {
            Step::Meet(if side == Side::Send { self.after_send } else { self.after_receive })
        } else if self.closing {
            Step::Refused
        } else {
            Step::Wait
        }
    }
}

impl Default for Pairing {
    fn default() -> Pairing {
        Pairing::new(Preference::default(), false, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFERENCES: [Preference; 3] =
        [Preference::Receiver, Preference::Neither, Preference::Sender];

    fn all() -> impl Iterator<Item = Pairing> {
        let flags = [(false, false), (false, true), (true, false), (true, true)];
        PREFERENCES.into_iter().flat_map(move |preference| {
            flags.map(|(schedule_all, closing)| Pairing::new(preference, schedule_all, closing))
        })
    }

    #[test]
    fn a_partner_that_waits_is_met_also_when_the_channel_is_closing() {
        for pairing in all() {
            assert!(matches!(pairing.arrive(Side::Send, true), Step::Meet(_)));
            assert!(matches!(pairing.arrive(Side::Receive, true), Step::Meet(_)));
        }
    }

    #[test]
    fn without_a_partner_a_closing_channel_refuses_and_an_open_one_makes_wait() {
        for pairing in all() {
            let expected = if pairing.closing { Step::Refused } else { Step::Wait };
            assert_eq!(pairing.arrive(Side::Send, false), expected);
            assert_eq!(pairing.arrive(Side::Receive, false), expected);
        }
    }

    #[test]
    fn the_caller_switches_only_if_the_partner_is_preferred_and_schedule_all_comes_first() {
        for pairing in all() {
            let to = |preferred| match (pairing.schedule_all, pairing.preference == preferred) {
                (true, _) => After::RunAll,
                (false, true) => After::RunPartner,
                (false, false) => After::GoOn,
            };
            assert_eq!(pairing.arrive(Side::Send, true), Step::Meet(to(Preference::Receiver)));
            assert_eq!(pairing.arrive(Side::Receive, true), Step::Meet(to(Preference::Sender)));
        }
    }
}
