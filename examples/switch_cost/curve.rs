//! Curves as SVG text: a cost over a number of tasks or calls, in the style of [`charts`].
//!
//! [`charts`]: crate::charts

use crate::charts::{Layout, NARROW, WIDE, open, text};
use crate::plan::grouped;
use std::fmt::Write;

/// One line of a curve.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// The CSS class of its colour.
    pub(crate) class: &'static str,
    /// The pattern that distinguishes it from other lines of its kind.
    pub(crate) dashes: &'static str,
    /// Where on the axis, and the lowest, the median and the highest sample.
    pub(crate) points: Vec<(u64, [f64; 3])>,
}

/// What a curve's horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Tasks, on a logarithmic axis.
    Tasks,
    /// Calls, at equal distances.
    Calls,
}

/// Draws the cost, on a logarithmic axis, over what `axis` counts, with a row of numbers per line
/// below.
pub(crate) fn draw(title: &str, unit: &str, axis: Axis, lines: &[Line]) -> String {
    if lines.is_empty() {
        return "<p>This run has not measured it.</p>\n".to_owned();
    }
    [WIDE, NARROW].map(|layout| draw_curve(layout, title, unit, axis, lines)).concat()
}

fn draw_curve(layout: Layout, title: &str, unit: &str, axis: Axis, lines: &[Line]) -> String {
    let frame = Frame::around(layout, axis, lines);
    let mut svg = open(layout, title, &describe_lines(lines, unit), frame.height(lines));
    frame.grid(&mut svg, unit);
    // The lines from the lowest to the highest samples lie below all others, and beside each other.
    for (i, line) in lines.iter().enumerate() {
        let aside = 3.0 * (i as f64 - (lines.len() - 1) as f64 / 2.0);
        for &(at, [lowest, _, highest]) in &line.points {
            let ends = [frame.y(lowest), frame.y(highest)];
            spread(&mut svg, line.class, frame.x(at) + aside, ends);
        }
    }
    for line in lines {
        let place = |&(at, [_, cost, _]): &(u64, [f64; 3])| {
            format!("{:.1},{:.1}", frame.x(at), frame.y(cost))
        };
        let points: Vec<String> = line.points.iter().map(place).collect();
        let _ = write!(
            svg,
            r#"<polyline class="line {}" stroke-dasharray="{}" points="{}"/>"#,
            line.class,
            line.dashes,
            points.join(" "),
        );
    }
    for line in lines {
        for &(at, [_, cost, _]) in &line.points {
            let (x, y, class) = (frame.x(at), frame.y(cost), line.class);
            let _ = write!(svg, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#);
        }
    }
    if layout.rows_of_numbers {
        frame.names(&mut svg, lines);
        frame.numbers(&mut svg, lines);
    } else {
        frame.legend(&mut svg, lines);
    }
    svg + "</svg>\n"
}

/// The plotting area of a curve, and the rows of numbers below it.
struct Frame {
    layout: Layout,
    axis: Axis,
    /// What the axis counts, at each point of any line.
    counts: Vec<u64>,
    lowest: f64,
    highest: f64,
}

impl Frame {
    const TOP: f64 = 14.0;
    const BOTTOM: f64 = 330.0;
    /// The distance between two rows of numbers, or two names of lines.
    const ROW: f64 = 21.0;

    fn around(layout: Layout, axis: Axis, lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let mut counts: Vec<u64> = points().map(|point| point.0).collect();
        counts.sort_unstable();
        counts.dedup();
        let costs = || points().flat_map(|point| point.1);
        Self {
            layout,
            axis,
            counts,
            lowest: costs().fold(f64::INFINITY, f64::min) / 1.15,
            highest: costs().fold(1.0, f64::max) * 1.15,
        }
    }

    fn height(&self, lines: &[Line]) -> f64 {
        let rows = match self.layout.rows_of_numbers {
            true => lines.len(),
            false => self.legend_of(lines).last().map_or(1, |(row, _, _)| row + 1),
        };
        Self::BOTTOM + 46.0 + (Self::ROW + 4.0) * rows as f64
    }

    fn x(&self, at: u64) -> f64 {
        let (first, last) = (self.counts[0] as f64, self.counts[self.counts.len() - 1] as f64);
        let share = match self.axis {
            Axis::Tasks => (at as f64 / first).ln() / (last / first).ln().max(1.0),
            Axis::Calls => {
                let index = self.counts.iter().position(|&count| count == at).unwrap_or(0);
                index as f64 / (self.counts.len() - 1).max(1) as f64
            }
        };
        let [left, right] = self.layout.axis;
        left + 16.0 + share * (right - left - 32.0)
    }

    fn y(&self, cost: f64) -> f64 {
        let share = (cost / self.lowest).ln() / (self.highest / self.lowest).ln();
        Self::BOTTOM - share * (Self::BOTTOM - Self::TOP)
    }

    fn grid(&self, svg: &mut String, unit: &str) {
        let [left, right] = self.layout.axis;
        // Over many powers of ten, lines at 2 and 5 would be too close to each other.
        let steps: &[i32] = if self.highest < 2_000.0 * self.lowest { &[1, 2, 5] } else { &[1] };
        for power in 0..8 {
            for &step in steps {
                let cost = f64::from(step * 10_i32.pow(power));
                if (self.lowest..=self.highest).contains(&cost) {
                    let y = self.y(cost);
                    let _ = write!(svg, r#"<path class="grid" d="M{left} {y:.1}H{right}"/>"#);
                    let words = format!("{} {unit}", grouped(cost as u64));
                    text(svg, [left - 6.0, y], "tick end", &words);
                }
            }
        }
        let mut taken = f64::NEG_INFINITY;
        for &tasks in &self.counts {
            let x = self.x(tasks);
            let half = |words: &str| 3.4 * words.len() as f64;
            let long = grouped(tasks);
            let fits = self.layout.rows_of_numbers && taken < x - half(&long);
            let words = if fits { long } else { short(tasks) };
            let half = half(&words);
            if taken < x - half {
                text(svg, [x, Self::BOTTOM + 18.0], "tick middle", &words);
                taken = x + half + 6.0;
            }
        }
        let middle = (self.x(self.counts[0]) + self.x(self.counts[self.counts.len() - 1])) / 2.0;
        let words = match self.axis {
            Axis::Tasks => "tasks (both axes are logarithmic)",
            Axis::Calls => "calls between the wait and the task's loop",
        };
        text(svg, [middle, Self::BOTTOM + 38.0], "aside middle", words);
    }

    /// Returns the row of each line's name below a narrow drawing, and where it begins in it.
    fn legend_of<'a>(&self, lines: &'a [Line]) -> Vec<(usize, f64, &'a Line)> {
        let (mut row, mut x) = (0, 0.0);
        let place = |line: &'a Line| {
            let width = 7.2 * line.name.len() as f64;
            if self.layout.width < x + width {
                (row, x) = (row + 1, 0.0);
            }
            let place = (row, x, line);
            x += width + 20.0;
            place
        };
        lines.iter().map(place).collect()
    }

    /// Writes the names of the lines below a narrow drawing.
    fn legend(&self, svg: &mut String, lines: &[Line]) {
        for (row, x, line) in self.legend_of(lines) {
            let y = Self::BOTTOM + 64.0 + Self::ROW * row as f64;
            text(svg, [x, y], &format!("number {}", line.class), &line.name);
        }
    }

    /// Writes the name of each line behind its last point, moved up where two names would overlap.
    fn names(&self, svg: &mut String, lines: &[Line]) {
        let mut ends: Vec<(f64, f64, &Line)> = Vec::new();
        for line in lines {
            let last = line.points.last();
            ends.extend(last.map(|&(at, [_, cost, _])| (self.y(cost), self.x(at), line)));
        }
        ends.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut ceiling = f64::INFINITY;
        for (y, x, line) in ends {
            let y = y.min(ceiling - Self::ROW + 5.0);
            ceiling = y;
            text(svg, [x + 14.0, y], &format!("number {}", line.class), &line.name);
        }
    }

    /// Writes the numbers of each line in a row, each number below its point.
    fn numbers(&self, svg: &mut String, lines: &[Line]) {
        for (row, line) in lines.iter().enumerate() {
            let middle = Self::BOTTOM + 66.0 + Self::ROW * row as f64;
            text(svg, [0.0, middle], &format!("number {}", line.class), &line.name);
            for &(at, [_, cost, _]) in &line.points {
                let class = format!("number middle {}", line.class);
                text(svg, [self.x(at), middle], &class, &number(cost));
            }
        }
    }
}

