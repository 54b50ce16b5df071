//! Draws bars and curves as SVG text: no script, no font, no network.
//!
//! Colours are CSS classes, so that the page decides them for light and dark. Every mark carries
//! its number, and each figure has a title and a description for readers who do not see it.

use crate::contenders::Kind;
use crate::plan::grouped;
use std::fmt::Write;

const WIDTH: f64 = 760.0;

/// One bar of a bar chart.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// Lowest, median and highest; none if the contender could not do it.
    pub(crate) values: Option<[f64; 3]>,
    /// What stands beside the bar: its number, or why there is none.
    pub(crate) text: String,
    /// A second, quieter text: the ratio.
    pub(crate) aside: String,
}

/// One line of a curve over the number of tasks.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The pattern that tells it from other lines of its kind.
    pub(crate) dashes: &'static str,
    pub(crate) points: Vec<(u64, f64)>,
}

/// Horizontal bars from zero. A bar that would dwarf all others is cut, and shown to be cut.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    const ROW: f64 = 30.0;
    const LEFT: f64 = 232.0;
    const RIGHT: f64 = 150.0;
    let scale = (WIDTH - LEFT - RIGHT) / full_length(bars);

    let height = ROW * bars.len() as f64 + 4.0;
    let mut svg = open(title, &describe_bars(bars), height);
    for (row, bar) in bars.iter().enumerate() {
        let middle = ROW * row as f64 + ROW / 2.0 + 2.0;
        let class = class(bar.kind);
        text(&mut svg, [0.0, middle], "label", &bar.label);
        let mut end = LEFT;
        if let Some([lowest, median, highest]) = bar.values {
            let place = |value: f64| LEFT + (value * scale).min(WIDTH - LEFT - RIGHT);
            end = place(median).max(LEFT + 1.5);
            let (top, length) = (middle - 9.0, end - LEFT);
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{LEFT}" y="{top:.1}" width="{length:.1}" height="18" rx="2"/>"#
            );
            if WIDTH - LEFT - RIGHT < median * scale * 0.999 {
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
        let _ = write!(
            svg,
            r#"<text class="{class}" x="{:.1}" y="{:.1}">{}{aside}</text>"#,
            end + 8.0,
            middle + 4.5,
            escape(&bar.text),
        );
    }
    svg + "</svg>\n"
}

