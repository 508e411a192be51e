//! Names of GPU code that the target runs: the target's own, that name with features (`gfx942:xnack-`), and those of
//! generic processors that cover the target (`gfx11-generic`).

use crate::gfx::GfxTarget;
use crate::manifest::known_generics;

/// The GPUs that a path mentions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mention {
    Target,
    Others,
    Nobody,
}

/// Nearness of code to the target, in search order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Near {
    Exact,
    /// Code that runs only if the GPU has these features.
    Featured,
    Generic,
}

/// Placeholder for the GPU in a reference or in the name of a table.
pub(super) const PLACEHOLDER: &str = "@GFXARCH@";

const GFX: &[u8] = b"gfx";
const GENERIC: &[u8] = b"-generic";

/// Returns the GPUs that a path mentions: the targets, if one is among them.
pub(super) fn mentions_any(path: &[u8], targets: &[GfxTarget]) -> Mention {
    let mut all = targets.iter().map(|target| mentions(path, target));
    let first = all.next().unwrap_or(Mention::Nobody);
    all.fold(first, |seen, next| if seen == Mention::Target { seen } else { next })
}

/// Returns the GPUs that a path mentions: the target, if it is among them.
pub(super) fn mentions(path: &[u8], target: &GfxTarget) -> Mention {
    let mut mention = Mention::Nobody;
    let mut rest = path;
    while let Some(at) = rest.windows(GFX.len()).position(|window| window == GFX) {
        rest = &rest[at..];
        let name = processor(rest);
        if runs(name, target).is_some() {
            return Mention::Target;
        }
        if name.len() > GFX.len() {
            mention = Mention::Others;
        }
        rest = &rest[name.len()..];
    }
    mention
}

/// Returns the nearness of code with this name to the target. `None` if the target does not run it, or if the text is
/// not exactly a name.
pub(super) fn near(arch: &[u8], target: &GfxTarget) -> Option<Near> {
    let name = arch.starts_with(GFX).then(|| processor(arch))?;
    let features = &arch[name.len()..];
    let known = features.is_empty()
        || matches!(features[0], b':' | b'-') && matches!(features[features.len() - 1], b'+' | b'-');
    let near = runs(name, target).filter(|_| known)?;
    Some(if near == Near::Exact && !features.is_empty() { Near::Featured } else { near })
}

/// Returns the name of the processor at the start of a text that begins with `gfx`.
fn processor(text: &[u8]) -> &[u8] {
    let digits = |from: usize, hex: bool| {
        let digit = |byte: &u8| byte.is_ascii_digit() || hex && matches!(byte, b'a'..=b'f');
        from + text[from..].iter().position(|byte| !digit(byte)).unwrap_or(text.len() - from)
    };
    let end = digits(GFX.len(), true);
    // `gfx9-4-generic`
    let second = if text[end..].starts_with(b"-") { digits(end + 1, false) } else { end };
    let generic = [end, second].into_iter().find(|end| text[*end..].starts_with(GENERIC));
    &text[..generic.map_or(end, |end| end + GENERIC.len())]
}

fn runs(name: &[u8], target: &GfxTarget) -> Option<Near> {
    if name == target.as_str().as_bytes() {
        return Some(Near::Exact);
    }
    let family = name.strip_suffix(GENERIC)?;
    let known = known_generics().iter().find(|generic| generic.name.as_bytes() == name);
    // A generic name that is newer than the list covers the GPUs whose names begin with it.
    let begins = || {
        let family: Vec<u8> = family.iter().copied().filter(|byte| *byte != b'-').collect();
        family.len() > GFX.len() && target.as_str().as_bytes().starts_with(&family)
    };
    known.map_or_else(begins, |generic| generic.covers.contains(target)).then_some(Near::Generic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_gpus_are_told_apart() {
        let target = "gfx1151".parse().unwrap();
        for (path, expected) in [
            ("TensileLibrary_lazy_gfx1151.dat", Mention::Target),
            ("gfx1151/TensileLibrary.dat", Mention::Target),
            ("Kernels.so-000-gfx90a-xnack-.hsaco", Mention::Others),
            ("gfx1150/fallback.dat", Mention::Others),
            ("TensileLibrary_gfx115.co", Mention::Others),
            ("TensileLibrary_gfx11510.co", Mention::Others),
            ("Kernels_gfx11-generic.hsaco", Mention::Target),
            ("Kernels_gfx12-generic.hsaco", Mention::Others),
            ("Kernels_gfx10-3-generic.hsaco", Mention::Others),
            ("gfx1100/of_gfx1151.dat", Mention::Target),
            ("TensileManifest.txt", Mention::Nobody),
            ("gfx.txt", Mention::Nobody),
            ("gfx", Mention::Nobody),
        ] {
            assert_eq!(mentions(path.as_bytes(), &target), expected, "{path}");
        }
    }

    #[test]
    fn code_is_near_by_its_name_its_features_and_its_family() {
        for (target, arch, expected) in [
            ("gfx1151", "gfx1151", Some(Near::Exact)),
            ("gfx1151", "gfx1151:xnack-", Some(Near::Featured)),
            ("gfx942", "gfx942:sramecc+:xnack-", Some(Near::Featured)),
            ("gfx942", "gfx942-xnack-", Some(Near::Featured)),
            ("gfx1151", "gfx11-generic", Some(Near::Generic)),
            ("gfx942", "gfx9-4-generic", Some(Near::Generic)),
            ("gfx942", "gfx9-4-generic:xnack-", Some(Near::Generic)),
            ("gfx950", "gfx9-4-generic", Some(Near::Generic)),
            ("gfx1030", "gfx10-3-generic", Some(Near::Generic)),
            ("gfx1030", "gfx10-1-generic", None),
            ("gfx90a", "gfx9-generic", None),
            ("gfx906", "gfx9-generic", Some(Near::Generic)),
            ("gfx1201", "gfx12-generic", Some(Near::Generic)),
            // No list has this one.
            ("gfx1310", "gfx13-1-generic", Some(Near::Generic)),
            ("gfx1310", "gfx13-2-generic", None),
            ("gfx1151", "gfx1100", None),
            ("gfx1151", "gfx1151_old", None),
            ("gfx1151", "gfx1151-tests", None),
            ("gfx1151", "gfx-generic", None),
            ("gfx1151", "gfx", None),
            ("gfx1151", "", None),
        ] {
            assert_eq!(near(arch.as_bytes(), &target.parse().unwrap()), expected, "{arch} on {target}");
        }
    }
}
