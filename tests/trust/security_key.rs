//! Signatures by a FIDO security key. The device is missing here: its part is played as PROTOCOL.u2f of OpenSSH says,
//! and the real `ssh-keygen` verifies the result.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, PrivateKey, SshSig};
use strixlock_ground::digest::Sha256Digest;

use super::{Desk, bytes};

const TYPE: &[u8] = b"sk-ssh-ed25519@openssh.com";
const APPLICATION: &[u8] = b"ssh:";

fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Signs with a key on the device, with the user's touch.
fn by_device(pair: &Ed25519Keypair, bytes: &[u8]) -> Vec<u8> {
    fn sign<S: ssh_key::SigningKey>(key: &S, bytes: &[u8]) -> Vec<u8> {
        key.try_sign(bytes).unwrap().as_bytes().to_vec()
    }
    let (touched, counter) = ([1], 7u32.to_be_bytes());
    let message = SshSig::signed_data("strixlock", HashAlg::Sha512, bytes).unwrap();
    let (application, message) = (Sha256Digest::of(APPLICATION), Sha256Digest::of(&message));
    let signed = [application.as_bytes().as_slice(), &touched, &counter, message.as_bytes()].concat();
    let raw = sign(&PrivateKey::from(pair.clone()), &signed);
    let signature = [text(TYPE), text(&raw), touched.to_vec(), counter.to_vec()].concat();
    let parts = [b"SSHSIG".to_vec(), 1u32.to_be_bytes().to_vec(), text(&public(pair)), text(b"strixlock"), text(b"")];
    let blob = [parts.concat(), text(b"sha512"), text(&signature)].concat();
    let lines: Vec<u8> = STANDARD.encode(blob).into_bytes().chunks(70).collect::<Vec<_>>().join(b"\n".as_slice());
    [b"-----BEGIN SSH SIGNATURE-----\n".as_slice(), &lines, b"\n-----END SSH SIGNATURE-----\n"].concat()
}

fn public(pair: &Ed25519Keypair) -> Vec<u8> {
    [text(TYPE), text(pair.public.as_ref()), text(APPLICATION)].concat()
}

#[test]
fn a_security_key_is_verified_as_ssh_keygen_does() {
    let desk = Desk::new();
    let pair = Ed25519Keypair::from_seed(&[7; 32]);
    let key = STANDARD.encode(public(&pair));
    desk.trust(&format!("ann sk-ssh-ed25519@openssh.com {key} a device\n"));
    let signature = by_device(&pair, &bytes());
    assert!(desk.ssh_verifies("ann", &bytes(), &signature));
    assert_eq!(desk.check(&bytes(), &signature).unwrap().signer, "ann");
    let other = by_device(&Ed25519Keypair::from_seed(&[8; 32]), &bytes());
    assert!(!desk.ssh_verifies("ann", &bytes(), &other));
    assert!(desk.refused(&bytes(), &other).contains("not trusted"));
    assert!(desk.refused(&bytes()[1..], &signature).contains("does not fit"));
}
