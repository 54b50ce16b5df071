//! The page: an explanation of each chart, the charts, both sides of the trade, and all numbers.
//!
//! It is one file without script or network. Its sentences state numbers and name no winner, so
//! that they stay true on a machine where another contender is faster.

use crate::Measured;
use crate::charts::{self, Bar, escape};
use crate::contenders::{self, Kind};
use crate::curve::{self, Axis, Line};
use crate::machine::{BUSY, Machine};
use crate::measure::Outcome;
use crate::plan::{Chart, Curve, Effort, Group, Unit};
use crate::prose::{self, Numbers};
use crate::style::CSS;
use crate::table::{amount, ratio, reference, spread};
use std::fmt::Write;

/// Renders the whole page. `busy` is the share of the processors' time that other programs used.
pub(crate) fn render(
    measured: &[Measured],
    machine: &Machine,
    busy: Option<f64>,
    effort: Effort,
) -> String {
    let numbers = Numbers { measured };
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    let _ = write!(page, "<title>What a switch costs</title>\n<style>{CSS}</style>\n<main>\n");
    page += &opening(&numbers, busy);

    page += &section(prose::floor(), &bar_chart(measured, Chart::Floor));
    page += &section(prose::depth(), &bar_chart(measured, Chart::Depth));
    page += &section(prose::returning(), &curve_chart(measured, Curve::Returning));
    page += &section(prose::spawn_join(), &bar_chart(measured, Chart::SpawnJoin));
    page += &section(prose::rendezvous(), &bar_chart(measured, Chart::Rendezvous));
    page += &section(prose::buffered(), &bar_chart(measured, Chart::Buffered));
    page += &section(prose::memory(), &bar_chart(measured, Chart::Memory));

    page += &prose::growth(machine);
    page += &section(prose::yields(), &curve_chart(measured, Curve::Yield));
    page += &section(prose::messages(), &curve_chart(measured, Curve::Message));
    page += &section(prose::bursts(), &curve_chart(measured, Curve::Burst));
    page += &section(prose::parked(), &curve_chart(measured, Curve::Parked));

    page += &prose::both_sides(&numbers);
    page += &prose::method(effort);
    page += &all_numbers(measured);
    page += &footer(machine, busy);
    page + "</main>\n</html>\n"
}

fn opening(numbers: &Numbers<'_>, busy: Option<f64>) -> String {
    let mut text = String::from("<h1>What a switch costs</h1>\n");
    text += "<p class=\"lead\">Two ways to let one thread do many things: give each task a stack of \
             its own and switch between stacks (fibers), or compile each task into a state machine \
             and poll it (futures). This page shows what each step of both costs on this \
             machine.</p>\n";
    if let Some(share) = busy.filter(|share| BUSY < *share) {
        let percent = (share * 100.0).round();
        let _ = writeln!(
            text,
            "<p class=\"warning\"><b>The machine was busy.</b> Other programs used {percent}% of \
             its processors during the run, so the numbers are higher and spread more than on an \
             idle machine. Close other programs and run the comparison again.</p>"
        );
    }
    text += "<ul class=\"figures\">\n";
    for (class, figure, words) in numbers.headlines() {
        let _ = writeln!(text, "<li class=\"{class}\"><b>{figure}</b><span>{words}</span></li>");
    }
    text += "</ul>\n<ul class=\"legend\"><li class=\"fibra\">fibra, fibers</li>\
             <li class=\"future\">futures: tokio, polled by hand</li>\
             <li class=\"second\">futures: async-executor</li>";
    if contenders::go().is_some() {
        text += "<li class=\"third\">Go, goroutines</li>";
    }
    text += "<li>other stacks: bare switch, may, threads</li></ul>\n";
    text
}

/// Renders a heading, an explanation, the chart and its caption.
fn section(words: prose::Section, chart: &str) -> String {
    let prose::Section { heading, text, caption } = words;
    format!(
        "<section>\n<h2>{heading}</h2>\n<p>{text}</p>\n<figure>\n{chart}\
         <figcaption>{caption}</figcaption>\n</figure>\n</section>\n"
    )
}

