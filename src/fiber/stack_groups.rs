//! Dumps with stacks as text: the fibers grouped by equal stacks, the largest group first.

use std::collections::HashMap;
use std::fmt::{self, Write};

use crate::fiber::snapshot::{Activity, FiberSnapshot};
use crate::stack_trace::StackTrace;

/// The number of fibers that are listed per group, unless all are asked for.
const LISTED: usize = 5;

/// Returns whether `fibers` were walked.
pub(crate) fn are_walked(fibers: &[FiberSnapshot]) -> bool {
    fibers.iter().any(|fiber| fiber.stack.is_some())
}

/// Writes `fibers` in groups, without a line break at the end. The alternate form is complete.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, fibers: &[FiberSnapshot]) -> fmt::Result {
    let groups = groups(fibers);
    for (i, group) in groups.iter().enumerate() {
        let line_break = if i == 0 { "" } else { "\n" };
        match &group[0].stack {
            Some(_) => write!(f, "{line_break}{} with this stack:", count(group.len()))?,
            None => write!(f, "{line_break}{} without a stack:", count(group.len()))?,
        }
        let listed = if f.alternate() { group.len() } else { LISTED };
        for fiber in group.iter().take(listed) {
            write!(f, "\n  {fiber}")?;
            if fiber.stack.is_none() {
                write!(f, " ({})", why_none(fiber))?;
            }
        }
        if listed < group.len() {
            write!(f, "\n  and {} more", group.len() - listed)?;
        }
        if let Some(stack) = &group[0].stack {
            let text = if f.alternate() { format!("{stack:#}") } else { stack.to_string() };
            text.lines().try_for_each(|line| write!(f, "\n    {line}"))?;
        }
    }
    Ok(())
}

/// Returns the fibers with equal stacks, the largest group first, and those without a stack last.
fn groups(fibers: &[FiberSnapshot]) -> Vec<Vec<&FiberSnapshot>> {
    let mut places: HashMap<Option<&[usize]>, usize> = HashMap::new();
    let mut groups: Vec<Vec<&FiberSnapshot>> = Vec::new();
    for fiber in fibers {
        let addresses = fiber.stack.as_ref().map(StackTrace::addresses);
        let place = *places.entry(addresses).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(fiber);
    }
    groups.sort_by_key(|group| (group[0].stack.is_none(), usize::MAX - group.len()));
    groups
}

fn count(fibers: usize) -> String {
    let mut text = String::new();
    let _ = match fibers {
        1 => text.write_str("1 fiber"),
        _ => write!(text, "{fibers} fibers"),
    };
    text
}

/// Returns why a fiber of a dump with stacks has none.
fn why_none(fiber: &FiberSnapshot) -> &'static str {
    match fiber.activity {
        Activity::NotStarted => "it gets a stack when it starts",
        Activity::Abandoned => "stack not available: an abandoned fiber is never resumed",
        _ => "stack not available: too little memory is left for the walk",
    }
}
