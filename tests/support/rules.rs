//! Compares a page of numbered rules with the sources of the tests that pin them.
//!
//! A rule is an item of a list, `- **S-004** A sentence. Test: `name_of_the_test``. Tests use its
//! number as `S-004` in comments, and as `s_004` or `s004` in their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Panics unless each rule of `page` names a test of `suites`, and each number in `suites` is a
/// rule.
pub(crate) fn check(letter: &str, page: &str, suites: &[&str]) {
    let rules = rules_of(letter, page);
    let mut text = String::new();
    for suite in suites {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(suite), &mut text);
    }
    let tests = tests_of(&text);
    assert!(!rules.is_empty() && !tests.is_empty());
    let untested = rules.iter().filter(|(_, test)| !tests.contains(**test)).collect::<Vec<_>>();
    assert!(untested.is_empty(), "rules without a test of that name: {untested:?}");
    let used = numbers_in(letter, &text, &tests);
    let unlisted = used.iter().filter(|number| !rules.contains_key(*number)).collect::<Vec<_>>();
    assert!(unlisted.is_empty(), "numbers that are no rules: {unlisted:?}");
}

/// Returns the names of the tests in the sources below `folder`, a path in `tests/`.
pub(crate) fn names_of_tests(folder: &str) -> BTreeSet<String> {
    let mut text = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder), &mut text);
    tests_of(&text).into_iter().map(str::to_owned).collect()
}

/// Returns the number of each rule, with the test that it names.
fn rules_of<'p>(letter: &str, page: &'p str) -> BTreeMap<String, &'p str> {
    let mut rules = BTreeMap::new();
    for item in page.split("\n- **").skip(1) {
        let item = item.split("\n\n").next().unwrap();
        let number = item.split("**").next().unwrap().to_owned();
        assert!(number.strip_prefix(letter).is_some_and(|rest| rest.len() == 4), "{number}");
        let test = item.rsplit("Test:").next().unwrap().trim().trim_matches('`');
        assert!(rules.insert(number.clone(), test).is_none(), "{number} stands there twice");
    }
    rules
}

/// Appends the text of all sources in `folder`.
fn read(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &fs::read_to_string(path).unwrap();
        }
    }
}

/// Returns the names of the functions that are tests.
fn tests_of(text: &str) -> BTreeSet<&str> {
    let tests = text.split("#[test]").skip(1);
    tests
        .filter_map(|test| test.split_once("fn ")?.1.split_once('('))
        .map(|(name, _)| name)
        .collect()
}

/// Returns the numbers in comments, and those at the start of names of tests.
fn numbers_in(letter: &str, text: &str, tests: &BTreeSet<&str>) -> BTreeSet<String> {
    let three = |text: &str| {
        let digits = text.get(..3)?;
        let more = text[3..].starts_with(|c: char| c.is_ascii_digit());
        (digits.bytes().all(|c| c.is_ascii_digit()) && !more).then(|| format!("{letter}-{digits}"))
    };
    let dash = format!("{letter}-");
    let in_comments = text.split(&*dash).skip(1).filter_map(three);
    let small = letter.to_lowercase();
    let of_tests = tests.iter().flat_map(|test| {
        let words = test.split('_').collect::<Vec<_>>();
        let spelled = words.windows(2).filter(|pair| pair[0] == small).map(|pair| pair[1]);
        let joined = words.iter().filter_map(|word| word.strip_prefix(&*small));
        spelled.chain(joined).filter_map(three).collect::<Vec<_>>()
    });
    in_comments.chain(of_tests).collect()
}