fn bar_chart(measured: &[Measured], chart: Chart) -> String {
    let Some((group, outcomes)) = measured.iter().find(|(group, _)| group.chart == chart) else {
        return String::new();
    };
    let fibra = reference(group, outcomes);
    let bars: Vec<Bar> = group
        .entries
        .iter()
        .zip(outcomes)
        .map(|(entry, outcome)| {
            let (label, class) = (entry.label.clone(), entry.contender.class());
            match outcome {
                Outcome::Measured(figures) => Bar {
                    label,
                    class,
                    values: Some([figures.lowest, figures.median, figures.highest]),
                    text: amount(figures.median, group.unit),
                    aside: ratio(figures.median, fibra),
                },
                Outcome::Cannot(reason) => {
                    Bar { label, class, values: None, text: reason.clone(), aside: String::new() }
                }
            }
        })
        .collect();
    charts::bars(&group.title, &bars)
}

fn curve_chart(measured: &[Measured], of: Curve) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for (group, outcomes) in measured {
        let Chart::Point { curve, at } = group.chart else { continue };
        for (entry, outcome) in group.entries.iter().zip(outcomes) {
            let Outcome::Measured(figures) = outcome else { continue };
            if curve != of {
                continue;
            }
            let values = [figures.lowest, figures.median, figures.highest];
            match lines.iter_mut().find(|line| line.name == entry.label) {
                Some(line) => line.points.push((at, values)),
                None => lines.push(Line {
                    name: entry.label.clone(),
                    class: entry.contender.class(),
                    dashes: dashes(&entry.label, entry.contender.kind, entry.contender.class()),
                    points: vec![(at, values)],
                }),
            }
        }
    }
    let (title, unit, axis) = match of {
        Curve::Yield => ("nanoseconds per yield over the number of tasks", "ns", Axis::Tasks),
        Curve::Returning => ("nanoseconds per yield over the number of calls", "ns", Axis::Calls),
        Curve::Message => ("nanoseconds per message over the number of tasks", "ns", Axis::Tasks),
        Curve::Burst => ("nanoseconds per task of a burst over their number", "ns", Axis::Tasks),
        Curve::Parked => ("bytes per waiting task over their number", "B", Axis::Tasks),
    };
    curve::draw(title, unit, axis, &lines)
}

/// Returns the dashes of a line: colour alone must not be what distinguishes two lines.
fn dashes(label: &str, kind: Kind, class: &str) -> &'static str {
    match (kind, class) {
        _ if label.ends_with("first burst") => "1 5",
        _ if label.ends_with("plain") => "12 3 2 3",
        (Kind::Future, "second") => "7 4",
        (Kind::OtherStack, "other") => "2 4",
        _ => "none",
    }
}

fn all_numbers(measured: &[Measured]) -> String {
    let mut text = String::from("<h2>All numbers</h2>\n<table>\n<caption>");
    text += "The median of each bar, as a multiple of fibra's, with the lowest and the highest \
             sample.</caption>\n<thead><tr><th scope=\"col\"></th><th scope=\"col\">median</th>\
             <th scope=\"col\">beside fibra</th><th scope=\"col\">lowest … highest</th></tr></thead>\n";
    for (group, outcomes) in measured {
        let title = escape(&group.title);
        let _ =
            writeln!(text, "<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"4\">{title}</th></tr>");
        text += &rows(group, outcomes);
        text += "</tbody>\n";
    }
    text + "</table>\n"
}

fn rows(group: &Group, outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let fibra = reference(group, outcomes);
    for (entry, outcome) in group.entries.iter().zip(outcomes) {
        let _ = write!(text, "<tr><th scope=\"row\">{}</th>", escape(&entry.label));
        let _ = match outcome {
            Outcome::Measured(figures) => writeln!(
                text,
                "<td>{}</td><td>{}</td><td class=\"spread\">{}</td></tr>",
                exact(figures.median, group.unit),
                ratio(figures.median, fibra),
                spread(*figures, group.unit),
            ),
            Outcome::Cannot(reason) => {
                writeln!(text, "<td class=\"reason\" colspan=\"3\">{}</td></tr>", escape(reason))
            }
        };
    }
    text
}

/// One more digit than the charts show.
fn exact(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value < 1_000.0 => format!("{value:.1} ns"),
        _ => amount(value, unit),
    }
}

fn footer(machine: &Machine, busy: Option<f64>) -> String {
    let Machine { processor, cores, system, compiler, command, caches: _ } = machine;
    let cores = if *cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let facts = [processor.as_str(), &cores, system, compiler].map(escape).join(" · ");
    let busy = busy.map_or(String::new(), |share| {
        format!("Other programs used {:.0}% of the processors meanwhile.", share * 100.0)
    });
    format!("<footer>{facts}<br>{busy}<br>Measured by <code>{}</code></footer>\n", escape(command))
}
