//! The tables on the terminal: medians, their spread, the gain of each number of threads, and what
//! part of each contender's time fibra takes.

use crate::contenders::{NOT_APPLICABLE, REFERENCE};
use crate::measure::Row;
use crate::workloads::Point;

/// Returns a table with one line per contender that can do the workload.
pub(crate) fn table(point: &Point, rows: &[Row], threads: &[usize]) -> String {
    let mut head = format!("  {:<14}", "threads:");
    for n in threads {
        head += &format!("{:>30}", format!("{n} (min .. max)"));
    }
    head += &format!("{:>22}{:>28}", "first / last", "fibra's share of it");
    let reference = rows.iter().find(|row| row.contender.name == REFERENCE);
    let rows = rows.iter().filter(|row| row.cannot.as_deref() != Some(NOT_APPLICABLE));
    let lines = rows.map(|row| line(row, reference)).collect::<String>();
    format!("{}\n{head}\n{lines}", point.title)
}

fn line(row: &Row, reference: Option<&Row>) -> String {
    let mut text = format!("  {:<14}", row.contender.name);
    if let Some(reason) = &row.cannot {
        return format!("{text}  ({reason})\n");
    }
    for costs in &row.costs {
        text += &format!("{:>30}", times(costs));
    }
    let (first, last) = (&row.costs[0], &row.costs[row.costs.len() - 1]);
    let gain = if 1 < row.costs.len() { ratio(first, last) } else { String::new() };
    let share = match reference {
        Some(reference) if reference.contender.name != row.contender.name => {
            ratio(&reference.costs[reference.costs.len() - 1], last)
        }
        _ => String::new(),
    };
    format!("{text}{gain:>22}{share:>28}").trim_end().to_owned() + "\n"
}

fn times(costs: &[f64]) -> String {
    if costs.is_empty() {
        return "-".into();
    }
    let (lowest, highest) = range(costs);
    let number = |cost: f64| if cost < 99.95 { format!("{cost:.1}") } else { format!("{cost:.0}") };
    format!("{} ({} .. {})", number(middle(costs)), number(lowest), number(highest))
}

/// Returns the median of the ratios within each round, with the least and the greatest.
fn ratio(upper: &[f64], lower: &[f64]) -> String {
    let ratios: Vec<f64> = upper.iter().zip(lower).map(|(upper, lower)| upper / lower).collect();
    if ratios.is_empty() {
        return String::new();
    }
    let (lowest, highest) = range(&ratios);
    format!("{:.2} ({lowest:.2} .. {highest:.2})", middle(&ratios))
}

fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::MAX, 0.0), |(lowest, highest), value| (value.min(lowest), value.max(highest)))
}

/// The median.
fn middle(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}
