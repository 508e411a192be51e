//! Signatures of `ssh-keygen` are verified here, and the other way round.

use strixlock::parts::SigningKey;

use super::{Desk, TYPES, bytes, statement};

#[test]
fn signatures_of_ssh_keygen_are_verified_for_each_type_of_key() {
    let desk = Desk::new();
    for (kind, bits) in TYPES {
        let name = format!("{kind}-{bits}");
        let key = desk.key(&name, kind, bits, "");
        desk.trust(&format!("# keys\n\n{name}@example.com namespaces=\"strixlock\" {key}\n"));
        let signature = desk.signed(&name, "strixlock", &bytes());
        let vouched = desk.check(&bytes(), &signature).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((vouched.signer, vouched.statement), (format!("{name}@example.com"), statement()));
        assert!(vouched.fingerprint.starts_with("SHA256:"));
        // A byte more, less or other than was signed.
        for wrong in [[bytes(), b"\n".to_vec()].concat(), bytes()[1..].to_vec(), bytes().to_ascii_uppercase()] {
            let refused = desk.refused(&wrong, &signature);
            assert!(refused.starts_with("the signature does not fit the statement"), "{refused}");
        }
    }
}

#[test]
fn our_signatures_are_verified_by_ssh_keygen_for_each_type_of_key() {
    let desk = Desk::new();
    for (kind, bits) in TYPES {
        let name = format!("{kind}-{bits}");
        let key = desk.key(&name, kind, bits, "");
        desk.trust(&format!("{name} {key}\n"));
        let (bytes, signature) = statement().sign(&SigningKey::file(desk.path(&name))).unwrap();
        assert!(desk.ssh_verifies(&name, &bytes, signature.as_bytes()), "{name}");
        assert!(!desk.ssh_verifies(&name, &bytes[1..], signature.as_bytes()), "{name}");
        assert_eq!(desk.check(&bytes, signature.as_bytes()).unwrap().signer, name);
    }
}

#[test]
fn a_line_that_restricts_a_key_is_honoured_as_ssh_keygen_does() {
    let desk = Desk::new();
    let key = desk.key("ann", "ed25519", "256", "");
    let signature = desk.signed("ann", "strixlock", &bytes());
    for (options, accepted) in [
        ("", true),
        ("namespaces=\"strixlock\"", true),
        ("Namespaces=\"git,strix*\"", true),
        ("namespaces=\"git\"", false),
        ("namespaces=\"*,!strixlock\"", false),
        ("valid-after=\"20200101\"", true),
        ("valid-after=\"20990101\"", false),
        ("valid-before=\"20990101120000\",namespaces=\"*\"", true),
        ("valid-before=\"202001011200\"", false),
        ("valid-after=\"20200101\",valid-before=\"20190101\"", false),
        ("valid-after=20200101", false),
        ("unknown-option", false),
        ("cert-authority", false),
    ] {
        desk.trust(&format!("someone-else ssh-ed25519 AAAA\nann\t{options}  {key}\n"));
        assert_eq!(desk.ssh_verifies("ann", &bytes(), &signature), accepted, "ssh-keygen: {options}");
        assert_eq!(desk.check(&bytes(), &signature).is_ok(), accepted, "strixlock: {options}");
        let ignored = desk.trusted().ignored().len();
        assert!(ignored >= 1, "the broken line is named");
    }
}
