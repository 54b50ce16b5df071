//! Bars as SVG text, without script, font or network; and what curves share with them.
//!
//! Colours are CSS classes, so that the page decides them for light and dark. Every mark has its
//! number beside or below it, and each figure has a title and a description for screen readers.

use std::fmt::Write;

/// The sizes of a drawing. Each chart is drawn for wide and for narrow screens, and the style of
/// the page shows one of the two: a drawing that is scaled down has text that cannot be read.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    class: &'static str,
    pub(crate) width: f64,
    /// Where bars begin: beside their labels, or below them.
    bars_from: f64,
    /// The room for the numbers behind the longest bar.
    behind_bars: f64,
    /// The distance between two bars.
    row: f64,
    labels_above: bool,
    /// The left and right end of a curve's axis.
    pub(crate) axis: [f64; 2],
    /// Whether the numbers of a curve stand in rows below it.
    pub(crate) rows_of_numbers: bool,
}

pub(crate) const WIDE: Layout = Layout {
    class: "wide",
    width: 760.0,
    bars_from: 232.0,
    behind_bars: 150.0,
    row: 30.0,
    labels_above: false,
    axis: [150.0, 621.0],
    rows_of_numbers: true,
};

pub(crate) const NARROW: Layout = Layout {
    class: "narrow",
    width: 340.0,
    bars_from: 0.0,
    behind_bars: 118.0,
    row: 46.0,
    labels_above: true,
    axis: [60.0, 338.0],
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

pub(crate) fn open(layout: Layout, title: &str, description: &str, height: f64) -> String {
    let Layout { class, width, .. } = layout;
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{}</title>\
         <desc>{}</desc>",
        escape(title),
        escape(description)
    )
}

pub(crate) fn text(svg: &mut String, [x, middle]: [f64; 2], class: &str, words: &str) {
    let y = middle + 4.5;
    let _ = write!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(words));
}

fn describe_bars(bars: &[Bar]) -> String {
    let part = |bar: &Bar| format!("{}: {} {}", bar.label, bar.text, bar.aside);
    bars.iter().map(part).collect::<Vec<_>>().join("; ")
}

/// Escapes a text for HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
