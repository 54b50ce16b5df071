//! Checks the rooms of a module: which of its folders and files may use which others, and that its
//! files form no circle.
//!
//! A path is not the only way to use a room: the scheduler's methods are defined in several rooms,
//! and a call of one needs no path. So these calls also count as uses.

use crate::reading::{code_of, is_word, tree_of};
use std::collections::{BTreeMap, BTreeSet};

/// The rooms of `src/sched`, the lowest first, each with the rooms above it in this table that it
/// may use. A room may always use itself.
pub(crate) const SCHED: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("shared", &["time"]),
    ("core", &["time", "shared"]),
    ("tasklet", &["core"]),
    ("futures", &["time", "shared", "core"]),
    ("threads", &["shared", "core", "tasklet", "futures"]),
    ("deadlock", &["time", "shared", "core", "tasklet", "threads"]),
    ("turn", &["time", "core", "tasklet", "futures", "threads", "deadlock"]),
    ("hosted", &["time", "core", "deadlock", "turn"]),
    ("api", &["time", "shared", "core", "futures", "threads", "hosted", "turn"]),
    ("lowlevel", &["time", "shared", "core", "futures", "threads", "api"]),
];

/// A source file: its path from the root of the repository, and its text.
pub(crate) type Source = (String, String);

/// Finds the faults in the rooms of the scheduler.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let files: Vec<_> = sources.iter().filter_map(|source| File::read("sched", source)).collect();
    let mut faults = check_order(SCHED);
    faults.extend(check_rooms(SCHED, &files));
    faults.extend(check_circles(&files));
    faults
}

/// A file of a module, with its uses of others.
struct File {
    path: String,
    /// Its place in the module: `["core", "park"]`.
    place: Vec<String>,
    /// The paths into the module, each with its line.
    uses: Vec<(usize, Vec<String>)>,
    /// The methods of the scheduler that it defines.
    defines: BTreeSet<String>,
    /// The methods of the scheduler that it calls, each with its line.
    calls: Vec<(usize, String)>,
}

impl File {
    /// Reads a file of `module`. Its `mod.rs` and its tests are in no room.
    fn read(module: &str, (path, text): &Source) -> Option<File> {
        let inside = path.strip_prefix(&format!("src/{module}/"))?.strip_suffix(".rs")?;
        let place: Vec<_> = inside.split('/').map(String::from).collect();
        if place[0] == "mod" || place.iter().any(|part| part == "tests") {
            return None;
        }
        let code = code_of(text);
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let prefix = format!("crate::{module}::");
        let mut uses = Vec::new();
        for (at, _) in code.match_indices(&prefix) {
            let line = code[..at].matches('\n').count() + 1;
            for used in tree_of(&mut code[at + prefix.len()..].chars().peekable()) {
                uses.push((line, used.split("::").map(String::from).collect()));
            }
        }
        let (defines, calls) = methods(code);
        Some(File { path: path.clone(), place, uses, defines, calls })
    }

    fn room(&self) -> &str {
        &self.place[0]
    }
}

/// Returns the methods that `code` defines on the scheduler, and those that it calls on one.
fn methods(code: &str) -> (BTreeSet<String>, Vec<(usize, String)>) {
    let (mut defines, mut calls) = (BTreeSet::new(), Vec::new());
    let mut is_inside = false;
    for (line, number) in code.lines().zip(1..) {
        is_inside = line == "impl Scheduler {" || is_inside && line != "}";
        let word_at = |at: usize| line[at..].chars().take_while(|&c| is_word(c)).collect();
        if let Some(at) = line.find("fn ").filter(|_| is_inside && line.starts_with("    ")) {
            defines.insert(word_at(at + "fn ".len()));
        }
        for receiver in if is_inside { &["sched.", "self."][..] } else { &["sched."] } {
            for (at, _) in line.match_indices(receiver) {
                if !line[..at].ends_with(is_word) {
                    calls.push((number, word_at(at + receiver.len())));
                }
            }
        }
    }
    (defines, calls)
}

/// Checks that a room uses only rooms above it in the table, so that the table has no circle.
fn check_order(table: &[(&str, &[&str])]) -> Vec<String> {
    let stands_above = |at: usize, room: &str| table[..at].iter().any(|(name, _)| *name == room);
    let rows = table.iter().enumerate();
    let wrong = rows.flat_map(|(at, (name, allowed))| {
        allowed.iter().filter(move |room| !stands_above(at, room)).map(move |room| (name, room))
    });
    wrong
        .map(|(name, room)| {
            format!("SCHED in tests/layering/rooms.rs: `{room}` does not stand above `{name}`.")
        })
        .collect()
}

