//! Which names GPU code for the target goes by: the target's own, that with features behind it (`gfx942:xnack-`), and those of
//! generic processors that the target is one of (`gfx11-generic`).

use crate::gfx::GfxTarget;
use crate::manifest::known_generics;

/// Which GPUs a path mentions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mention {
    Target,
    Others,
    Nobody,
}

/// Nearness of code to the target, in the order in which it is looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Near {
    Exact,
    /// Only where the GPU was started with these features.
    Featured,
    Generic,
}

const GFX: &[u8] = b"gfx";
const GENERIC: &[u8] = b"-generic";

/// Which GPUs a path mentions: the target, if it is among them.
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

/// Returns how near code under this name is to the target, which runs it; `None` where it does not. All of the text must be the
/// name.
pub(super) fn near(arch: &[u8], target: &GfxTarget) -> Option<Near> {
    let name = arch.starts_with(GFX).then(|| processor(arch))?;
    let features = &arch[name.len()..];
    let known = features.is_empty()
        || matches!(features[0], b':' | b'-') && matches!(features[features.len() - 1], b'+' | b'-');
    let near = runs(name, target).filter(|_| known)?;
    Some(if near == Near::Exact && !features.is_empty() { Near::Featured } else { near })
}

/// The name of a processor at the start of a text that begins with `gfx`.
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
    // One that came later covers those GPUs whose names begin so.
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
