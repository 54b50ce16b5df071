//! The arm with which each choice of a fiber begins.

/// The sequence of arms with which a fiber begins its choices: from one arm to the next, and after
/// some choices from another arm.
///
/// Going from one arm to the next alone would starve arms: if the loop of a fiber contains two
/// choices of two arms each, each choice would begin with the same arm forever. The other arm is a
/// hash of the count of choices. It needs no other state, so the sequence is the same in each run.
pub(super) struct Turns;

impl Turns {
    /// The number of choices of one fiber that go from one arm to the next, as a power of two.
    const IN_ORDER: u32 = 4;

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "no list of arms is so long")]
    pub(super) fn first(turn: u32, count: usize) -> usize {
        let mixed = (turn >> Turns::IN_ORDER).wrapping_mul(0x9E37_79B9);
        let place = (mixed ^ mixed >> 15).wrapping_mul(0x85EB_CA6B) >> 16;
        (turn.wrapping_add(place) % count as u32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stride_through_the_turns_meets_every_arm() {
        for arms in [2, 3, 4, 5, 7, 8, 12, 17] {
            for stride in (1..=400).chain((9..20).map(|n| 1 << n)) {
                let mut met = vec![0; arms];
                let turns = (0..400_u32).map(|n| n.wrapping_mul(stride));
                turns.for_each(|turn| met[Turns::first(turn, arms)] += 1);
                let fair = 400 / arms;
                assert!(met.iter().all(|&n| fair / 4 <= n), "{stride} of {arms}: {met:?}");
            }
        }
    }

    #[test]
    fn the_first_turns_go_from_one_arm_to_the_next() {
        let firsts: Vec<_> = (0..16).map(|turn| Turns::first(turn, 3)).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
    }
}