fn check_rooms(table: &[(&str, &[&str])], files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let room = file.room();
        let Some((_, allowed)) = table.iter().find(|(name, _)| *name == room) else {
            faults.push(format!("{}: is in no room. Give `{room}` a row in SCHED.", file.path));
            continue;
        };
        let used_by_path = file.uses.iter().map(|(line, path)| (*line, path[0].clone(), "path"));
        let used_by_call = file.calls.iter().filter_map(|(line, name)| {
            Some((*line, definer_of(name, files)?.room().to_owned(), name.as_str()))
        });
        for (line, used, how) in used_by_path.chain(used_by_call) {
            if used != room && !allowed.contains(&used.as_str()) {
                faults.push(format!(
                    "{}:{line}: `{room}` may not use `{used}` ({how}), only {allowed:?}. Move the \
                     thing to the room that owns it, or pass a value or a function.",
                    file.path
                ));
            }
        }
    }
    faults
}

/// Returns the file that defines the scheduler's method `name`, if exactly one file does.
fn definer_of<'a>(name: &str, files: &'a [File]) -> Option<&'a File> {
    let mut definers = files.iter().filter(|file| file.defines.contains(name));
    definers.next().filter(|_| definers.next().is_none())
}

fn check_circles(files: &[File]) -> Vec<String> {
    let mut left: BTreeMap<usize, BTreeSet<usize>> =
        (0..files.len()).map(|at| (at, used_by(at, files))).collect();
    // Removes the files that use none of those that are left, until there are no such files.
    while let Some((&done, _)) = left.iter().find(|(_, used)| used.is_empty()) {
        left.remove(&done);
        left.values_mut().for_each(|used| {
            used.remove(&done);
        });
    }
    if left.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = left.keys().map(|&at| files[at].path.as_str()).collect();
    vec![format!("{names:?}: some of these files use each other in a circle. Cut it.")]
}

/// Returns the other files that a file uses, by their indices.
fn used_by(at: usize, files: &[File]) -> BTreeSet<usize> {
    let file = &files[at];
    let index_of = |found: &File| files.iter().position(|other| other.path == found.path);
    let by_path = file.uses.iter().filter_map(|(_, path)| {
        files.iter().position(|other| path.starts_with(&other.place) && !other.place.is_empty())
    });
    let by_call = file.calls.iter().filter_map(|(_, name)| index_of(definer_of(name, files)?));
    by_path.chain(by_call).filter(|&used| used != at).collect()
}

// ---- Each check can fail ------------------------------------------------------------------------

#[cfg(test)]
fn files(texts: &[(&str, &str)]) -> Vec<File> {
    let sources = texts.iter().map(|(path, text)| (format!("src/sched/{path}"), (*text).into()));
    sources.filter_map(|source: Source| File::read("sched", &source)).collect()
}

#[test]
fn a_room_may_not_reach_up() {
    let faults = |texts: &[(&str, &str)]| check_rooms(SCHED, &files(texts));
    let up = faults(&[("time/x.rs", "\nuse crate::sched::{time::y, core::park};")]);
    assert_eq!(up.len(), 1, "{up:#?}");
    assert!(up[0].starts_with("src/sched/time/x.rs:2: `time` may not use `core` (path)"), "{up:?}");
    assert!(faults(&[("turn.rs", "use crate::sched::core::park;")]).is_empty());
    assert!(faults(&[("time/x.rs", "// crate::sched::core\nuse crate::fiber::y;")]).is_empty());
    assert!(faults(&[("novel/x.rs", "")])[0].contains("is in no room"));
}

#[test]
fn a_call_of_a_method_of_the_scheduler_is_a_use() {
    let defines = ("threads/x.rs", "impl Scheduler {\n    pub(crate) fn deliver(&self) {}\n}");
    for call in ["impl Scheduler {\n    fn f(&self) { self.deliver(); }\n}", "here.sched.deliver()"]
    {
        let faults = check_rooms(SCHED, &files(&[defines, ("core/y.rs", call)]));
        assert!(faults[0].contains("may not use `threads` (deliver)"), "{faults:?}");
    }
    let of_another = "impl Other {\n    fn f(&self) { self.deliver(); }\n}";
    assert!(check_rooms(SCHED, &files(&[defines, ("core/y.rs", of_another)])).is_empty());
}

#[test]
fn files_may_not_use_each_other_in_a_circle() {
    let circle = [
        ("core/a.rs", "use crate::sched::core::b;"),
        ("core/b.rs", "sched.go();"),
        ("core/c.rs", "use crate::sched::core::a;\nimpl Scheduler {\n    fn go(&self) {}\n}"),
        ("core/d.rs", "use crate::sched::time::e::X;"),
        ("time/e.rs", ""),
    ];
    let faults = check_circles(&files(&circle));
    assert!(
        faults[0]
            .contains(r#"["src/sched/core/a.rs", "src/sched/core/b.rs", "src/sched/core/c.rs"]"#)
    );
    assert!(check_circles(&files(&circle[1..])).is_empty());
}

#[test]
fn a_table_may_not_have_a_circle() {
    assert!(check_order(SCHED).is_empty());
    assert_eq!(check_order(&[("a", &["b"]), ("b", &["a"])]).len(), 1);
}
