//! Walks over a tree and counts per room. A room is a folder of `src`, or a document, or one of the
//! other folders.

use crate::prose::Passage;
use crate::reading::parts_of;
use crate::turns::Turns;
use crate::{numbers, prose, summaries, turns};
use std::fs;
use std::path::{Path, PathBuf};

/// The widest a comment may be, in characters.
const WIDEST: usize = 100;

/// Folders and files outside of `src`, each with the name of its room.
const OTHERS: &[(&str, &str)] = &[
    ("examples", "examples"),
    ("benches", "benches"),
    ("tests", "tests"),
    (".ci", "build and CI"),
    ("build.rs", "build and CI"),
    ("Cargo.toml", "build and CI"),
    ("clippy.toml", "build and CI"),
    ("rustfmt.toml", "build and CI"),
    ("README.md", "README"),
    ("ARCHITECTURE.md", "ARCHITECTURE"),
    ("SAFETY.md", "SAFETY"),
    ("CHANGELOG.md", "CHANGELOG"),
];

/// The findings in one room. Each fault begins with the file and the line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    pub(crate) name: String,
    /// Words of comments and documents.
    pub(crate) words: usize,
    pub(crate) stilted: Vec<String>,
    pub(crate) weak: Vec<String>,
    /// The number of `pub fn` whose summary opens with a verb.
    pub(crate) with_verb: usize,
    pub(crate) without_verb: Vec<String>,
    pub(crate) wide: Vec<String>,
    pub(crate) numbers: Vec<String>,
    pub(crate) texts: Vec<String>,
    pub(crate) names: Vec<String>,
}

impl Room {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Returns the share of summaries that open with a verb, in percent.
    pub(crate) fn verb_share(&self) -> f64 {
        let n = self.with_verb + self.without_verb.len();
        if n == 0 { 100.0 } else { 100.0 * self.with_verb as f64 / n as f64 }
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &String> {
        let docs = self.stilted.iter().chain(&self.weak).chain(&self.without_verb);
        docs.chain(&self.wide).chain(&self.numbers).chain(&self.texts).chain(&self.names)
    }

    fn add(&mut self, other: Self) {
        self.words += other.words;
        self.stilted.extend(other.stilted);
        self.weak.extend(other.weak);
        self.with_verb += other.with_verb;
        self.without_verb.extend(other.without_verb);
        self.wide.extend(other.wide);
        self.numbers.extend(other.numbers);
        self.texts.extend(other.texts);
        self.names.extend(other.names);
    }
}

/// Measures the tree at `root`, by rooms, in the order of their names.
pub(crate) fn measure(root: &Path) -> Vec<Room> {
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    OTHERS.iter().for_each(|(path, _)| collect(&root.join(path), &mut files));
    files.sort();
    let halves = files.split_at(files.len() / 2);
    let found = std::thread::scope(|threads| {
        let other = threads.spawn(|| measure_files(root, halves.1));
        [measure_files(root, halves.0), other.join().expect("it only reads")].concat()
    });
    let mut rooms: Vec<Room> = Vec::new();
    for (name, room) in found {
        match rooms.iter_mut().find(|room| room.name == name) {
            Some(found) => found.add(room),
            None => rooms.push(Room { name, ..room }),
        }
    }
    rooms.sort_by(|one, other| one.name.cmp(&other.name));
    rooms
}

fn measure_files(root: &Path, files: &[PathBuf]) -> Vec<(String, Room)> {
    let measured = files.iter().map(|file| {
        let path = file.strip_prefix(root).expect("it was found there");
        let path = path.to_str().expect("names of files are ASCII");
        let text = fs::read_to_string(file).expect("sources are text");
        (room_of(path), measure_file(path, &text))
    });
    measured.collect()
}

/// Adds `path` to `files`; of a folder, all files with comments in and below it.
fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder can be read");
        entries.for_each(|entry| collect(&entry.expect("an entry has a path").path(), files));
    } else if path.is_file() && style_of(&path.to_string_lossy()).is_some() {
        files.push(path.into());
    }
}

