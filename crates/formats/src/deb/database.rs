//! dpkg's database of installed packages, for programs that ask a root what is installed in it.

use super::layout::{Layout, Placed};
use super::package::Package;
use crate::error::Result;

const DATABASE: &str = "var/lib/dpkg";

/// Adds `var/lib/dpkg/status`, and for each package the list of its files, and its checksums if it brought any.
pub(super) fn add(packages: &[Package], layout: &mut Layout) -> Result<()> {
    let mut status = String::new();
    for (number, package) in packages.iter().enumerate() {
        if number > 0 {
            status.push('\n');
        }
        status.push_str(&package.control.installed_stanza());
        let info = format!("{DATABASE}/info/{}", package.control.info_name());
        layout.put(format!("{info}.list").as_bytes(), Placed::Text(list(number, package, layout)?))?;
        if let Some((path, node)) = &package.checksums {
            let placed = Placed::File { package: number, path: path.clone(), node: node.clone() };
            layout.put(format!("{info}.md5sums").as_bytes(), placed)?;
        }
    }
    layout.put(format!("{DATABASE}/status").as_bytes(), Placed::Text(status.into_bytes()))
}

/// Returns the names as in the package, without those that another package replaced.
fn list(number: usize, package: &Package, layout: &Layout) -> Result<Vec<u8>> {
    let mut text = b"/.\n".to_vec();
    for entry in package.listing.entries() {
        if layout.holds(number, entry)? {
            text.push(b'/');
            text.extend_from_slice(&entry.path);
            text.push(b'\n');
        }
    }
    Ok(text)
}
