//! The tables on the terminal: medians and their spread, and each contender relative to the limit.

use std::time::Duration;

use crate::contenders::LIMITS;
use crate::matrix::Row;
use crate::sample::{Point, Sample};

const COLUMNS: usize = 11;
/// The widths of all columns except the first.
const WIDTHS: [usize; COLUMNS - 1] = [8, 16, 18, 7, 7, 6, 18, 6, 6, 5];

pub(crate) fn title(point: Point, rounds: usize, length: Duration) -> String {
    let Point { load, connections } = point;
    let seconds = length.as_secs_f64();
    format!("{load}, {connections} connections; {rounds} samples of {seconds} s each")
}

/// Returns a table with one line per contender.
pub(crate) fn table(rows: &[Row]) -> String {
    let limit = rows.iter().find(|row| LIMITS.contains(&row.contender.name));
    let of = limit.map_or(String::new(), |limit| format!("of {}'s", limit.contender.name));
    let mut text =
        line(["", "requests", "", &of, "p50", "p99", "server", &of, "in the", "server", "load"]);
    text += &line([
        "",
        "/s",
        "min .. max",
        "(min .. max)",
        "µs",
        "µs",
        "µs",
        "(min .. max)",
        "kernel",
        "busy",
        "busy",
    ]);
    for row in rows {
        let of_limit = |figure| limit.map_or(String::new(), |limit| share(row, limit, figure));
        let rate = |sample: &Sample| sample.requests_per_second;
        text += &line([
            row.contender.name,
            &format!("{:.0}", median(row, rate)),
            &spread(row),
            &of_limit(rate),
            &microseconds(row, |sample| sample.p50),
            &microseconds(row, |sample| sample.p99),
            &microseconds(row, |sample| sample.time),
            &of_limit(|sample| sample.time.as_secs_f64()),
            &percent(median(row, |sample| sample.kernel)),
            &percent(median(row, |sample| sample.server_busy)),
            &percent(median(row, |sample| sample.generator_busy)),
        ]);
    }
    text
}

fn line(cells: [&str; COLUMNS]) -> String {
    let [name, cells @ ..] = cells;
    let widths = WIDTHS.iter().zip(cells);
    let rest: String = widths.map(|(width, cell)| format!("  {cell:>width$}")).collect();
    format!("  {name:<8}{rest}\n")
}

fn median(row: &Row, figure: impl Fn(&Sample) -> f64) -> f64 {
    middle(row.samples.iter().map(figure).collect())
}

fn microseconds(row: &Row, figure: impl Fn(&Sample) -> Duration) -> String {
    match median(row, |sample| figure(sample).as_secs_f64()) * 1e6 {
        time if time < 99.95 => format!("{time:.1}"),
        time => format!("{time:.0}"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Returns the slowest and the fastest sample.
fn spread(row: &Row) -> String {
    let rates = || row.samples.iter().map(|sample| sample.requests_per_second);
    let (lowest, highest) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
    format!("{lowest:.0} .. {highest:.0}")
}

/// Returns a figure of the row as a multiple of the limit's figure in the same round.
fn share(row: &Row, limit: &Row, figure: fn(&Sample) -> f64) -> String {
    let pairs = row.samples.iter().zip(&limit.samples);
    let shares: Vec<f64> = pairs.map(|(own, limit)| figure(own) / figure(limit)).collect();
    let (lowest, highest) = shares.iter().fold((f64::MAX, 0.0_f64), |(lowest, highest), share| {
        (lowest.min(*share), highest.max(*share))
    });
    format!("{:.2} ({lowest:.2} .. {highest:.2})", middle(shares))
}

/// The median.
pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}
