//! The table of the guide's page "Which crate needs what" is true: its lines for `Cargo.toml` are
//! those of this package, and its code is that of these tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row of the table: the line for `Cargo.toml`, and the line of code.
struct Row {
    dependency: String,
    code: String,
}

#[test]
fn the_table_names_dependencies_and_code_of_these_tests() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = rows_of(&read(&package.join("../../src/guide/which_crate.rs")));
    assert!(24 <= rows.len(), "only {} rows were found", rows.len());
    let manifest = read(&package.join("Cargo.toml"));
    let sources = without_spaces(&sources_in(&package.join("tests")));
    let mut listed = BTreeSet::new();
    for Row { dependency, code } in &rows {
        let name = name_of(dependency);
        let found = manifest.lines().any(|line| line == dependency);
        assert!(found, "Cargo.toml has another line for {name} than the page: {dependency}");
        let found = sources.contains(&without_spaces(code));
        assert!(found, "no test contains the page's line for {name}: {code}");
        let test = format!("fn{}", name.replace('-', "_"));
        let has_file = package.join("tests").join(format!("{name}.rs")).exists();
        assert!(has_file || sources.contains(&test), "{name} has no test that is named after it");
        listed.insert(name);
    }
    let lines = manifest.lines().skip_while(|line| *line != "[dev-dependencies]").skip(1);
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if let Some((name, _)) = line.split_once(" = ") {
            // What tests use beside the crates that they are about, and what examples use.
            let tools = [
                "fibra",
                "flate2",
                "http-body-util",
                "prost",
                "ratatui",
                "serde",
                "serde_json",
                "tonic-health",
                "tonic-prost",
            ];
            let is_tool = tools.contains(&name);
            assert!(is_tool || listed.contains(name), "the page does not list {name}");
        }
    }
}

/// Returns the rows whose first cell is a line for `Cargo.toml`.
fn rows_of(page: &str) -> Vec<Row> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let cells = rows.map(|row| row.replace(r"\|", "\0"));
    let split = cells.map(|row| row.split(" | ").map(str::to_string).collect::<Vec<_>>());
    let dependencies = split.filter(|cells| cells[0].contains(" = "));
    let clean = |cell: &str| cell.trim_matches('`').replace('\0', "|");
    dependencies.map(|row| Row { dependency: clean(&row[0]), code: clean(&row[1]) }).collect()
}

fn name_of(dependency: &str) -> &str {
    dependency.split_once(" = ").expect("rows are chosen by it").0
}

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Returns the texts of all files in `folder` and its folders, except this one.
fn sources_in(folder: &Path) -> String {
    let mut sources = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources += &sources_in(&path);
        } else if !path.ends_with("table.rs") {
            sources += &read(&path);
        }
    }
    sources
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