/// Cost over the number of tasks: a logarithmic axis for the tasks, a linear one for the cost.
pub(crate) fn curve(title: &str, unit: &str, lines: &[Line]) -> String {
    let frame = Frame::around(lines);
    let mut svg = open(title, &describe_lines(lines, unit), Frame::HEIGHT);
    frame.grid(&mut svg, unit);
    for line in lines {
        let place =
            |&(tasks, cost): &(u64, f64)| format!("{:.1},{:.1}", frame.x(tasks), frame.y(cost));
        let points: Vec<String> = line.points.iter().map(place).collect();
        let _ = write!(
            svg,
            r#"<polyline class="line {}" stroke-dasharray="{}" points="{}"/>"#,
            class(line.kind),
            line.dashes,
            points.join(" "),
        );
        for &(tasks, cost) in &line.points {
            let (x, y, class) = (frame.x(tasks), frame.y(cost), class(line.kind));
            let _ = write!(svg, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#);
        }
    }
    for &tasks in &frame.counts {
        frame.numbers(&mut svg, lines, tasks);
    }
    svg + "</svg>\n"
}

/// The plotting area of a curve.
struct Frame {
    counts: Vec<u64>,
    highest: f64,
}

impl Frame {
    const HEIGHT: f64 = 380.0;
    const LEFT: f64 = 44.0;
    const RIGHT: f64 = 150.0;
    const TOP: f64 = 14.0;
    const BOTTOM: f64 = 52.0;
    /// How far apart two numbers must stand to be read.
    const APART: f64 = 15.0;

    fn around(lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let mut counts: Vec<u64> = points().map(|point| point.0).collect();
        counts.sort_unstable();
        counts.dedup();
        Self { counts, highest: points().map(|point| point.1).fold(1.0, f64::max) * 1.06 }
    }

    fn x(&self, tasks: u64) -> f64 {
        let (first, last) = (self.counts[0] as f64, self.counts[self.counts.len() - 1] as f64);
        let share = (tasks as f64 / first).ln() / (last / first).ln().max(1.0);
        Self::LEFT + 10.0 + share * (WIDTH - Self::LEFT - Self::RIGHT)
    }

    fn y(&self, cost: f64) -> f64 {
        let height = Self::HEIGHT - Self::TOP - Self::BOTTOM;
        Self::TOP + height * (1.0 - cost / self.highest)
    }

    fn grid(&self, svg: &mut String, unit: &str) {
        let step = round_step(self.highest / 4.0);
        let mut cost = 0.0;
        while cost <= self.highest {
            let (y, right) = (self.y(cost), WIDTH - Self::RIGHT + 20.0);
            let _ = write!(svg, r#"<path class="grid" d="M{} {y:.1}H{right}"/>"#, Self::LEFT);
            let mark = if cost == 0.0 { format!("0 {unit}") } else { format!("{cost}") };
            text(svg, [Self::LEFT - 8.0, y], "tick end", &mark);
            cost += step;
        }
        let below = Self::HEIGHT - Self::BOTTOM + 18.0;
        for &tasks in &self.counts {
            text(svg, [self.x(tasks), below], "tick middle", &grouped(tasks));
        }
        let middle = (self.x(self.counts[0]) + self.x(self.counts[self.counts.len() - 1])) / 2.0;
        text(svg, [middle, below + 22.0], "aside middle", "tasks (logarithmic)");
    }

    /// Writes the numbers of one count above its points, pushed apart where they would overlap. At
    /// a line's end its number stands beside the point, with the line's name.
    fn numbers(&self, svg: &mut String, lines: &[Line], tasks: u64) {
        let mut marks: Vec<(f64, &Line, f64)> = Vec::new();
        for line in lines {
            let cost = line.points.iter().find(|point| point.0 == tasks);
            marks.extend(cost.map(|&(_, cost)| (self.y(cost), line, cost)));
        }
        marks.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut ceiling = f64::INFINITY;
        for (y, line, cost) in marks {
            let is_last = line.points.last().is_some_and(|point| point.0 == tasks);
            let above = if is_last { 0.0 } else { 12.0 };
            let y = (y - above).min(ceiling - Self::APART);
            ceiling = y;
            let class = class(line.kind);
            if is_last {
                let mark = format!("{} {}", number(cost), line.name);
                text(svg, [self.x(tasks) + 9.0, y], &format!("number {class}"), &mark);
            } else {
                text(svg, [self.x(tasks), y], &format!("number middle {class}"), &number(cost));
            }
        }
    }
}

/// What the longest bar stands for: the largest value, unless it is more than three times the next.
fn full_length(bars: &[Bar]) -> f64 {
    let mut medians: Vec<f64> = bars.iter().filter_map(|bar| Some(bar.values?[1])).collect();
    medians.sort_by(|a, b| b.total_cmp(a));
    match medians[..] {
        [first, second, ..] if 3.0 * second < first => second * 1.25,
        [first, ..] => first,
        [] => 1.0,
    }
}

fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| rough <= *step).unwrap_or(rough)
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
    let _ = write!(svg, r#"<path class="whisker" d="M{from:.1} {middle}H{to:.1}"/>"#);
}

fn number(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn open(title: &str, description: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><title>{}</title><desc>{}</desc>",
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
    let point =
        |&(tasks, cost): &(u64, f64)| format!("{} {unit} at {}", number(cost), grouped(tasks));
    let part = |line: &Line| {
        let points: Vec<String> = line.points.iter().map(point).collect();
        format!("{}: {}", line.name, points.join(", "))
    };
    lines.iter().map(part).collect::<Vec<_>>().join("; ")
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Fibra => "fibra",
        Kind::Future => "future",
        Kind::OtherStack => "other",
    }
}

/// Makes a text safe inside of HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
