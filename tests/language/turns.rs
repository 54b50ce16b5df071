//! Turns of phrase that read as translated, each with a better one, and the search for them.

use crate::prose::{Passage, Word};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A list of turns of phrase, each with a better one. A turn is a sequence of words: `a|b` matches
/// either word, `*` any word, "`" a span of code, and `^` the beginning of a summary. A word with a
/// capital letter matches only as written, all others match in either case.
pub(crate) struct Turns {
    rows: Rows,
    /// The rows by their first words in lower case: few words begin a turn.
    by_first_word: OnceLock<HashMap<String, Vec<Turn>>>,
}

type Rows = &'static [(&'static str, &'static str)];

/// Turns that should not occur.
pub(crate) static STILTED: Turns = Turns::new(&[
    ("somebody|someone", "the caller, a fiber, another thread: name it"),
    ("nobody", "nothing, no fiber, no one"),
    ("whoever|whomever|whosoever", "the code that, the caller that, a fiber that"),
    ("he|his|him|himself|she|her|hers", "it, its: of fibers, threads and callers"),
    ("As [ `", "Like [`x`]"),
    ("one a|an *", "one per"),
    ("so many|much as", "as many as, up to"),
    ("so long as", "as long as, while"),
    ("so far as", "as far as"),
    ("for ever", "forever"),
    ("says|tells", "returns, reports, prints, shows"),
    ("is|are|was|were|be|been told", "is notified of, learns, is passed"),
    ("lest", "so that ... not"),
    ("whereby|whereupon|wherein|wherefrom|whereof", "by which, after which, in which"),
    ("thereby|thereupon|therein|therefrom|thereof", "so, after that, in it, of it"),
    ("what it has", "the buffers that it borrowed, the values that it made: name them"),
    ("nothing but", "only"),
    ("none but", "only"),
    ("is|are|was|were|be let go", "is released, is resumed"),
    ("lets|let * go", "releases, resumes"),
    ("in vain", "without effect, without a result"),
    ("that one's", "its: name the owner"),
]);

/// Turns that are acceptable now and then, and which nearly every text is better without.
pub(crate) static WEAK: Turns = Turns::new(&[
    (
        "^ What|Who|How|Whose|Whom",
        "a noun phrase or a verb: `The fiber that ...`, `Returns how ...`",
    ),
    ("^ As `", "Like `x`"),
    ("who|whom", "that, which: fibers, threads and code are things"),
    ("anybody|everybody|anyone|everyone", "any fiber, every thread: name it"),
    ("is|are|was|were said", "is reported, is printed, is documented"),
    ("to say|tell", "to report, to distinguish"),
    ("is|are|was|were to be", "must be, will be"),
    ("the world", "the kernel, other threads, an external event: name it"),
    ("run|runs|ran next", "is the next one to run"),
    ("as it is|was", "unchanged"),
    ("as they are|were", "unchanged"),
    ("upon", "on"),
    ("anew", "again"),
    ("no more", "no longer, not any more"),
]);

/// A parsed row of a list.
struct Turn {
    opens_summary: bool,
    words: Vec<&'static str>,
    better: &'static str,
}

impl Turns {
    const fn new(rows: Rows) -> Self {
        Self { rows, by_first_word: OnceLock::new() }
    }

    /// Returns the turns in `passage`: the line of each, and a text with a better one.
    pub(crate) fn in_passage<'a>(
        &'a self,
        passage: &'a Passage,
    ) -> impl Iterator<Item = (usize, String)> + 'a {
        let words = &passage.words;
        words.iter().enumerate().flat_map(move |(start, word)| {
            let candidates = self.by_first_word().get(word.text.to_lowercase().as_str());
            candidates.into_iter().flatten().filter_map(move |turn| {
                let words = words.get(start..start + turn.words.len())?;
                let may_stand_here = !turn.opens_summary || passage.is_summary && start == 0;
                if !may_stand_here || !matches(words, &turn.words) {
                    return None;
                }
                let text: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
                Some((words[0].line, format!("`{}`: better: {}", text.join(" "), turn.better)))
            })
        })
    }

    fn by_first_word(&self) -> &HashMap<String, Vec<Turn>> {
        self.by_first_word.get_or_init(|| {
            let mut table: HashMap<_, Vec<Turn>> = HashMap::new();
            for (turn, better) in self.rows {
                let words = turn.strip_prefix("^ ");
                let opens_summary = words.is_some();
                let words: Vec<_> = words.unwrap_or(turn).split(' ').collect();
                for first in words[0].split('|') {
                    let turn = Turn { opens_summary, words: words.clone(), better };
                    table.entry(first.to_lowercase()).or_default().push(turn);
                }
            }
            table
        })
    }
}

fn matches(words: &[Word], turn: &[&str]) -> bool {
    words.iter().zip(turn).all(|(word, wanted)| {
        wanted.split('|').any(|wanted| match wanted {
            "*" => word.text.starts_with(char::is_alphabetic),
            _ if wanted.starts_with(char::is_uppercase) => word.text == *wanted,
            _ => word.text.eq_ignore_ascii_case(wanted),
        })
    })
}

#[cfg(test)]
fn found(text: &str) -> Vec<String> {
    let passages = crate::prose::of_comments(&"\n".repeat(text.lines().count()), text);
    let found = passages.iter().flat_map(|passage| {
        [&STILTED, &WEAK].into_iter().flat_map(|turns| turns.in_passage(passage))
    });
    found.map(|(line, text)| format!("{line}: {text}")).collect()
}

#[test]
fn turns_are_found_at_word_boundaries() {
    assert!(found("// A whole: the; thesis; Hershey; so many; whom_ever").is_empty());
    assert!(found("// `nobody` `who` it: the same as [`x`]").is_empty());
    assert_eq!(found("// Nobody.").len(), 1);
    assert_eq!(found("/// As [`x`].\n").len(), 1);
    assert_eq!(found("/// As `x`.\n").len(), 1);
    assert_eq!(found("// As `x`.\n").len(), 0);
    assert_eq!(found("/// What.\n///\n/// What.\n").len(), 1);
}

#[test]
fn a_turn_may_be_broken_by_a_line() {
    assert_eq!(found("// It waits for\n// ever."), ["1: `for ever`: better: forever"]);
    assert!(found("// It waits for\n\n// ever.").is_empty());
}

#[test]
fn every_turn_can_be_found() {
    for (turn, better) in STILTED.rows.iter().chain(WEAK.rows) {
        let words = turn.strip_prefix("^ ").unwrap_or(turn).split(' ');
        let text: Vec<_> =
            words.map(|word| word.split('|').next().unwrap().replace('*', "x")).collect();
        let text = format!("/// {}", text.join(" ")).replace('`', "`x`");
        let found = found(&text);
        assert!(found.iter().any(|found| found.ends_with(better)), "{turn}: {found:?} in {text}");
    }
}
