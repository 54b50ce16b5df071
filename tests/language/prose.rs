//! Extracts the text of sources and documents: paragraphs as words, each with its line.
//!
//! Code is not text: a span in backticks becomes one word, and only the comments of a block of code
//! are read.

use crate::reading::is_word;

/// A paragraph.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    pub(crate) words: Vec<Word>,
    /// Whether it is the first paragraph of a doc comment.
    pub(crate) is_summary: bool,
}

/// A word, a punctuation mark, or "`" for a span of code.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Passage {
    /// Returns the number of its words; a span of code counts as one word.
    pub(crate) fn n_words(&self) -> usize {
        let is_counted =
            |word: &&Word| word.text.starts_with(|c: char| c.is_alphanumeric() || c == '`');
        self.words.iter().filter(is_counted).count()
    }
}

/// Returns the passages in the comments of a source.
pub(crate) fn of_comments(code: &str, comments: &str) -> Vec<Passage> {
    let mut lines = Lines::default();
    for ((code, comment), line) in code.lines().zip(comments.lines()).zip(1..) {
        let comment = comment.trim();
        let is_alone = code.trim().is_empty();
        if comment.is_empty() || !is_alone {
            lines.end_block();
        }
        let (marker, text) = split_marker(comment);
        lines.add(marker, text, line);
        if !is_alone {
            lines.end_block();
        }
    }
    lines.finish()
}

/// Returns the passages of a document.
pub(crate) fn of_markdown(text: &str) -> Vec<Passage> {
    let mut lines = Lines::default();
    text.lines().zip(1..).for_each(|(text, line)| lines.add("", text.trim(), line));
    lines.finish()
}

/// Returns the passages in those comments of a script that have a line of their own.
pub(crate) fn of_hashes(text: &str) -> Vec<Passage> {
    let mut lines = Lines::default();
    for (text, line) in text.lines().zip(1..) {
        let comment = text.trim_start().strip_prefix('#').filter(|rest| !rest.starts_with('!'));
        lines.add("#", comment.unwrap_or_default().trim(), line);
    }
    lines.finish()
}

/// Returns the literals of a source; those on consecutive lines are one passage.
pub(crate) fn of_literals(literals: &str) -> Vec<Passage> {
    let mut lines = Lines::default();
    for (text, line) in literals.lines().zip(1..) {
        lines.add("\"", text.trim().trim_end_matches('\\'), line);
    }
    lines.finish()
}

/// Returns the names of the functions of a source, each as a passage: tests are named by sentences.
pub(crate) fn of_function_names(code: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    for (text, line) in code.lines().zip(1..) {
        let mut words = text.split(|c: char| !is_word(c));
        if words.any(|word| word == "fn")
            && let Some(name) = words.find(|word| !word.is_empty())
        {
            let words = name.split('_').map(|word| Word { text: word.into(), line });
            passages.push(Passage { words: words.collect(), is_summary: false });
        }
    }
    passages
}

fn split_marker(comment: &str) -> (&'static str, &str) {
    for marker in ["//!", "///", "//", "/*"] {
        if let Some(text) = comment.strip_prefix(marker) {
            return (marker, text.trim());
        }
    }
    ("", comment)
}

/// Joins lines into passages.
#[derive(Default)]
struct Lines {
    passages: Vec<Passage>,
    current: Passage,
    marker: &'static str,
    /// Whether the block has a passage so far.
    has_opened: bool,
    /// The language of the block of code that the next line is in.
    fence: Option<String>,
    /// Whether a span of code continues in the next line.
    in_span: bool,
}

impl Lines {
    /// Adds the line `text` of a comment that begins with `marker`.
    fn add(&mut self, marker: &'static str, text: &str, line: usize) {
        if marker != self.marker {
            self.end_block();
            self.marker = marker;
        }
        if let Some(language) = text.strip_prefix("```") {
            self.end_passage();
            self.fence = if self.fence.is_some() { None } else { Some(language.into()) };
            return;
        }
        match &self.fence {
            Some(language) if language.starts_with("text") => {}
            Some(_) => {
                if let Some((_, comment)) = text.split_once("// ") {
                    self.push_words(comment, line);
                }
                self.in_span = false;
            }
            None => self.add_prose(text, line),
        }
    }