fn room_of(path: &str) -> String {
    if let Some(inside) = path.strip_prefix("src/") {
        return match inside.split_once('/') {
            Some((folder, _)) => format!("src/{folder}"),
            None => "src".into(),
        };
    }
    let first = path.split('/').next().expect("a path has a first segment");
    let row = OTHERS.iter().find(|(folder, _)| *folder == first);
    row.map_or(first, |(_, room)| room).into()
}

/// The way in which a file marks text for readers.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Slashes,
    Hashes,
    Markdown,
}

fn style_of(path: &str) -> Option<Style> {
    let name = path.rsplit('/').next().expect("a path has a last segment");
    match name.rsplit_once('.') {
        Some((_, "rs" | "go" | "c" | "cpp")) => Some(Style::Slashes),
        Some((_, "py" | "sh" | "toml")) => Some(Style::Hashes),
        Some((_, "md")) => Some(Style::Markdown),
        None if path.contains(".ci/") => Some(Style::Hashes),
        _ => None,
    }
}

/// Measures one file. `path` decides how it is read, and what counts as a fault.
pub(crate) fn measure_file(path: &str, text: &str) -> Room {
    let mut room = Room::default();
    let style = style_of(path).expect("it was collected");
    let parts = (style == Style::Slashes).then(|| parts_of(text));
    let passages = match (style, &parts) {
        (_, Some(parts)) => prose::of_comments(&parts.code, &parts.comments),
        (Style::Markdown, _) => prose::of_markdown(text),
        _ => prose::of_hashes(text),
    };
    for passage in &passages {
        room.words += passage.n_words();
        room.stilted.extend(turns_in(&turns::STILTED, path, passage));
        room.weak.extend(turns_in(&turns::WEAK, path, passage));
    }
    room.wide = wide_lines(style, parts.as_ref().map_or(text, |parts| &parts.comments), text)
        .map(|line| at(path, line, "a comment wider than 100 columns"))
        .collect();
    let Some(parts) = parts else { return room };
    for name in prose::of_function_names(&parts.code) {
        room.names.extend(turns_in(&turns::STILTED, path, &name));
        room.names.extend(turns_in(&turns::WEAK, path, &name));
    }
    if path.starts_with("src/") {
        let summaries = summaries::of_functions(&parts.code, &parts.comments);
        for (line, first_word) in summaries {
            if summaries::is_verb(&first_word) {
                room.with_verb += 1;
            } else {
                let fault = format!("a summary that opens with `{first_word}`: use a verb");
                room.without_verb.push(at(path, line, &fault));
            }
        }
        for passage in prose::of_literals(&parts.literals) {
            room.texts.extend(turns_in(&turns::STILTED, path, &passage));
            room.texts.extend(turns_in(&turns::WEAK, path, &passage));
        }
    }
    if !path.starts_with("tests/") {
        let found = numbers::in_text(&parts.comments).chain(numbers::in_text(&parts.literals));
        room.numbers =
            found.map(|(line, n)| at(path, line, &format!("a private number: {n}"))).collect();
    }
    room
}

fn turns_in(turns: &Turns, path: &str, passage: &Passage) -> Vec<String> {
    turns.in_passage(passage).map(|(line, fault)| at(path, line, &fault)).collect()
}

fn at(path: &str, line: usize, fault: &str) -> String {
    format!("{path}:{line}: {fault}")
}

/// Returns whether the line is a row of a table, which cannot be broken.
fn is_row(line: &str) -> bool {
    line.trim_start().trim_start_matches(['/', '!']).trim_start().starts_with('|')
}

/// Returns the numbers of the lines of `text` that are too wide and have a comment.
fn wide_lines<'a>(
    style: Style,
    comments: &'a str,
    text: &'a str,
) -> impl Iterator<Item = usize> + 'a {
    let lines = comments.lines().zip(text.lines()).zip(1..);
    let is_comment = move |comment: &str| match style {
        Style::Slashes => !comment.trim().is_empty() && !is_row(comment),
        Style::Hashes => comment.trim_start().starts_with('#'),
        Style::Markdown => !is_row(comment),
    };
    lines
        .filter(move |((comment, line), _)| line.chars().count() > WIDEST && is_comment(comment))
        .map(|(_, number)| number)
}

