//! The same picture as one page of HTML, which needs no other file and no network.

use std::fmt::Write;

use crate::model::Picture;
use crate::order::Order;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Fibers</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse; width: 100% }
th { text-align: left; cursor: pointer; border-bottom: 2px solid #888 }
td { border-bottom: 1px solid #ddd; vertical-align: top; padding: 2px 12px 2px 0 }
td:nth-child(3), td:nth-child(4) { text-align: right; font-variant-numeric: tabular-nums }
code { font-size: 13px }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } td { border-color: #333 } }
</style>
"#;

/// Sorts by the column that was clicked, and hides the rows in which the filter does not occur.
const SCRIPT: &str = r##"<script>
const body = document.querySelector("#fibers tbody"), rows = [...body.rows];
document.querySelector("#filter").oninput = event =>
    rows.forEach(row => row.hidden = !row.textContent.includes(event.target.value));
document.querySelectorAll("th").forEach((head, column) => head.onclick = () => {
    const key = row => row.cells[column].dataset.key ?? row.cells[column].textContent;
    const order = (a, b) => column == 2 || column == 3 ? key(b) - key(a)
        : column == 0 ? key(a) - key(b) : key(a).localeCompare(key(b));
    body.append(...[...rows].sort(order));
});
</script>
</html>
"##;

pub fn of(picture: &Picture) -> String {
    let mut page = String::from(HEAD);
    let states = picture.states().into_iter();
    let states: Vec<_> = states.map(|(state, count)| format!("{count} {state}")).collect();
    let _ = write!(
        page,
        "<h1>{} fibers</h1>\n<p>{}</p>\n<ul>\n",
        picture.fibers.len(),
        states.join(", ")
    );
    for (title, counters) in &picture.schedulers {
        let counters: Vec<_> =
            counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let _ = writeln!(page, "<li>{}: {}</li>", escaped(title), escaped(&counters.join(", ")));
    }
    page += "</ul>\n<p><input id=\"filter\" placeholder=\"filter\"></p>\n<table id=\"fibers\">\n\
             <thead><tr><th>fiber</th><th>state</th><th>waits</th><th>stack</th>\
             <th>for what, and where</th><th>spawned at</th></tr></thead>\n<tbody>\n";
    for (place, (depth, fiber)) in picture.rows(Order::Tree, "").into_iter().enumerate() {
        let _ = writeln!(
            page,
            "<tr><td data-key=\"{place}\" style=\"padding-left: {depth}em\">{}</td><td>{}</td>\
             <td data-key=\"{}\">{:.1?}</td><td data-key=\"{}\">{} B</td><td><code>{}</code></td>\
             <td><code>{}</code></td></tr>",
            escaped(&fiber.title),
            escaped(&fiber.state),
            fiber.waiting.as_micros(),
            fiber.waiting,
            fiber.stack,
            fiber.stack,
            escaped(&fiber.wait),
            escaped(&fiber.spawned),
        );
    }
    page += "</tbody>\n</table>\n";
    page + SCRIPT
}

/// Returns `text` so that a browser shows it as it stands there, also in an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}
