//! Reads as much Rust as the checks need: it finds code, words and paths.

use std::iter::Peekable;
use std::str::Chars;

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(crate) fn is_at_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(is_word))
}

/// Returns the numbers of the lines on which `word` stands as a separate word.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let stands_alone = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let after = &line[at + word.len()..];
            !line[..at].ends_with(is_word) && (word.ends_with('!') || !after.starts_with(is_word))
        })
    };
    let lines = code.lines().zip(1..).filter(|(line, _)| stands_alone(line));
    lines.map(|(_, number)| number).collect()
}

/// Returns `text` with comments and literals blanked out, line for line.
pub(crate) fn code_of(text: &str) -> String {
    parts_of(text).code
}

/// Three copies of a source text, line for line; each keeps one kind of text and blanks out the
/// rest.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) code: String,
    #[allow(dead_code, reason = "the test of the language reads it")]
    pub(crate) comments: String,
    #[allow(dead_code, reason = "the test of the language reads it")]
    pub(crate) literals: String,
}

impl Parts {
    /// Adds `token` to one part, and spaces of the same length to the other two.
    fn push(&mut self, kind: Kind, token: &str) {
        let parts = [
            (Kind::Code, &mut self.code),
            (Kind::Comment, &mut self.comments),
            (Kind::Literal, &mut self.literals),
        ];
        for (part, text) in parts {
            if part == kind {
                text.push_str(token);
            } else {
                text.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Separates the code of `text` from its comments and its literals.
pub(crate) fn parts_of(text: &str) -> Parts {
    let mut parts = Parts::default();
    let (mut code_start, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let follows_word = text[code_start..at].ends_with(is_word);
        let len = match c {
            '"' => quoted(rest, '"'),
            '/' | '\'' | 'r' | 'b' | 'c' if !follows_word => token_to_blank(rest),
            _ => 0,
        };
        if len == 0 {
            at += c.len_utf8();
            continue;
        }
        parts.push(Kind::Code, &text[code_start..at]);
        parts.push(if c == '/' { Kind::Comment } else { Kind::Literal }, &rest[..len]);
        at += len;
        code_start = at;
    }
    parts.push(Kind::Code, &text[code_start..]);
    parts
}

/// Returns the length in bytes of the comment or literal that `rest` begins with, or 0.
fn token_to_blank(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('\'') {
        return char_literal(rest);
    }
    raw_string(rest).unwrap_or_else(|| quoted(rest, '"'))
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, _) in rest.char_indices() {
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    rest.len()
}

/// Returns the length of `'x'` and `'\n'`, and 0 for the lifetime `'x`.
fn char_literal(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let is_literal = match chars.next() {
        Some((_, '\\')) => true,
        _ => matches!(chars.next(), Some((_, '\''))),
    };
    if is_literal { quoted(rest, '\'') } else { 0 }
}

/// Returns the length of `r"..."` with any number of `#`, also as `br"..."` and `cr"..."`.
fn raw_string(rest: &str) -> Option<usize> {
    let after_prefix = rest.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let hashes = after_prefix.len() - after_prefix.trim_start_matches('#').len();
    let body = after_prefix[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body_len = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(rest.len() - body.len() + body_len)
}

fn quoted(rest: &str, quote: char) -> usize {
    if !rest.starts_with(quote) {
        return 0;
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// Reads one path, or one group of paths in braces, and returns each path in full.
pub(crate) fn tree_of(rest: &mut Peekable<Chars<'_>>) -> Vec<String> {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    if rest.next_if_eq(&'{').is_some() {
        let mut paths = Vec::new();
        loop {
            paths.extend(tree_of(rest));
            while rest.next_if(|&c| c != ',' && c != '}').is_some() {}
            if rest.next() != Some(',') {
                return paths.into_iter().filter(|path| !path.is_empty()).collect();
            }
        }
    }
    let mut segment = String::new();
    while let Some(c) = rest.next_if(|&c| is_word(c) || c == '*') {
        segment.push(c);
    }
    let mut ahead = rest.clone();
    if (ahead.next(), ahead.next()) != (Some(':'), Some(':')) {
        return vec![segment];
    }
    *rest = ahead;
    tree_of(rest).into_iter().map(|tail| format!("{segment}::{tail}")).collect()
}

#[test]
fn comments_and_literals_are_not_code() {
    let blanked = |text: &str| code_of(text).replace(' ', "");
    assert_eq!(blanked("a /* b /* c */ d */ e // f\ng"), "ae\ng");
    assert_eq!(blanked(r##"a("b\"c", r#"d"e"#, br"f\", b"g", c"h")"##), "a(,,,b,c)");
    assert_eq!(blanked(r"f::<'a>('b', '\'', '\u{1F600}', 'é')"), "f::<'a>(,,,)");
    assert_eq!(code_of("\"a\nb\"").lines().count(), 2);
}

#[test]
fn each_kind_of_text_is_a_part() {
    let parts = parts_of("f(\"//\"); // \"no\"\n'/'; /* \n */ g");
    assert_eq!(parts.code, "f(    );        \n   ;    \n    g");
    assert_eq!(parts.comments, "         // \"no\"\n     /* \n */  ");
    assert_eq!(parts.literals, "  \"//\"          \n'/'     \n     ");
}
