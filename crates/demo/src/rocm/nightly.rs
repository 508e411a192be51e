//! A ROCm nightly to be made: version, target, time and size.

/// The inputs of a tarball, apart from the machine's compiler.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nightly {
    /// Such as `10.1.0a20260901`.
    pub version: String,
    /// Such as `gfx1151`.
    pub target: String,
    /// Further GPUs that it has code for.
    pub more: Vec<String>,
    /// The family in its file name; empty for that of the target.
    pub family: String,
    /// The time of packing and publication, in seconds since 1970.
    pub mtime: i64,
    /// Bytes of incompressible bulk besides the small tree.
    pub payload: u64,
    /// The number of the build: another one has other bytes in some libraries and kernels, under the same names.
    pub variation: u64,
    /// True if its programs fail: what a bad nightly does to a user.
    pub broken: bool,
}

impl Nightly {
    /// Creates a small nightly for gfx1151, published on the morning of the day in its version.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let mut nightly = Self {
            version: version.to_owned(),
            target: "gfx1151".to_owned(),
            more: Vec::new(),
            family: String::new(),
            mtime: 1_767_225_600,
            payload: 64 << 10,
            variation: 0,
            broken: false,
        };
        let date = nightly.date();
        let (month, day) = ((date / 100 % 100) as i8, (date % 100) as i8);
        if let Ok(date) = jiff::civil::Date::new((date / 10_000) as i16, month, day) {
            let morning = jiff::tz::TimeZone::UTC.to_timestamp(date.at(9, 17, 4, 0));
            nightly.mtime = morning.map_or(nightly.mtime, jiff::Timestamp::as_second);
        }
        nightly
    }

    /// Creates the build of a day, which is given as a time in seconds since 1970: the newest of the practice upstream.
    /// Its series has more bulk than those before, so that moving to it changes the sizes, whatever the compiler.
    #[must_use]
    pub fn of_day(time: i64) -> Self {
        let day = jiff::Timestamp::from_second(time).unwrap_or_default().strftime("%Y%m%d");
        Self::new(&format!("10.3.0a{day}")).payload(96 << 10)
    }

    /// Sets the bytes of bulk.
    #[must_use]
    pub fn payload(self, payload: u64) -> Self {
        Self { payload, ..self }
    }

    /// Makes it a tarball of all GPUs, with code for these besides the target.
    #[must_use]
    pub fn multiarch(self, more: &[&str]) -> Self {
        let more = more.iter().map(|target| (*target).to_owned()).collect();
        Self { more, family: "multiarch".to_owned(), ..self }
    }

    /// Sets the number of the build.
    #[must_use]
    pub fn variation(self, variation: u64) -> Self {
        Self { variation, ..self }
    }

    /// Returns the file name: `therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let family = if self.family.is_empty() { &self.target } else { &self.family };
        format!("therock-dist-linux-{family}-{}.tar.gz", self.version)
    }

    /// Returns the version without the date: `10.1.0`.
    #[must_use]
    pub fn base(&self) -> String {
        let end = self.version.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(self.version.len());
        self.version[..end].trim_end_matches('.').to_owned()
    }

    /// Returns the date in the version: `20260901`; 0 if it has none.
    #[must_use]
    pub fn date(&self) -> u32 {
        let public = self.version.split('+').next().unwrap_or("");
        let digits = &public[public.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
        if digits.len() == 8 { digits.parse().unwrap_or(0) } else { 0 }
    }

    pub(super) fn major_minor(&self) -> (u32, u32) {
        let base = self.base();
        let mut parts = base.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_apart() {
        let nightly = Nightly::new("10.1.0a20260811+bkc.20260814");
        assert_eq!((nightly.base().as_str(), nightly.date(), nightly.major_minor()), ("10.1.0", 20_260_811, (10, 1)));
        assert_eq!(nightly.mtime, 1_786_439_824);
        assert_eq!(Nightly::of_day(1_796_040_000).version, "10.3.0a20261130");
        let odd = Nightly::new("7.9.0.dev0+0123456789abcdef0123456789abcdef01234567");
        assert_eq!((odd.base().as_str(), odd.date()), ("7.9.0", 0));
    }
}
