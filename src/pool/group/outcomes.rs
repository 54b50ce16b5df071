//! The iterator over the outcomes of a group's members.

use std::fmt;

use crate::fiber::exit::JoinError;
use crate::pool::group::Group;

/// An iterator over the outcomes of a group's members, in the order of the ends.
///
/// # Examples
///
/// ```
/// use fibra::pool::Group;
///
/// fibra::run(|| {
///     let group = Group::new();
///     (1..=3).for_each(|n| drop(group.spawn(move || n)));
///     assert_eq!(group.iter().map(Result::unwrap).sum::<u32>(), 6);
/// });
/// ```
pub struct Outcomes<'a, T> {
    group: &'a Group<T>,
    /// Whether `CallerKilled` was returned: each further wait would fail immediately.
    killed: bool,
}

impl<'a, T> Outcomes<'a, T> {
    pub(super) fn new(group: &'a Group<T>) -> Outcomes<'a, T> {
        Outcomes { group, killed: false }
    }
}

impl<T> Iterator for Outcomes<'_, T> {
    type Item = Result<T, JoinError>;

    #[track_caller]
    fn next(&mut self) -> Option<Result<T, JoinError>> {
        if self.killed {
            return None;
        }
        let outcome = self.group.next();
        self.killed = matches!(outcome, Some(Err(JoinError::CallerKilled)));
        outcome
    }
}

impl<'a, T> IntoIterator for &'a Group<T> {
    type Item = Result<T, JoinError>;
    type IntoIter = Outcomes<'a, T>;

    fn into_iter(self) -> Outcomes<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for Outcomes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outcomes").field(self.group).finish()
    }
}