/// Returns the measurements of all rooms as a table, with sums in the last line.
pub(crate) fn table(rooms: &[Room]) -> String {
    let head = ["room", "words", "stilted", "weak", "verbs", "wide", "numbers", "texts", "names"];
    let mut text = row(head.map(String::from));
    let mut sum = Room::new("all but tests");
    for room in rooms {
        text += &row_of(room);
        if room.name != "tests" {
            sum.add(room.clone());
        }
    }
    text + &row_of(&sum)
}

fn row_of(room: &Room) -> String {
    let per_thousand = |turns: &[String]| {
        let n = turns.len();
        format!("{n} ({:.1})", 1000.0 * n as f64 / room.words.max(1) as f64)
    };
    let verbs = match room.with_verb + room.without_verb.len() {
        0 => String::from("-"),
        n => format!("{}/{n} {:.0}%", room.with_verb, room.verb_share()),
    };
    row([
        room.name.clone(),
        room.words.to_string(),
        per_thousand(&room.stilted),
        per_thousand(&room.weak),
        verbs,
        room.wide.len().to_string(),
        room.numbers.len().to_string(),
        room.texts.len().to_string(),
        room.names.len().to_string(),
    ])
}

fn row([name, words, stilted, weak, verbs, wide, numbers, texts, names]: [String; 9]) -> String {
    let turns = format!("{name:<16}{words:>8}{stilted:>13}{weak:>13}");
    format!("{turns}{verbs:>13}{wide:>6}{numbers:>9}{texts:>7}{names:>7}\n")
}

// ---- Each kind of fault is found ----------------------------------------------------------------

#[test]
fn a_file_is_measured_by_its_kind() {
    let text = "//! Owns a.\n\n/// Whether nobody is here.\npub fn f() {\n    // S-142\n    g(\"G-1\")\n}\n";
    let room = measure_file("src/a.rs", text);
    assert_eq!(room.stilted.len(), 1, "{room:#?}");
    assert!(room.stilted[0].starts_with("src/a.rs:3: `nobody`"), "{room:#?}");
    assert_eq!(room.without_verb, ["src/a.rs:4: a summary that opens with `Whether`: use a verb"]);
    assert_eq!(room.numbers.len(), 2);
    let in_a_test = measure_file("tests/a.rs", text);
    assert_eq!((in_a_test.without_verb.len(), in_a_test.numbers.len()), (0, 0));
    assert_eq!(measure_file(".ci/a", "echo nobody # nobody\n# nobody\n").stilted.len(), 1);
    assert_eq!(measure_file("A.md", "nobody\n```\nnobody\n```\n").stilted.len(), 1);
}

#[test]
fn wide_comments_are_found_and_wide_code_is_not() {
    let wide = "x".repeat(WIDEST);
    assert_eq!(measure_file("src/a.rs", &format!("let a = {wide};")).wide.len(), 0);
    assert_eq!(measure_file("src/a.rs", &format!("//{wide}\n//{}", &wide[2..])).wide.len(), 1);
    assert_eq!(measure_file("src/a.rs", &format!("/// | {wide} |\nstruct A;")).wide.len(), 0);
    assert_eq!(measure_file("A.md", &format!("| {wide}\n")).wide.len(), 0);
    assert_eq!(measure_file("A.md", &format!("a {wide}\n")).wide.len(), 1);
}

#[test]
fn rooms_are_folders() {
    let rooms = ["src/a.rs", "src/b/c/d.rs", "tests/x/y.rs", "SAFETY.md", ".ci/run"].map(room_of);
    assert_eq!(rooms, ["src", "src/b", "tests", "SAFETY", "build and CI"]);
}
