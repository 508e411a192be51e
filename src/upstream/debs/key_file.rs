//! The formats of OpenPGP key files: binary, and armored, with one or several blocks.

use pgp::composed::{PublicOrSecret, SignedPublicKey};

use crate::error::{Error, Kind, Result};
use crate::text;

const BEGIN: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &[u8] = b"-----END PGP PUBLIC KEY BLOCK-----";

/// Reads the keys in a file, called `name` in messages. Keys of unknown kinds are skipped. Fails if none is left; the
/// error says what the file is instead.
pub(super) fn keys(name: &str, bytes: &[u8]) -> Result<Vec<SignedPublicKey>> {
    let none = || Error::new(Kind::Invalid, "the keyring contains no OpenPGP key").fact("keyring", name);
    if bytes.get(8..12) == Some(b"KBXf") {
        return Err(Error::new(
            Kind::Invalid,
            "the keyring is in GnuPG's keybox format, which apt does not read either",
        )
        .fact("keyring", name)
        .hint(format!(
            "export its keys into a plain keyring: gpg --no-default-keyring --keyring {} --export > plain.gpg",
            // GnuPG looks for a bare name in its own directory.
            text::shell_word(&if name.contains('/') { name.to_owned() } else { format!("./{name}") })
        )));
    }
    let blocks = blocks(bytes);
    if blocks.is_empty() {
        let begin = bytes.trim_ascii_start();
        if begin.starts_with(b"<") {
            return Err(Error::new(Kind::Invalid, "the keyring is an HTML page, not a key")
                .fact("keyring", name)
                .hint("download the key itself: this may be the address of a page about it"));
        }
        return from(bytes).map_err(|error| none().because(&error)).and_then(|keys| some(keys, none));
    }
    let (mut keys, mut failure) = (Vec::new(), None);
    for block in blocks {
        match from(block) {
            Ok(found) => keys.extend(found),
            Err(error) => failure = Some(error),
        }
    }
    match failure.filter(|_| keys.is_empty()) {
        Some(error) => Err(none().because(&error)),
        None => some(keys, none),
    }
}

fn some(keys: Vec<SignedPublicKey>, none: impl Fn() -> Error) -> Result<Vec<SignedPublicKey>> {
    if keys.is_empty() { Err(none()) } else { Ok(keys) }
}

fn from(bytes: &[u8]) -> pgp::errors::Result<Vec<SignedPublicKey>> {
    let (keys, _) = PublicOrSecret::from_reader_many(bytes)?;
    Ok(keys.filter_map(Result::ok).filter_map(|key| SignedPublicKey::try_from(key).ok()).collect())
}

/// Returns the armored blocks, each from its first line to its last. Text between them is a comment.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut begun, mut at) = (Vec::new(), None, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        let plain = line.trim_ascii_end();
        if plain.ends_with(BEGIN) {
            // A byte order mark may precede the first block.
            begun = Some(at + plain.len() - BEGIN.len());
        } else if plain == END
            && let Some(from) = begun.take()
        {
            found.push(&bytes[from..end]);
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::keys;
    use crate::demo::debs::Key;
    use crate::error::Kind;

    fn armored(key: Key) -> String {
        let keyring = key.keyring().unwrap();
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, keyring);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n", lines.join("\n"))
    }

    #[test]
    fn every_block_of_a_file_is_read() {
        let (one, two) = (armored(Key::new(1)), armored(Key::new(2)));
        let broken = one.replace("\n\n", "\n\n!!!!");
        for (text, count) in [
            (one.clone(), 1),
            (format!("{one}{two}"), 2),
            (format!("The old key:\n{one}\n\nThe new key:\n\n{two}\nThat is all.\n"), 2),
            (format!("\u{feff}{one}"), 1),
            (format!("{one}{two}").replace('\n', "\r\n"), 2),
            (format!("{broken}{two}"), 1),
            (one.trim_end().to_owned(), 1),
        ] {
            assert_eq!(keys("two.asc", text.as_bytes()).unwrap().len(), count, "{text}");
        }
        let binary = [Key::new(1).keyring().unwrap(), Key::new(2).keyring().unwrap()].concat();
        assert_eq!(keys("two.gpg", &binary).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_keyring_is_told_by_what_it_is() {
        let keybox = [&[0, 0, 0, 32, 1, 1, 0, 2][..], b"KBXf", &[0; 20]].concat();
        let one = armored(Key::new(1));
        for (bytes, message, hint) in [
            (keybox.as_slice(), "keybox", "gpg --no-default-keyring --keyring keys/my.kbx --export > plain.gpg"),
            (b"\n<!DOCTYPE html><title>Not found</title>", "HTML page", "download the key itself"),
            (b"", "no OpenPGP key", ""),
            (b"ssh-ed25519 AAAA", "no OpenPGP key", ""),
            (&one.as_bytes()[..60], "no OpenPGP key", ""),
        ] {
            let error = keys("keys/my.kbx", bytes).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.message().contains(message), "{error}");
            assert!(error.to_string().contains(hint), "{error}");
        }
    }
}
