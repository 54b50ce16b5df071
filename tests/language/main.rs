//! Measures the language of the repository, and keeps it from getting worse: stilted turns,
//! summaries of functions that do not open with a verb, wide comments, private numbers.
//!
//! `cargo test --all-features --test language -- --nocapture` prints the table. Two environment
//! variables change the output:
//!
//! - `FIBRA_LANGUAGE_ROOM=src/sched` also lists each fault of that room, or of `all` rooms.
//! - `FIBRA_LANGUAGE_TREE=/some/checkout` measures another tree, without limits.

#[path = "../layering/reading.rs"]
#[allow(dead_code, reason = "the checks of the layers read more")]
mod reading;

mod measure;
mod numbers;
mod prose;
mod summaries;
mod turns;

use measure::{Room, measure};
use std::env;
use std::path::Path;

/// The limits of every room.
const LIMIT: Limit =
    Limit { stilted: 0.5, weak: 1.0, verbs: 90.0, wide: 0, numbers: 0, texts: 0, names: 0 };

/// What is counted in a room, and how much of it is permitted.
struct Limit {
    /// Stilted turns per 1,000 words of comments and documents.
    stilted: f64,
    /// Weak turns per 1,000 words.
    weak: f64,
    /// The least share of `pub fn` whose summaries open with a verb, in percent.
    verbs: f64,
    /// Comment lines wider than 100 columns.
    wide: usize,
    /// Private numbers in comments and literals.
    numbers: usize,
    /// Turns of both kinds in literals of `src`, among them the texts of errors and panics.
    texts: usize,
    /// Turns of both kinds in the names of functions, among them those of tests.
    names: usize,
}

#[test]
fn the_language_gets_no_worse() {
    let other_tree = env::var_os("FIBRA_LANGUAGE_TREE");
    let root = other_tree.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR").as_ref());
    let rooms = measure(Path::new(root));
    print!("{}", measure::table(&rooms));
    let shown = env::var("FIBRA_LANGUAGE_ROOM").unwrap_or_default();
    for room in rooms.iter().filter(|room| shown == "all" || shown == room.name) {
        room.faults().for_each(|fault| println!("{fault}"));
    }
    if other_tree.is_some() {
        return;
    }
    let broken: Vec<String> = rooms.iter().flat_map(broken).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// Returns the limits that `room` exceeds, each with every fault that counts towards it.
fn broken(room: &Room) -> Vec<String> {
    let limit = LIMIT;
    let per_words = |limit: f64| (limit * room.words as f64 / 1000.0).ceil() as usize;
    let (stilted, weak) = (per_words(limit.stilted), per_words(limit.weak));
    let too_few_verbs = room.verb_share() < limit.verbs;
    [
        ("stilted turns", &room.stilted, stilted, room.stilted.len() > stilted),
        ("weak turns", &room.weak, weak, room.weak.len() > weak),
        ("summaries without a verb", &room.without_verb, 0, too_few_verbs),
        ("wide comments", &room.wide, limit.wide, room.wide.len() > limit.wide),
        ("private numbers", &room.numbers, limit.numbers, room.numbers.len() > limit.numbers),
        ("turns in literals", &room.texts, limit.texts, room.texts.len() > limit.texts),
        ("turns in names", &room.names, limit.names, room.names.len() > limit.names),
    ]
    .into_iter()
    .filter(|(.., is_broken)| *is_broken)
    .map(|(what, faults, allowed, _)| {
        let head = match what {
            "summaries without a verb" => {
                format!("{:.0} % open with one, at least {} % must", room.verb_share(), limit.verbs)
            }
            _ => format!("allowed are {allowed}"),
        };
        let name = &room.name;
        format!("{name}: {} {what}, {head}:\n  {}", faults.len(), faults.join("\n  "))
    })
    .collect()
}

// ---- The limits can be broken -------------------------------------------------------------------

#[test]
fn a_room_may_not_exceed_its_limits() {
    let mut room = Room::new("src/novel");
    assert!(broken(&room).is_empty());
    room.words = 2000;
    room.stilted = vec!["a.rs:1: `nobody`".into()];
    assert!(broken(&room).is_empty());
    room.stilted.push("a.rs:2: `nobody`".into());
    room.wide = vec!["a.rs:3".into()];
    let texts = broken(&room);
    assert_eq!(texts.len(), 2, "{texts:#?}");
    assert!(texts[0].starts_with("src/novel: 2 stilted turns, allowed are 1:\n  a.rs:1"));
    assert!(texts[1].starts_with("src/novel: 1 wide comments, allowed are 0"), "{}", texts[1]);
}

#[test]
fn the_share_of_verbs_is_held() {
    let mut room = Room::new("src/novel");
    room.with_verb = 9;
    room.without_verb = vec!["a.rs:1: opens with `Whether`".into()];
    assert!(broken(&room).is_empty());
    room.with_verb = 8;
    let texts = broken(&room);
    assert!(texts[0].contains("89 % open with one, at least 90 % must"), "{texts:#?}");
}