    fn add_prose(&mut self, text: &str, line: usize) {
        let begins_list = text.starts_with("- ") || text.starts_with("* ");
        let is_heading = text.starts_with('#');
        if text.is_empty() || begins_list || is_heading || text.starts_with('|') {
            self.end_passage();
        }
        self.push_words(text, line);
        if is_heading {
            self.end_passage();
        }
    }

    fn push_words(&mut self, text: &str, line: usize) {
        let mut rest = text;
        if self.in_span {
            let end = rest.find('`');
            self.in_span = end.is_none();
            rest = end.map_or("", |end| &rest[end + 1..]);
        }
        while let Some(c) = rest.chars().next() {
            let len = if c == '`' {
                let end = rest[1..].find('`');
                self.in_span = end.is_none();
                end.map_or(rest.len(), |end| end + 2)
            } else if c.is_alphanumeric() {
                word_len(rest)
            } else {
                c.len_utf8()
            };
            let word = if c == '`' { "`" } else { &rest[..len] };
            if !c.is_whitespace() && c != '*' {
                self.current.words.push(Word { text: word.into(), line });
            }
            rest = &rest[len..];
        }
    }

    fn end_passage(&mut self) {
        self.in_span = false;
        if !self.current.words.is_empty() {
            self.current.is_summary = !self.has_opened && matches!(self.marker, "///" | "//!");
            self.has_opened = true;
            self.passages.push(std::mem::take(&mut self.current));
        }
    }

    fn end_block(&mut self) {
        self.end_passage();
        self.has_opened = false;
        self.fence = None;
    }

    fn finish(mut self) -> Vec<Passage> {
        self.end_block();
        self.passages
    }
}

/// Returns the length of the word at the start of `text`. An apostrophe between letters is part of
/// a word.
fn word_len(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let goes_on = |next: Option<&(usize, char)>| next.is_some_and(|(_, c)| c.is_alphanumeric());
        if !(c.is_alphanumeric() || c == '_' || c == '\'' && goes_on(chars.peek())) {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
fn shown(passages: &[Passage]) -> Vec<String> {
    let show = |passage: &Passage| {
        let words: Vec<_> = passage.words.iter().map(|word| word.text.as_str()).collect();
        format!("{}{}", if passage.is_summary { "^ " } else { "" }, words.join(" "))
    };
    passages.iter().map(show).collect()
}

#[test]
fn comments_become_passages() {
    let text = "//! One, `two\n//! three` it's.\n//!\n//! - A\n//! - B\n//! ```\n//! f(); // In code.\n\
                //! ```\n//! ```text\n//! Drawn // so.\n//! ```\nuse a; // Behind.\n\
                // Above.\n/// Doc\n/// [`x`].\nfn f() {}";
    let parts = crate::reading::parts_of(text);
    let passages = of_comments(&parts.code, &parts.comments);
    let expected =
        ["^ One , ` it's .", "- A", "- B", "In code .", "Behind .", "Above .", "^ Doc [ ` ] ."];
    assert_eq!(shown(&passages), expected);
    assert_eq!(passages[0].words[3].line, 2);
    assert_eq!(passages[0].n_words(), 3);
}

#[test]
fn documents_and_scripts_become_passages() {
    let document = of_markdown("# Title\nOne\ntwo.\n\n```sh\nno\n```\n| a |\n| b |");
    assert_eq!(shown(&document), ["# Title", "One two .", "| a |", "| b |"]);
    assert_eq!(
        shown(&of_hashes("#!/bin/sh\n# One\n# two\nrun # no\n# three")),
        ["One two", "three"]
    );
    let parts = crate::reading::parts_of("f(\"one \\\n two\");\n// no\ng('c')");
    assert_eq!(shown(&of_literals(&parts.literals)), ["\" one two \"", "' c '"]);
}

#[test]
fn names_of_functions_become_passages() {
    let passages = of_function_names("    pub fn nobody_waits<T>() {}\nlet f: fn(u8) = g;\nfn\n");
    assert_eq!(shown(&passages), ["nobody waits", "u8"]);
    assert_eq!(passages[0].words[1].line, 1);
}
