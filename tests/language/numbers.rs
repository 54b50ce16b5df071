//! Finds the numbers of lists that are not in the repository: S-142, G-049, T01, B12, U3.

use crate::reading::is_word;

/// Returns the private numbers in `text`, each with its line.
pub(crate) fn in_text(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    text.lines().zip(1..).flat_map(|(line, number)| {
        let words = line.split(|c| !is_word(c) && c != '-').filter(|word| is_private(word));
        words.map(move |word| (number, word.to_string()))
    })
}

fn is_private(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(['S', 'G', 'T', 'B', 'U']) else { return false };
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    (1..=3).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
}

#[test]
fn private_numbers_are_found() {
    let found: Vec<_> = in_text("// (S-142, G-049)\n\"T01.\" `B12` U3").collect();
    let numbers = ["S-142", "G-049", "T01", "B12", "U3"];
    assert_eq!(found.iter().map(|(_, n)| n.as_str()).collect::<Vec<_>>(), numbers);
    assert_eq!(found[1].0, 1);
    assert_eq!(found[2].0, 2);
    assert_eq!(in_text("T, AS-1, S-1a, G-, UTF-8, T1000, U+1F600, 5").count(), 0);
}
