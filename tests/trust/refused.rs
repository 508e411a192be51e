//! Statements that are not believed.

use strixlock::parts::{Statement, Trusted};
use strixlock_ground::digest::{DerivationId, Sha256Digest};
use strixlock_ground::error::Kind;

use super::{Desk, NOW, bytes, statement};

#[test]
fn a_signature_for_another_purpose_or_by_a_stranger_does_not_count() {
    let desk = Desk::new();
    desk.trusted_key("ann");
    let other = desk.refused(&bytes(), &desk.signed("ann", "git", &bytes()));
    assert!(other.contains("made for another purpose") && other.contains("namespace git"), "{other}");

    desk.key("stranger", "ed25519", "256", "");
    let by_stranger = desk.signed("stranger", "strixlock", &bytes());
    let stranger = desk.refused(&bytes(), &by_stranger);
    assert!(stranger.starts_with("the statement is signed by a key that is not trusted"), "{stranger}");
    assert!(stranger.contains("SHA256:") && stranger.contains("strixlock trust add NAME KEY"), "{stranger}");

    // Nobody is trusted without a file.
    let nobody = Trusted::load(&desk.path("missing")).unwrap();
    assert!(nobody.is_nobody(NOW) && !desk.trusted().is_nobody(NOW));
    let by_ann = desk.signed("ann", "strixlock", &bytes());
    assert!(nobody.check(statement().derivation, &bytes(), &by_ann, NOW).is_err());
}

#[test]
fn a_statement_counts_for_its_derivation_alone() {
    let desk = Desk::new();
    desk.trusted_key("ann");
    let other = Statement { derivation: DerivationId(Sha256Digest::of(b"other")), ..statement() };
    let other = other.to_bytes().unwrap();
    let refused = desk.refused(&other, &desk.signed("ann", "strixlock", &other));
    assert!(refused.contains("about another derivation") && refused.contains("ann"), "{refused}");
    // Signed by somebody who is trusted, and still not a statement.
    for wrong in [b"{}".as_slice(), b"", b"tree", &bytes()[..bytes().len() - 1]] {
        let refused = desk.refused(wrong, &desk.signed("ann", "strixlock", wrong));
        assert!(refused.contains("ann  SHA256:"), "{refused}");
    }
}

#[test]
fn a_key_counts_while_it_is_valid() {
    let desk = Desk::new();
    let key = desk.key("ann", "ed25519", "256", "");
    let signature = desk.signed("ann", "strixlock", &bytes());
    desk.trust(&format!("ann valid-before=\"20261130120000Z\" {key}\n"));
    let check = |now| desk.trusted().check(statement().derivation, &bytes(), &signature, now);
    assert!(check(NOW).is_ok());
    let expired = check(NOW + 1).unwrap_err().to_string();
    assert!(expired.contains("does not count") && expired.contains("expired"), "{expired}");
    // Another line for the same key that counts is enough.
    desk.trust(&format!("ann valid-before=\"20200101Z\" {key}\nann2 {key}\n"));
    assert_eq!(desk.check(&bytes(), &signature).unwrap().signer, "ann2");
}

#[test]
fn no_changed_byte_of_a_signature_is_accepted() {
    let desk = Desk::new();
    desk.trusted_key("ann");
    let signature = desk.signed("ann", "strixlock", &bytes());
    let end = signature.trim_ascii_end().len();
    for place in 0..end {
        let mut changed = signature.clone();
        // White space is no part of what is signed.
        changed[place] = if changed[place] == b'A' || changed[place].is_ascii_whitespace() { b'B' } else { b'A' };
        let accepted = desk.check(&bytes(), &changed).is_ok();
        assert!(!accepted, "byte {place}: {}", String::from_utf8_lossy(&changed));
    }
    for length in 0..end {
        desk.refused(&bytes(), &signature[..length]);
    }
}

#[test]
fn two_signatures_garbage_and_huge_files_are_refused() {
    let desk = Desk::new();
    desk.trusted_key("ann");
    let one = desk.signed("ann", "strixlock", &bytes());
    let huge = b"x".repeat(64 << 20);
    for signature in [
        [one.clone(), one.clone()].concat(),
        [b"comment\n".as_slice(), &one].concat(),
        [one.as_slice(), b"more\n"].concat(),
        one.to_ascii_lowercase(),
        one.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect(),
        String::from_utf8(one.clone()).unwrap().replace("SSH SIGNATURE", "PGP SIGNATURE").into_bytes(),
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n".to_vec(),
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n".to_vec(),
        b"\x1b[2J\xff\0".to_vec(),
        huge.clone(),
        Vec::new(),
    ] {
        let refused = desk.refused(&bytes(), &signature);
        assert!(!refused.contains('\x1b'), "{refused}");
    }
    let long = desk.refused(&huge, &one);
    assert!(long.starts_with("the statement is too long"), "{long}");
}

#[test]
fn a_list_that_others_can_write_to_is_refused() {
    let desk = Desk::new();
    desk.trusted_key("ann");
    let file = desk.path("allowed_signers");
    for mode in [0o666, 0o664, 0o602] {
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let error = Trusted::load(&file).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("chmod go-w"), "{error}");
    }
    for (text, why) in [(b"\xff".to_vec(), "cannot read"), (b"a\n".repeat(3 << 20), "cannot read")] {
        std::fs::remove_file(&file).unwrap();
        let error = Trusted::load(&desk.write("allowed_signers", text)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(Trusted::load(desk.0.path()).is_err());
}

#[test]
fn keys_that_cannot_be_used_are_passed_over_by_name() {
    let desk = Desk::new();
    let small = desk.key("small", "rsa", "1024", "");
    let ann = desk.key("ann", "ed25519", "256", "");
    let signature = desk.signed("ann", "strixlock", &bytes());
    desk.trust(&format!("small {small}\nann {ann}\nold ssh-dss AAAAB3NzaC1kc3M=\n"));
    let ignored: Vec<_> = desk.trusted().ignored().iter().map(|one| (one.line, one.why.clone())).collect();
    assert_eq!(ignored[0], (1, "an RSA key of 1024 bits is not supported: expected 2048 to 4096".to_owned()));
    assert_eq!((ignored.len(), ignored[1].0), (2, 3));
    assert!(desk.check(&bytes(), &signature).is_ok());
    let refused = desk.refused(&bytes(), &desk.signed("small", "strixlock", &bytes()));
    assert!(refused.contains("not trusted"), "{refused}");
}
