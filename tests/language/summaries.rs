//! Finds the summaries of public functions, and distinguishes verbs from other words.

/// Words that end in "s", are not verbs, and may open a summary.
const NO_VERBS: &[&str] = &[
    "always", "as", "across", "besides", "bytes", "channels", "errors", "fibers", "has", "is",
    "its", "items", "less", "perhaps", "pairs", "parts", "permits", "pieces", "plus", "signals",
    "steps", "tasks", "this", "thus", "times", "unless", "values", "various", "was", "words",
    "yes",
];

/// Returns whether `word`, as the first word of a summary, is a verb in the third person.
pub(crate) fn is_verb(word: &str) -> bool {
    let is_capital = word.starts_with(char::is_uppercase);
    let word = word.to_lowercase();
    is_capital
        && word.len() > 3
        && word.ends_with('s')
        && !word.ends_with("ss")
        && !word.contains('\'')
        && !NO_VERBS.contains(&word.as_str())
}

/// Returns the documented `pub fn` outside of `cfg(test)`: their lines, and the first words of
/// their summaries. A function that is public in a private module counts as well.
pub(crate) fn of_functions(code: &str, comments: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = code.lines().collect();
    let comments: Vec<&str> = comments.lines().collect();
    let mut found = Vec::new();
    let mut line = 0;
    while line < code.len() {
        if code[line].contains("#[cfg(test)]") {
            line = end_of_item(&code, line);
        } else if is_public_function(code[line]) {
            let word = first_word(&code, &comments, line);
            found.extend(word.map(|word| (line + 1, word)));
        }
        line += 1;
    }
    found
}

fn is_public_function(line: &str) -> bool {
    let Some(mut rest) = line.trim_start().strip_prefix("pub ") else { return false };
    for qualifier in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(qualifier).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

/// Returns the last line of the item whose attribute is on line `start`.
fn end_of_item(code: &[&str], start: usize) -> usize {
    let mut depth = 0_i32;
    for (line, text) in code.iter().enumerate().skip(start) {
        depth += text.matches('{').count() as i32 - text.matches('}').count() as i32;
        if depth == 0 && text.contains(['}', ';']) {
            return line;
        }
    }
    code.len()
}

/// Returns the first word of the documentation above line `function`, if there is any.
fn first_word(code: &[&str], comments: &[&str], function: usize) -> Option<String> {
    let mut summary = None;
    for line in (0..function).rev() {
        let (code, comment) = (code[line].trim(), comments[line].trim());
        let ends_an_item = code.ends_with([';', '{', '}']) || code.ends_with("=>");
        if ends_an_item || code.is_empty() && comment.is_empty() {
            break;
        }
        let doc = comment.strip_prefix("///").map(str::trim).filter(|doc| !doc.is_empty());
        summary = doc.or(summary);
    }
    summary?.split_whitespace().next().map(|word| word.trim_end_matches([',', ':', '.']).into())
}

#[test]
fn third_persons_are_verbs() {
    let verbs = ["Returns", "Waits", "Does_not", "Passes", "Tries", "Parks"];
    assert_eq!(verbs.map(is_verb), [true, true, false, true, true, true]);
    let others = ["Whether", "The", "As", "This", "[`Self::f`]", "What", "Less", "Fibers", "`as`"];
    others.iter().for_each(|word| assert!(!is_verb(word), "{word}"));
}

#[test]
fn summaries_of_public_functions_are_found() {
    let text = "
/// Makes one.
///
/// Whether or not.
#[cfg_attr(
    a,
    b
)]
pub const fn new() {}
/// Not.
fn private() {}
/// Not.
pub(crate) fn hidden() {}
#[cfg(test)]
mod tests {
    /// Not.
    pub fn helper() {}
}
macro_rules! m { () => {
    /// In a macro.
    pub fn made() {}
} }
pub fn undocumented() { \"/// Not.\" }
    /// Waits.
    #[inline]
    pub unsafe fn wait<T>() {}
";
    let parts = crate::reading::parts_of(text);
    let found = of_functions(&parts.code, &parts.comments);
    let expected = [(9, "Makes"), (21, "In"), (26, "Waits")];
    assert_eq!(found, expected.map(|(line, word)| (line, word.to_string())));
}
