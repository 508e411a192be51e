//! Packs a ROCm nightly into a tarball, the way upstream does: `tar cfz NAME .` in a directory of no particular order.

use std::collections::BTreeMap;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flate2::{Compression, GzBuilder};

use super::nightly::Nightly;
use super::tree::{Bytes, Node, RocmTree};
use crate::error::Result;
use crate::noise::{self, Noise};

impl Nightly {
    /// Writes the tarball into a directory and returns its path. An existing file of that name is kept.
    pub fn write(&self, directory: &Path) -> Result<PathBuf> {
        let path = directory.join(self.file_name());
        if path.exists() {
            return Ok(path);
        }
        let tree = RocmTree::of(self)?;
        let file = tempfile::Builder::new().prefix(".making").tempfile_in(directory)?;
        let gzip = GzBuilder::new().mtime(self.mtime.try_into().unwrap_or(0)).operating_system(3);
        let gzip = gzip.write(BufWriter::with_capacity(1 << 20, file), Compression::fast());
        let file = self
            .pack(&tree, tar::Builder::new(gzip))?
            .finish()?
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.as_file().set_modified(UNIX_EPOCH + Duration::from_secs(self.mtime.try_into().unwrap_or(0)))?;
        file.persist(&path).map_err(|error| error.error)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs_err::set_permissions(&path, mode)?;
        Ok(path)
    }

    fn pack<W: Write>(&self, tree: &RocmTree, mut archive: tar::Builder<W>) -> Result<W> {
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in tree.entries().keys() {
            children.entry(path.rsplit_once('/').map_or("", |(parent, _)| parent)).or_default().push(path);
        }
        for names in children.values_mut() {
            // An order that nobody can rely on, but the same every time.
            names.sort_by_key(|name| noise::seed(self.variation ^ u64::from(self.date()), name));
        }
        self.append(&mut archive, ".", &Node::Directory)?;
        let mut first_names: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting: Vec<&str> = children.get("").into_iter().flatten().rev().copied().collect();
        while let Some(path) = waiting.pop() {
            let node = &tree.entries()[path];
            waiting.extend(children.get(path).into_iter().flatten().rev());
            // Of several names for a file, the one that comes first carries the bytes.
            let original = if let Node::SameAs(original) = node { original } else { path };
            let node = match first_names.get(original) {
                Some(first) => &Node::SameAs((*first).to_owned()),
                None => tree.entries().get(original).unwrap_or(node),
            };
            first_names.entry(original).or_insert(path);
            self.append(&mut archive, path, node)?;
        }
        Ok(archive.into_inner()?)
    }

    fn append<W: Write>(&self, archive: &mut tar::Builder<W>, path: &str, node: &Node) -> Result<()> {
        let mut name = if path == "." { "./".to_owned() } else { format!("./{path}") };
        let mut header = tar::Header::new_gnu();
        header.set_uid(1001);
        header.set_gid(127);
        header.set_username("runner")?;
        header.set_groupname("docker+build")?;
        header.set_mtime((self.mtime as u64).wrapping_sub(noise::seed(0, path) % 600));
        header.set_size(0);
        let (kind, mode, link, data): (_, _, _, Box<dyn Read>) = match node {
            Node::Directory => (tar::EntryType::Directory, 0o755, None, Box::new(std::io::empty())),
            Node::Link(target) => (tar::EntryType::Symlink, 0o777, Some(target.clone()), Box::new(std::io::empty())),
            Node::SameAs(other) => {
                (tar::EntryType::Link, 0o755, Some(format!("./{other}")), Box::new(std::io::empty()))
            }
            Node::File { bytes, executable } => {
                let mode = if *executable { 0o755 } else { 0o644 };
                let data: Box<dyn Read> = match bytes {
                    Bytes::Held(bytes) => {
                        header.set_size(bytes.len() as u64);
                        Box::new(&**bytes)
                    }
                    Bytes::Noise { seed, length } => {
                        header.set_size(*length);
                        Box::new(Noise::new(*seed, *length))
                    }
                };
                (tar::EntryType::Regular, mode, None, data)
            }
        };
        header.set_entry_type(kind);
        header.set_mode(mode);
        if kind == tar::EntryType::Directory && !name.ends_with('/') {
            name.push('/');
        }
        long_name(archive, &name, b'L')?;
        // `Header::set_path` would remove the `./`.
        put(&mut header.as_old_mut().name, &name);
        if let Some(link) = link {
            long_name(archive, &link, b'K')?;
            put(&mut header.as_old_mut().linkname, &link);
        }
        header.set_cksum();
        Ok(archive.append(&header, data)?)
    }
}

