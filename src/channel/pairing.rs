//! Who meets whom in a rendezvous channel, and who runs then: decisions only, no fiber in here.
//!
//! Invariants:
//! - Only fibers of one kind wait at a time: a sender that finds a receiver waiting meets it.
//! - What follows from the settings is worked out when they are set: a meeting only looks it up.

/// Which of two partners runs first when they meet.
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
    /// The receiver: a send to a waiting receiver switches to it at once, and the sender goes
    /// behind everybody. Stackless' -1, and the default.
    #[default]
    Receiver,
    /// Whoever arrives second goes on; the partner runs when its turn comes. Stackless' 0.
    Neither,
    /// The sender: a receive from a waiting sender switches to it. Stackless' +1.
    Sender,
}

/// The two things that can be done with a channel.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Send,
    Receive,
}

/// What a fiber that comes to a channel does.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Takes the first waiting partner off the queue and exchanges the value with it.
    Meet(After),
    /// Joins the queue.
    Wait,
    /// The channel is closed, and there is no partner.
    Refused,
}

/// What happens after a meeting.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// The partner is appended to the ring, the caller goes on (S-143).
    GoOn,
    /// The partner runs at once, the caller goes behind everybody (S-142).
    RunPartner,
    /// The partner is appended, then the caller (S-141).
    RunAll,
}

/// The settings of a channel, and what follows from them.
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

    /// What a fiber does that arrives on `side` when `others` fibers wait on the other side.
    #[inline(always)]
    pub(crate) fn arrive(&self, side: Side, others: usize) -> Step {
        if others != 0 {
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
            assert!(matches!(pairing.arrive(Side::Send, 1), Step::Meet(_)));
            assert!(matches!(pairing.arrive(Side::Receive, 1), Step::Meet(_)));
        }
    }

    #[test]
    fn without_a_partner_a_closing_channel_refuses_and_an_open_one_makes_wait() {
        for pairing in all() {
            let expected = if pairing.closing { Step::Refused } else { Step::Wait };
            assert_eq!(pairing.arrive(Side::Send, 0), expected);
            assert_eq!(pairing.arrive(Side::Receive, 0), expected);
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
            assert_eq!(pairing.arrive(Side::Send, 1), Step::Meet(to(Preference::Receiver)));
            assert_eq!(pairing.arrive(Side::Receive, 1), Step::Meet(to(Preference::Sender)));
        }
    }
}
