//! Signed statements and trusted keys, compared with the real `ssh-keygen`.

mod agreement;
mod command;
mod refused;
mod security_key;
mod signing;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use strixlock::parts::{Statement, Trusted, Vouched};
use strixlock_ground::digest::{DerivationId, Sha256Digest, TreeDigest};
use strixlock_ground::error::Result;

/// Types of keys, as `ssh-keygen -t` and `-b` have them.
const TYPES: [(&str, &str); 7] = [
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("rsa", "2048"),
    ("rsa", "3072"),
    ("rsa", "4096"),
];

/// Noon of 2026-11-30.
const NOW: i64 = 1_796_040_000;

/// A directory with keys and a file of trusted ones.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Makes a key, and returns the line of its public half.
    fn key(&self, name: &str, kind: &str, bits: &str, passphrase: &str) -> String {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-b", bits, "-C", "a comment", "-N", passphrase, "-f"]);
        assert!(keygen.arg(self.path(name)).status().unwrap().success());
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// Makes an ed25519 key that is trusted under its name.
    fn trusted_key(&self, name: &str) -> String {
        let key = self.key(name, "ed25519", "256", "");
        self.trust(&format!("{name} {key}\n"));
        key
    }

    /// Writes the file of trusted keys.
    fn trust(&self, lines: &str) {
        self.write("allowed_signers", lines);
    }

    /// Signs with `ssh-keygen`.
    fn signed(&self, key: &str, namespace: &str, bytes: &[u8]) -> Vec<u8> {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.path(key));
        piped(keygen, bytes)
    }

    /// Returns whether `ssh-keygen` verifies a signature of somebody in the file of trusted keys.
    fn ssh_verifies(&self, signer: &str, bytes: &[u8], signature: &[u8]) -> bool {
        let signature = self.write("signature", signature);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "verify", "-n", "strixlock", "-I", signer, "-s"]).arg(signature);
        keygen.arg("-f").arg(self.path("allowed_signers")).stdin(self.open("statement", bytes));
        keygen.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn open(&self, name: &str, bytes: &[u8]) -> std::fs::File {
        std::fs::File::open(self.write(name, bytes)).unwrap()
    }

    fn trusted(&self) -> Trusted {
        Trusted::load(&self.path("allowed_signers")).unwrap()
    }

    fn check(&self, bytes: &[u8], signature: &[u8]) -> Result<Vouched> {
        self.trusted().check(statement().derivation, bytes, signature, NOW)
    }

    /// Checks what must be refused, and returns the message.
    #[track_caller]
    fn refused(&self, bytes: &[u8], signature: &[u8]) -> String {
        let error = self.check(bytes, signature).unwrap_err();
        assert_eq!(error.kind(), strixlock_ground::error::Kind::Mismatch);
        error.to_string()
    }
}

/// Runs a program with bytes on its standard input, and returns its standard output.
#[track_caller]
fn piped(mut command: Command, input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let output = command.stdin(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn statement() -> Statement {
    Statement {
        derivation: DerivationId(Sha256Digest::of(b"derivation")),
        tree: TreeDigest(Sha256Digest::of(b"tree")),
        name: "llama".to_owned(),
        kind: "llama".to_owned(),
        version: Some("b11429".to_owned()),
    }
}

fn bytes() -> Vec<u8> {
    statement().to_bytes().unwrap()
}
