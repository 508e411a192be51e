//! The options of one source, by the names of the one-line form; those of the other form differ only in the names.

use crate::upstream::debs::sources::SourceOptions;
use crate::upstream::debs::stanza::flag;

/// An option, as it concerns us.
pub(super) enum Followed {
    /// It is followed, or makes no difference here.
    Yes,
    /// Without it the source means something else, so that it has to be left out: why.
    No(String),
    /// Nobody here knows it.
    Unknown,
}

/// Options that change neither which packages there are nor whether they are believed.
const NO_MATTER: [&str; 8] =
    ["lang", "languages", "pdiffs", "allow-weak", "allow-downgrade-to-insecure", "description", "enabled", "types"];

/// Sets an option that is followed.
pub(super) fn apply(options: &mut SourceOptions, name: &str, value: &str) -> Followed {
    let says = flag(value);
    match name {
        "check-valid-until" => options.expired = says.map(|checked| !checked),
        "check-date" if says == Some(false) => (options.expired, options.future) = (Some(true), true),
        "trusted" if says == Some(false) => {
            return Followed::No("`trusted=no` says that it is not to be believed".to_owned());
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