/// Draws the line from the lowest to the highest sample, unless the point would hide it.
fn spread(svg: &mut String, class: &str, x: f64, [low, high]: [f64; 2]) {
    if low - high < 8.0 {
        return;
    }
    let (left, right) = (x - 2.5, x + 2.5);
    let caps = format!("M{left:.1} {low:.1}H{right:.1}M{left:.1} {high:.1}H{right:.1}");
    let path = format!("M{x:.1} {low:.1}V{high:.1}{caps}");
    let _ = write!(svg, r#"<path class="line spread {class}" d="{path}"/>"#);
}

/// Writes a number of tasks with few characters: `30k`, `1M`.
fn short(tasks: u64) -> String {
    match tasks {
        0..1_000 => tasks.to_string(),
        1_000..1_000_000 => format!("{}k", tasks / 1_000),
        _ => format!("{}M", tasks / 1_000_000),
    }
}

fn number(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { grouped(value.round() as u64) }
}

fn describe_lines(lines: &[Line], unit: &str) -> String {
    let point = |&(at, [_, cost, _]): &(u64, [f64; 3])| {
        format!("{} {unit} at {}", number(cost), grouped(at))
    };
    let part = |line: &Line| {
        let points: Vec<String> = line.points.iter().map(point).collect();
        format!("{}: {}", line.name, points.join(", "))
    };
    lines.iter().map(part).collect::<Vec<_>>().join("; ")
}
