//! The order of runs in a round.
//!
//! A machine that becomes warm slows down, so nobody may always come first. Each second round goes backwards, and each
//! second pair of rounds begins with the next one: two of them run as ABBA BAAB.

/// Returns the places of so many contenders in the order in which they run in a round.
pub(super) fn order(round: usize, count: usize) -> Vec<usize> {
    let first = round / 2;
    let mut places: Vec<usize> = (0..count).map(|place| (place + first) % count).collect();
    if round % 2 == 1 {
        places.reverse();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_first_as_often_and_runs_once_a_round() {
        let of = |count: usize| (0..4 * count).map(|round| order(round, count)).collect::<Vec<_>>();
        assert_eq!(of(2)[..4], [[0, 1], [1, 0], [1, 0], [0, 1]]);
        for count in 1..6 {
            for place in 0..count {
                let first = of(count).iter().filter(|order| order[0] == place).count();
                assert_eq!(first, 4, "{place} of {count}");
            }
            for mut order in of(count) {
                order.sort_unstable();
                assert_eq!(order, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
