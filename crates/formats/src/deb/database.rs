//! dpkg's database of what is installed, for programs that look into a root to see what is there.

use super::layout::{Layout, Placed};
use super::package::Package;
use crate::error::Result;

const DATABASE: &str = "var/lib/dpkg";

/// Adds `var/lib/dpkg/status`, and for each package the list of its files and its checksums where it brought some.
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

/// The names as the package has them, without what another package has replaced.
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
