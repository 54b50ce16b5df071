//! Sizes from the command line, for the examples that have some.

use std::ops::RangeInclusive;

/// Returns the argument at `position`, counted from 1, or `default` if it is not given. If it is
/// not `allowed`, the program prints the reason and ends.
pub(crate) fn number(
    position: usize,
    name: &str,
    allowed: RangeInclusive<usize>,
    default: usize,
) -> usize {
    let Some(text) = std::env::args().nth(position) else { return default };
    match text.replace('_', "").parse() {
        Ok(number) if allowed.contains(&number) => number,
        _ => {
            let (least, most) = allowed.into_inner();
            eprintln!("{name}: a whole number from {least} to {most} is needed, not '{text}'");
            fibra::exit(2)
        }
    }
}
