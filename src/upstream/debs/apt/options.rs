//! The options of one source, by their names in the one-line format; in deb822 only the names differ.

use crate::upstream::debs::sources::SourceOptions;
use crate::upstream::debs::stanza::flag;

/// The result of applying an option.
pub(super) enum Followed {
    /// It is applied, or makes no difference here.
    Yes,
    /// It cannot be applied, so the source has to be left out, for this reason.
    No(String),
    /// It is unknown.
    Unknown,
}

/// Options that affect neither the set of packages nor their verification.
const NO_MATTER: [&str; 8] =
    ["lang", "languages", "pdiffs", "allow-weak", "allow-downgrade-to-insecure", "description", "enabled", "types"];

/// Applies an option.
pub(super) fn apply(options: &mut SourceOptions, name: &str, value: &str) -> Followed {
    let says = flag(value);
    match name {
        "check-valid-until" => options.expired = says.map(|checked| !checked),
        "check-date" if says == Some(false) => (options.expired, options.future) = (Some(true), true),
        "trusted" if says == Some(false) => {
            return Followed::No("`trusted=no` forbids its use".to_owned());
        }
        "trusted" | "allow-insecure" => options.unsigned |= says == Some(true),
        "by-hash" if value.eq_ignore_ascii_case("force") => options.by_hash = Some(true),
        "by-hash" => options.by_hash = says.filter(|yes| !yes),
        "target" | "targets" => {
            if !value.split([',', ' ', '\n']).any(|target| target.eq_ignore_ascii_case("Packages")) {
                return Followed::No(format!("`{name}` leaves out its packages"));
            }
        }
        "snapshot" if says != Some(false) => {
            return Followed::No(format!(
                "its option `snapshot={}` is not followed: name the URL of that snapshot as `archive` in the manifest",
                value.escape_debug()
            ));
        }
        "inrelease-path" | "date-max-future" | "valid-until-min" | "valid-until-max" | "include" | "exclude" => {
            return Followed::No(format!("its option `{name}` is not followed"));
        }
        "check-date" | "snapshot" => {}
        _ if NO_MATTER.contains(&name) || name.starts_with("x-") => {}
        _ => return Followed::Unknown,
    }
    Followed::Yes
}
