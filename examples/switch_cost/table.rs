//! The table on the terminal: medians, spread, and each contender as a multiple of fibra.

use crate::measure::{Figures, Outcome};
use crate::plan::{Group, Unit};
use std::fmt::Write;

/// Renders one group, with a line per entry.
pub(crate) fn render(group: &Group, outcomes: &[Outcome]) -> String {
    let fibra = reference(group, outcomes);
    let mut text = format!("{}\n", group.title);
    for (entry, outcome) in group.entries.iter().zip(outcomes) {
        let _ = match outcome {
            Outcome::Measured(figures) => writeln!(
                text,
                "  {:<32} {:>10}  {:>9}  {}",
                entry.label,
                amount(figures.median, group.unit),
                ratio(figures.median, fibra),
                spread(*figures, group.unit),
            ),
            Outcome::Cannot(reason) => {
                writeln!(text, "  {:<32} {:>10}  {reason}", entry.label, "–")
            }
        };
    }
    text
}

/// Returns fibra's median in the group: that of its first bar that belongs to fibra.
pub(crate) fn reference(group: &Group, outcomes: &[Outcome]) -> Option<f64> {
    let entries = group.entries.iter().zip(outcomes);
    entries
        .filter(|(entry, _)| entry.contender.kind == crate::contenders::Kind::Fibra)
        .find_map(|(_, outcome)| outcome.median())
}

/// Writes a number with few digits and its unit.
pub(crate) fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value < 9.95 => format!("{value:.1} ns"),
        Unit::Nanoseconds if value < 9_950.0 => format!("{value:.0} ns"),
        Unit::Nanoseconds => format!("{:.0} µs", value / 1_000.0),
        Unit::Bytes if value < 995.0 => format!("{value:.0} B"),
        Unit::Bytes => format!("{:.1} KB", value / 1_000.0),
    }
}

/// Writes `value` as a multiple of fibra's.
pub(crate) fn ratio(value: f64, fibra: Option<f64>) -> String {
    let Some(fibra) = fibra else { return String::new() };
    match value / fibra {
        ratio if ratio < 9.95 => format!("{ratio:.2}×"),
        ratio => format!("{ratio:.0}×"),
    }
}

/// Writes the lowest and the highest sample.
pub(crate) fn spread(figures: Figures, unit: Unit) -> String {
    format!("{} … {}", amount(figures.lowest, unit), amount(figures.highest, unit))
}
