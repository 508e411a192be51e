//! A season of nightlies: many builds on the days of a calendar, for tests that choose, keep and search among them.
//!
//! [`Calendar::season`] has 40 builds in 131 days, with gaps as upstream has them. The first ten lie on the index
//! that was frozen when it moved, the others on the one that took its place. From one day on, the builds are broken:
//! they unpack and link, and their programs fail. Upstream renames the family of a neighbouring GPU meanwhile.
//!
//! Nothing is made before it is asked for: publishing a season costs no more than its index pages.

use jiff::civil::{Date, date};
use jiff::{Span, tz::TimeZone};

use crate::rocm::Nightly;
use crate::upstream::Generation;

/// The day of the season's newest build: 99 days after the present index opened.
const LAST: Date = date(2026, 11, 30);

/// Ages of the builds of a season on its last day, oldest first. The ages 27, 119 and 121 are in it: on both sides of
/// what AMD keeps, and of what is soon.
#[rustfmt::skip]
const AGES: [i64; 40] = [
    130, 129, 128, 125, 124, 121, 119, 112, 104, 101,
    99, 98, 97, 96, 92, 91, 90, 89, 85, 82, 81, 80, 75, 71, 70, 69, 61, 54, 47, 40,
    33, 28, 27, 26, 20, 13, 6, 3, 1, 0,
];

/// The age of the first build on the present index.
const MOVED: i64 = 99;
/// The position of the first broken build.
const BROKEN: usize = 23;
/// The neighbour's family before it was renamed, and after, and the position of the first build with the new name.
const NEIGHBOUR: (&str, &str, usize) = ("gfx110X-dgpu", "gfx110X-all", 15);

/// Builds in the order of their days.
#[derive(Clone, Debug)]
pub struct Calendar {
    builds: Vec<(Generation, Nightly)>,
    /// Names that are listed without a file.
    pub(crate) names: Vec<(Generation, String, i64)>,
}

impl Calendar {
    /// Returns the season that the module describes.
    #[must_use]
    pub fn season() -> Self {
        let mut calendar = Self { builds: Vec::new(), names: Vec::new() };
        for (place, age) in AGES.into_iter().enumerate() {
            let day = LAST.saturating_sub(Span::new().days(age));
            let series = match age {
                112.. => "10.0.0",
                81.. => "10.1.0",
                _ => "10.2.0",
            };
            let generation = if age > MOVED { Generation::MultiArch } else { Generation::Streams };
            let version = format!("{series}a{}", day.strftime("%Y%m%d"));
            let nightly = Nightly::new(&version).payload(4096);
            let (before, after, from) = NEIGHBOUR;
            let neighbour = if place < from { before } else { after };
            let name = format!("therock-dist-linux-{neighbour}-{version}.tar.gz");
            calendar.names.push((generation, name, nightly.mtime));
            calendar.builds.push((generation, nightly));
        }
        calendar.broken_from(BROKEN)
    }

    /// Breaks the builds from a position on, and no others; none if there are fewer.
    #[must_use]
    pub fn broken_from(mut self, first: usize) -> Self {
        for (place, (_, nightly)) in self.builds.iter_mut().enumerate() {
            nightly.broken = place >= first;
        }
        self
    }

    /// Gives the builds from a position on this family in their names, as if upstream had renamed it.
    #[must_use]
    pub fn renamed_from(mut self, first: usize, family: &str) -> Self {
        for (_, nightly) in self.builds.iter_mut().skip(first) {
            family.clone_into(&mut nightly.family);
        }
        self
    }

    /// Returns the builds with the index that each is on, oldest first.
    #[must_use]
    pub fn builds(&self) -> &[(Generation, Nightly)] {
        &self.builds
    }

    /// Returns the first broken build.
    #[must_use]
    pub fn first_broken(&self) -> Option<&Nightly> {
        self.builds.iter().map(|(_, nightly)| nightly).find(|nightly| nightly.broken)
    }

    /// Returns the build that is so many days old on the last day of the season, with its index.
    #[must_use]
    pub fn of_age(&self, days: i64) -> Option<&(Generation, Nightly)> {
        AGES.iter().position(|age| *age == days).and_then(|place| self.builds.get(place))
    }

    /// Returns the time of noon on the last day of the season, in seconds since 1970.
    #[must_use]
    pub fn today(&self) -> i64 {
        TimeZone::UTC.to_timestamp(LAST.at(12, 0, 0, 0)).map_or(0, jiff::Timestamp::as_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_has_its_gaps_its_indexes_and_its_first_broken_build() {
        let season = Calendar::season();
        let builds = season.builds();
        assert_eq!(builds.len(), 40);
        assert!(builds.is_sorted_by(|one, next| one.1.date() < next.1.date()));
        assert_eq!(
            (builds[0].1.version.as_str(), builds[39].1.version.as_str()),
            ("10.0.0a20260723", "10.2.0a20261130")
        );
        let moved = builds.iter().position(|(generation, _)| *generation == Generation::Streams).unwrap();
        assert_eq!((moved, builds[moved].1.version.as_str()), (10, "10.1.0a20260823"));
        assert_eq!(season.first_broken().unwrap().version, "10.2.0a20260920");
        assert!(season.clone().broken_from(40).first_broken().is_none());
        for (days, version) in [(27, "10.2.0a20261103"), (119, "10.0.0a20260803"), (121, "10.0.0a20260801")] {
            assert_eq!(season.of_age(days).unwrap().1.version, version);
        }
        let renamed = season.renamed_from(39, "gfx115X-all");
        assert_eq!(renamed.builds()[39].1.file_name(), "therock-dist-linux-gfx115X-all-10.2.0a20261130.tar.gz");
        assert_eq!(renamed.builds()[38].1.file_name(), "therock-dist-linux-gfx1151-10.2.0a20261129.tar.gz");
    }
}
