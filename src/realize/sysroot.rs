//! Runs the `sysroot` recipe.

use std::fmt::Write as _;

use super::build_record::LOG;
use crate::deb::{Deb, Links, Unpacked, unpack};
use crate::error::Result;
use crate::inputs::oci::{OciPin, oci_tree};
use crate::intake::Intake;
use crate::recipe::SysrootRecipe;
use crate::recipe::sysroot::LINKS;
use crate::store::Staging;
use crate::tree::Listing;

/// Unpacks packages. Returns the staging directory with the tree and a log, and the listing of the tree.
pub(super) fn sysroot(intake: Intake, recipe: &SysrootRecipe, debs: &[Deb]) -> Result<(Staging, Listing)> {
    // No index has the unpacked size. Text and programs compress to about a quarter.
    let packed: u64 = debs.iter().filter_map(|deb| deb.path.metadata().ok()).map(|found| found.len()).sum();
    intake.store.demand_space(packed.saturating_mul(5))?;
    let staging = intake.store.stage()?;
    let links = Links { wanted: &recipe.links, usual: LINKS };
    let unpacked = unpack(debs, &links, staging.path(), intake.fetcher.progress())?;
    fs_err::write(staging.path().join(LOG), log(&unpacked))?;
    Ok((staging, unpacked.listing))
}

/// Applies the layers of a base image in order. Returns the staging directory with the tree and a log, and the listing.
pub(super) fn from_image(intake: Intake, name: &str, pin: &OciPin) -> Result<(Staging, Listing)> {
    let (staging, applied) = oci_tree(intake, name, pin)?;
    let mut text = String::new();
    for layer in &pin.layers {
        let _ = writeln!(text, "unpacked layer {}", layer.digest);
    }
    for path in &applied.special {
        let _ = writeln!(text, "dropped setuid or setgid of {path}");
    }
    for line in applied.left_out.lines() {
        let _ = writeln!(text, "left out {line}");
    }
    fs_err::write(staging.path().join(LOG), text)?;
    Ok((staging, applied.listing))
}

/// Returns the log: everything that was done and left out.
fn log(unpacked: &Unpacked) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for package in &unpacked.packages {
        let _ = writeln!(text, "unpacked {}", package.display());
    }
    for (path, target) in &unpacked.links {
        let _ = writeln!(text, "made the link {path} -> {target}");
    }
    for path in &unpacked.special {
        let _ = writeln!(text, "dropped setuid or setgid of {path}");
    }
    for name in &unpacked.absolute {
        let _ = writeln!(text, "took the absolute name {name} as one below the root");
    }
    for package in &unpacked.diverting {
        let _ = writeln!(text, "left out what {package} diverts in its maintainer scripts");
    }
    text
}