/// Writes a name over 100 bytes as GNU tar does: in an entry before the entry.
fn long_name<W: Write>(archive: &mut tar::Builder<W>, name: &str, kind: u8) -> Result<()> {
    if name.len() <= 100 {
        return Ok(());
    }
    let mut header = tar::Header::new_gnu();
    put(&mut header.as_old_mut().name, "././@LongLink");
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(name.len() as u64 + 1);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_cksum();
    Ok(archive.append(&header, name.as_bytes().chain(&b"\0"[..]))?)
}

fn put(field: &mut [u8; 100], text: &str) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn output(command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_same_nightly_gives_the_same_bytes_in_upstreams_form() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let nightly = Nightly::new("10.1.0a20260901").payload(300_000);
        let path = nightly.write(one.path()).unwrap();
        assert!(fs_err::read(&path).unwrap() == fs_err::read(nightly.write(two.path()).unwrap()).unwrap());
        assert_eq!(path.file_name().unwrap(), "therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz");

        let names = output(Command::new("tar").arg("tzf").arg(&path));
        let names: Vec<_> = names.lines().collect();
        assert_eq!(names[0], "./");
        assert!(names.iter().all(|name| name.starts_with("./")));
        assert!(!names.is_sorted());
        assert!(names.iter().any(|name| name.len() > 102));
        let verbose = output(Command::new("tar").arg("tvzf").arg(&path));
        assert_eq!(verbose.matches(" link to ").count(), 1, "{verbose}");
        assert!(verbose.contains("runner/docker+build"));
    }

    #[test]
    fn nightlies_differ_in_some_files() {
        let old = RocmTree::of(&Nightly::new("7.15.0a20260719")).unwrap();
        let new = RocmTree::of(&Nightly::new("10.1.0a20260901").variation(1)).unwrap();
        assert!(!old.entries().contains_key("lib/libtensilelite-host.so.1"));
        assert!(new.entries().contains_key("lib/libtensilelite-host.so.1"));
        let bytes = |tree: &RocmTree, path: &str| match &tree.entries()[path] {
            Node::File { bytes: Bytes::Held(bytes), .. } => bytes.to_vec(),
            _ => panic!("{path}"),
        };
        assert!(bytes(&old, "lib/librocblas.so.5.2") != bytes(&new, "lib/librocblas.so.5.2"));
        assert!(bytes(&old, "lib/librocsolver.so.0.8.0") == bytes(&new, "lib/librocsolver.so.0.8.0"));
    }

    #[test]
    fn programs_in_the_tree_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = Nightly::new("10.2.0a20261120").write(directory.path()).unwrap();
        let tree = directory.path().join("rocm");
        fs_err::create_dir(&tree).unwrap();
        output(Command::new("tar").arg("xzf").arg(&path).arg("-C").arg(&tree));
        let info = output(&mut Command::new(tree.join("bin/rocminfo")));
        assert!(info.contains("Name:                    gfx1151"), "{info}");
        assert_eq!(output(Command::new(tree.join("bin/hipconfig")).arg("--version")), "10.2.0a20261120");
        assert_eq!(
            output(Command::new(tree.join("bin/hipconfig")).arg("-l")),
            format!("{}/lib/llvm/bin", tree.display())
        );
        let object = directory.path().join("x.o");
        fs_err::write(directory.path().join("x.hip"), "extern \"C\" int x() { return 1; }").unwrap();
        output(
            Command::new(tree.join("bin/amdclang++"))
                .args(["-x", "hip", "--offload-arch=gfx1151", "-cuid=1", "-c", "-o"])
                .arg(&object)
                .arg(directory.path().join("x.hip")),
        );
        assert!(object.exists());
    }
}
