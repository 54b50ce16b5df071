//! Bars and curves as SVG text, without script, font or network.
//!
//! Colours are CSS classes, so that the page decides them for light and dark. Every mark has its
//! number beside or below it, and each figure has a title and a description for screen readers.

use crate::plan::grouped;
use std::fmt::Write;

/// The sizes of a drawing. Each chart is drawn for wide and for narrow screens, and the style of
/// the page shows one of the two: a drawing that is scaled down has text that cannot be read.
#[derive(Clone, Copy)]
struct Layout {
    class: &'static str,
    width: f64,
    /// Where bars begin: beside their labels, or below them.
    bars_from: f64,
    /// The room for the numbers behind the longest bar.
    behind_bars: f64,
    /// The distance between two bars.
    row: f64,
    labels_above: bool,
    /// The left and right end of a curve's axis.
    axis: [f64; 2],
    /// Whether the numbers of a curve stand in rows below it.
    rows_of_numbers: bool,
}

const WIDE: Layout = Layout {
    class: "wide",
    width: 760.0,
    bars_from: 232.0,
    behind_bars: 150.0,
    row: 30.0,
    labels_above: false,
    axis: [150.0, 626.0],
    rows_of_numbers: true,
};

const NARROW: Layout = Layout {
    class: "narrow",
    width: 340.0,
    bars_from: 0.0,
    behind_bars: 118.0,
    row: 46.0,
    labels_above: true,
    axis: [44.0, 338.0],
    rows_of_numbers: false,
};

/// One bar of a bar chart.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    /// The CSS class of its colour.
    pub(crate) class: &'static str,
    /// Lowest, median and highest; `None` if the contender could not do it.
    pub(crate) values: Option<[f64; 3]>,
    /// The text beside the bar: its number, or the reason why there is none.
    pub(crate) text: String,
    /// A second, quieter text: the ratio.
    pub(crate) aside: String,
}

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

/// Draws horizontal bars from zero. A bar that would dwarf all others is cut, with a mark.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    [WIDE, NARROW].map(|layout| draw_bars(layout, title, bars)).concat()
}

fn draw_bars(layout: Layout, title: &str, bars: &[Bar]) -> String {
    let from = layout.bars_from;
    let longest = layout.width - from - layout.behind_bars;
    let scale = longest / full_length(bars);
    let height = layout.row * bars.len() as f64 + 4.0;
    let mut svg = open(layout, title, &describe_bars(bars), height);
    for (row, bar) in bars.iter().enumerate() {
        let top = layout.row * row as f64 + 2.0;
        let middle = if layout.labels_above { top + 31.0 } else { top + 15.0 };
        let label = if layout.labels_above { top + 11.0 } else { middle };
        text(&mut svg, [0.0, label], "label", &bar.label);
        let mut end = from;
        if let Some([lowest, median, highest]) = bar.values {
            let place = |value: f64| from + (value * scale).min(longest);
            end = place(median).max(from + 1.5);
            let (class, top, length) = (bar.class, middle - 9.0, end - from);
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{from}" y="{top:.1}" width="{length:.1}" height="18" rx="2"/>"#
            );
            if longest < median * scale * 0.999 {
                cut(&mut svg, end, middle);
            } else {
                whisker(&mut svg, [place(lowest), place(highest)], middle);
                end = end.max(place(highest));
            }
        }
        let aside = match bar.aside.is_empty() {
            true => String::new(),
            false => format!(r#" <tspan class="aside" dx="6">{}</tspan>"#, escape(&bar.aside)),
        };
        let class = if bar.values.is_some() { "value" } else { "aside" };
        let (x, y, words) = (end + 8.0, middle + 4.5, escape(&bar.text));
        let _ = write!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{words}{aside}</text>"#);
    }
    svg + "</svg>\n"
}

/// Draws the cost, on a logarithmic axis, over what `axis` counts, with a row of numbers per line
/// below.
pub(crate) fn curve(title: &str, unit: &str, axis: Axis, lines: &[Line]) -> String {
    if lines.is_empty() {
        return "<p>This run has not measured it.</p>\n".to_owned();
    }
    [WIDE, NARROW].map(|layout| draw_curve(layout, title, unit, axis, lines)).concat()
}

fn draw_curve(layout: Layout, title: &str, unit: &str, axis: Axis, lines: &[Line]) -> String {
    let frame = Frame::around(layout, axis, lines);
    let mut svg = open(layout, title, &describe_lines(lines, unit), frame.height(lines.len()));
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

    fn height(&self, lines: usize) -> f64 {
        let rows = if self.layout.rows_of_numbers { lines } else { 1 };
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

    /// Writes the names of the lines below a narrow drawing.
    fn legend(&self, svg: &mut String, lines: &[Line]) {
        let mut x = self.layout.axis[0];
        for line in lines {
            text(svg, [x, Self::BOTTOM + 64.0], &format!("number {}", line.class), &line.name);
            x += 7.2 * line.name.len() as f64 + 20.0;
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
            text(svg, [x + 9.0, y], &format!("number {}", line.class), &line.name);
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

/// Returns the value of the longest bar: the largest one, unless it is more than three times the
/// next.
fn full_length(bars: &[Bar]) -> f64 {
    let mut medians: Vec<f64> = bars.iter().filter_map(|bar| Some(bar.values?[1])).collect();
    medians.sort_by(|a, b| b.total_cmp(a));
    match medians[..] {
        [first, second, ..] if 3.0 * second < first => second * 1.25,
        [first, ..] => first,
        [] => 1.0,
    }
}

fn cut(svg: &mut String, end: f64, middle: f64) {
    let x = end - 26.0;
    let (top, bottom) = (middle - 11.0, middle + 11.0);
    let _ = write!(
        svg,
        r#"<path class="cut" d="M{x:.1} {bottom}l8 -22M{:.1} {top}l-8 22"/>"#,
        x + 16.0
    );
}

fn whisker(svg: &mut String, [from, to]: [f64; 2], middle: f64) {
    if to - from < 4.0 {
        return; // The caps would hide each other and the end of the bar.
    }
    // A line with a cap at each end, on a wider one in the colour of the page.
    let (top, bottom) = (middle - 5.0, middle + 5.0);
    let path =
        format!("M{from:.1} {middle}H{to:.1}M{from:.1} {top}V{bottom}M{to:.1} {top}V{bottom}");
    let _ = write!(svg, r#"<path class="halo" d="{path}"/><path class="whisker" d="{path}"/>"#);
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

fn open(layout: Layout, title: &str, description: &str, height: f64) -> String {
    let Layout { class, width, .. } = layout;
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{}</title>\
         <desc>{}</desc>",
        escape(title),
        escape(description)
    )
}

fn text(svg: &mut String, [x, middle]: [f64; 2], class: &str, words: &str) {
    let y = middle + 4.5;
    let _ = write!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(words));
}

fn describe_bars(bars: &[Bar]) -> String {
    let part = |bar: &Bar| format!("{}: {} {}", bar.label, bar.text, bar.aside);
    bars.iter().map(part).collect::<Vec<_>>().join("; ")
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

/// Escapes a text for HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
