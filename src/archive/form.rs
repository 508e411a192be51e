//! The names in an archive.

use crate::digest::{Sha256Digest, TreeDigest};
use crate::upstream::git::is_commit;
use crate::upstream::rocm::TarballName;

/// A file of an archive, by its meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// The file by which an archive is known.
    Marker,
    /// The page for people and pickers.
    Page,
    /// The digests of all files.
    Sums,
    /// The lock that was added last.
    Newest,
    /// The file by which an OCI image layout is known.
    OciLayout,
    /// The index of an OCI image layout.
    OciIndex,
    /// A lock, by its digest.
    Lock(Sha256Digest),
    /// A download, pack or tar archive, by its digest.
    Blob(Sha256Digest),
    /// The digest of a commit's pack.
    Commit(String),
    /// The digest of a directory's tar archive.
    Directory(TreeDigest),
    /// The listing of a cold tree.
    Listing(TreeDigest),
    /// The chunks of a cold tree.
    Cold(TreeDigest),
    /// A chunk, by the digest of its plain bytes.
    Chunk(Sha256Digest),
    /// The link with the name of a tarball to its blob.
    Tarball(String),
}

impl Piece {
    /// Returns the path in the archive. It has no characters that a URL would escape, except in a tarball's name.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Marker => "strixlock-archive".to_owned(),
            Self::Page => "index.html".to_owned(),
            Self::Sums => "SHA256SUMS".to_owned(),
            Self::Newest => "strix.lock".to_owned(),
            Self::OciLayout => "oci-layout".to_owned(),
            Self::OciIndex => "index.json".to_owned(),
            Self::Lock(digest) => format!("locks/{}.lock", digest.hex()),
            Self::Blob(digest) => format!("blobs/sha256/{}", digest.hex()),
            Self::Commit(commit) => format!("git/{commit}"),
            Self::Directory(tree) => format!("directories/{}", tree.hex()),
            Self::Listing(tree) => format!("trees/{}/listing", tree.hex()),
            Self::Cold(tree) => format!("trees/{}/cold", tree.hex()),
            Self::Chunk(digest) => {
                let hex = digest.hex();
                format!("chunks/{}/{}", &hex[..2], &hex[2..])
            }
            Self::Tarball(name) => name.clone(),
        }
    }

    /// Returns the piece with this path. Any other path, such as one that leads elsewhere, is that of no piece.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let tree = |hex: &str| Sha256Digest::from_hex(hex).map(TreeDigest);
        let piece = match path.split('/').collect::<Vec<_>>()[..] {
            ["strixlock-archive"] => Self::Marker,
            ["index.html"] => Self::Page,
            ["SHA256SUMS"] => Self::Sums,
            ["strix.lock"] => Self::Newest,
            ["oci-layout"] => Self::OciLayout,
            ["index.json"] => Self::OciIndex,
            ["locks", name] => Self::Lock(Sha256Digest::from_hex(name.strip_suffix(".lock")?)?),
            ["blobs", "sha256", hex] => Self::Blob(Sha256Digest::from_hex(hex)?),
            ["git", commit] if is_commit(commit) => Self::Commit(commit.to_owned()),
            ["directories", hex] => Self::Directory(tree(hex)?),
            ["trees", hex, "listing"] => Self::Listing(tree(hex)?),
            ["trees", hex, "cold"] => Self::Cold(tree(hex)?),
            ["chunks", two, rest] if two.len() == 2 => Self::Chunk(Sha256Digest::from_hex(&format!("{two}{rest}"))?),
            [name] if is_tarball(name) => Self::Tarball(name.to_owned()),
            _ => return None,
        };
        // One name each: no other spelling of it.
        (piece.path() == path).then_some(piece)
    }
}

/// Returns whether a name can stand in the index: that of a ROCm tarball, and plain enough for any file system and URL.
#[must_use]
pub fn is_tarball(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte);
    name.len() < 250 && name.bytes().all(plain) && TarballName::parse(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_has_one_path_and_other_paths_have_no_piece() {
        let digest = Sha256Digest::of(b"");
        let (hex, tree) = (digest.hex(), TreeDigest(digest));
        for piece in [
            Piece::Marker,
            Piece::Page,
            Piece::Sums,
            Piece::Newest,
            Piece::OciLayout,
            Piece::OciIndex,
            Piece::Lock(digest),
            Piece::Blob(digest),
            Piece::Commit("0".repeat(40)),
            Piece::Directory(tree),
            Piece::Listing(tree),
            Piece::Cold(tree),
            Piece::Chunk(digest),
            Piece::Tarball("therock-dist-linux-gfx1151-10.1.0a20260811+bkc.20260814.tar.gz".to_owned()),
        ] {
            assert_eq!(Piece::parse(&piece.path()), Some(piece));
        }
        for path in [
            "",
            "/",
            ".",
            "..",
            "/etc/passwd",
            "../strix.lock",
            "locks/../strix.lock",
            "locks",
            "locks/strix.lock",
            "tmp/x",
            "blobs/sha256",
            "blobs/sha256/..",
            "therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz/..",
            "therock-dist-linux-gfx1151-../../x-10.1.0a20260901.tar.gz",
            "therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz\n",
            "git/HEAD",
        ] {
            assert_eq!(Piece::parse(path), None, "{path}");
        }
        for path in [
            format!("blobs/sha256/{}", hex.to_uppercase()),
            format!("blobs//sha256/{hex}"),
            format!("chunks/{hex}/"),
            format!("chunks/{}/{}", &hex[..3], &hex[3..]),
            format!("trees/{hex}/tree"),
        ] {
            assert_eq!(Piece::parse(&path), None, "{path}");
        }
    }
}
