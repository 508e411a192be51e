use proptest::prelude::*;

use super::keyring::Keyring;
use super::ranking::Ranking;
use super::release::{Leniency, Release};
use super::sources::SignedBy;
use super::stanza::Stanzas;
use super::universe::Universe;
use super::*;
use crate::deb::{DebVersion, relation};
use crate::demo::debs::{Key, Package, usual};
use crate::error::{Kind, Result};

fn version(text: &str) -> DebVersion {
    DebVersion::parse(text).unwrap()
}

#[test]
fn stanzas_are_read_one_by_one() {
    let text = "\n# a comment\nA: 1\nb:  two\n three\n .\n\n\nA: 2\n";
    let mut stanzas = Stanzas::new(text.as_bytes(), &[]);
    let first = stanzas.read().unwrap().unwrap();
    assert_eq!((first.get("a"), first.get("B"), first.get("c")), (Some("1"), Some("two\nthree\n."), None));
    assert_eq!(stanzas.read().unwrap().unwrap().get("A"), Some("2"));
    assert!(stanzas.read().unwrap().is_none());
    let wanted = Stanzas::new(text.as_bytes(), &["a"]).read().unwrap().unwrap();
    assert_eq!((wanted.get("A"), wanted.get("b")), (Some("1"), None));
    for wrong in ["no field\n", " begins with a blank\n"] {
        assert!(Stanzas::new(wrong.as_bytes(), &[]).read().is_err(), "{wrong}");
    }
}

const RELEASE: &str = "Suite: stable\nCodename: demo\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n\
    Valid-Until: Sat,  1 Aug 2026 00:16:37 UTC\nArchitectures: all amd64\nAcquire-By-Hash: yes\nSHA256:\n \
    0000000000000000000000000000000000000000000000000000000000000000 12 main/binary-amd64/Packages.xz\n";

#[test]
fn release_files_say_what_they_are_and_for_how_long() {
    let release = Release::parse(RELEASE.as_bytes()).unwrap();
    assert_eq!((release.date, release.valid_until), (Some(1_783_764_997), Some(1_785_543_397)));
    assert!(release.by_hash && release.separate_all && release.priority == 500 && release.odd.is_empty());
    assert_eq!(release.files["main/binary-amd64/Packages.xz"].0, 12);
    let strict = Leniency::default();
    for suite in ["stable", "demo", "demo/updates"] {
        release.check(suite, 1_783_765_000, &strict).unwrap();
    }
    let message = |suite, now| release.check(suite, now, &strict).unwrap_err().message().to_owned();
    assert_eq!(message("testing", 1_783_765_000), "the Release file is for another suite than requested");
    assert_eq!(message("demo", 1_700_000_000), "the Release file is dated in the future");
    assert_eq!(message("demo", 1_795_543_397), "the Release file has expired");
    release.check("demo", 1_795_543_397, &Leniency { expired: true, ..Leniency::default() }).unwrap();
    release.check("demo", 1_700_000_000, &Leniency { future: true, ..Leniency::default() }).unwrap();
    let named = Leniency { names: vec!["demo".to_owned()], ..Leniency::default() };
    release.check("testing", 1_783_765_000, &named).unwrap();
    for (from, to) in [
        ("SHA256:", "SHA1:"),
        ("Suite", "\nSuite"),
        ("Valid-Until: Sat,", "Valid-Until: Sat.,"),
        ("SHA256:", "nothing\nSHA256:"),
    ] {
        let text = RELEASE.replace(from, to);
        assert!(Release::parse(format!("X: y\n{text}").as_bytes()).is_err(), "{to}");
    }
    let upgrades = "NotAutomatic: yes\nButAutomaticUpgrades: yes\n";
    assert_eq!(Release::parse(format!("{upgrades}{RELEASE}").as_bytes()).unwrap().priority, 100);
}

#[test]
fn odd_release_files_are_read_as_apt_reads_them() {
    let good = Release::parse(RELEASE.as_bytes()).unwrap();
    for (from, to, odd) in [
        ("Date: Sat, 11 Jul 2026 10:16:37 UTC\n", "", Some("it has no `Date`")),
        ("Date: Sat, 11 Jul 2026 10:16:37 UTC", "Date:", Some("it has no `Date`")),
        ("Sat, 11 Jul", "Sat., 11 Jul", Some("invalid `Date`: `Sat., 11 Jul 2026 10:16:37 UTC`")),
        (" 12 main", " -12 main", Some("1 of the lines under `SHA256` are invalid")),
        (" 12 main", " 12 ../main", Some("1 of the lines under `SHA256` are invalid")),
        ("Sat, 11 Jul", "Mon, 11 Jul", None),
        ("SHA256:", "Acquire-By-Hash: true\nSHA256:", None),
        ("Suite: stable", "Suite:", None),
        (" 12 main", " 12 ./main", None),
        ("\n", "\r\n", None),
    ] {
        let release = Release::parse(RELEASE.replace(from, to).as_bytes()).unwrap();
        assert_eq!(release.odd.first().map(String::as_str), odd, "{to}");
        release.check("demo", 1_783_765_000, &Leniency::default()).unwrap();
        assert!(release.date == good.date || odd.is_some(), "{to}");
        assert!(release.files == good.files || odd.is_some(), "{to}");
    }
    // Empty names are absent ones, and a file without a name is that of any suite.
    let text = RELEASE.replace("stable", "").replace("Codename: demo", "Codename: ");
    Release::parse(text.as_bytes()).unwrap().check("other", 1_783_765_000, &Leniency::default()).unwrap();
    let latin: Vec<u8> = RELEASE
        .replace("Suite", "Description: Z?rich\nSuite")
        .bytes()
        .map(|byte| if byte == b'?' { 0xfc } else { byte })
        .collect();
    assert_eq!(Release::parse(&latin).unwrap(), good);
    // apt takes all but the last part of the name of a suite for its code name.
    let text = RELEASE.replace("Suite: stable", "Suite: focal").replace("Codename: demo", "Codename: focal");
    let focal = Release::parse(text.as_bytes()).unwrap();
    focal.check("focal/snap", 1_783_765_000, &Leniency::default()).unwrap();
    insta::assert_snapshot!(focal.check("focal/snapshots/5.12", 1_783_765_000, &Leniency::default()).unwrap_err(), @r#"
    the Release file is for another suite than requested
      asked     focal/snapshots/5.12
      received  focal
    hint: if that is what you mean, set in the manifest: accept-names = ["focal"]
    "#);
}

fn keyring(keys: &[Key]) -> Keyring {
    let mut keyring = Keyring::default();
    for key in keys {
        keyring.add("demo.gpg", &key.keyring().unwrap()).unwrap();
    }
    keyring
}

fn message(bytes: &[u8], keyring: &Keyring) -> String {
    let error = signature::verify(bytes, keyring).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    format!("{error}")
}

const AT: i64 = 1_700_000_000;

#[test]
fn a_signed_text_comes_out_as_it_was_signed() {
    let key = Key::new(1);
    let text = "Suite: demo\n- dashed\n-----\n\nfrom \u{e9}\nlast\n";
    let signed = key.sign(text, AT).unwrap();
    let out = signature::verify(&signed, &keyring(&[Key::new(2), key])).unwrap();
    assert_eq!((out.text.as_slice(), out.by), (text.as_bytes(), key.fingerprint().unwrap()));
    // Line ends may change on the way, as gpg has it.
    let crlf = String::from_utf8(signed).unwrap().replace('\n', "\r\n");
    assert_eq!(signature::verify(crlf.as_bytes(), &keyring(&[key])).unwrap().text, text.as_bytes());
}

#[test]
fn a_signed_text_need_not_be_utf_8() {
    let key = Key::new(1);
    let text = b"Suite: demo\nDescription: Z\xfcrich\nSHA256:\n";
    let hashed = b"Suite: demo\r\nDescription: Z\xfcrich\r\nSHA256:";
    let signature = key.sign_beside(hashed, AT).unwrap();
    let framed = [b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n", &text[..], &signature].concat();
    let out = signature::verify(&framed, &keyring(&[key])).unwrap();
    assert_eq!(out.text, text);
    assert_eq!(Release::parse(&out.text).unwrap().suite, "demo");
    let changed: Vec<u8> = framed.iter().map(|byte| if *byte == 0xfc { 0xfd } else { *byte }).collect();
    assert!(signature::verify(&changed, &keyring(&[key])).is_err());
}

#[test]
fn what_was_not_signed_is_refused() {
    let key = Key::new(1);
    let good = String::from_utf8(key.sign("Suite: demo\nDate: today\n", AT).unwrap()).unwrap();
    let ours = keyring(&[key]);
    signature::verify(good.as_bytes(), &ours).unwrap();
    let tampered = good.replace("today", "never");
    assert!(message(tampered.as_bytes(), &ours).starts_with("the signature does not match the Release file"));
    let other = message(good.as_bytes(), &keyring(&[Key::new(2)]));
    assert!(
        other.contains("the keyring does not contain this key") && other.contains(&key.fingerprint().unwrap()),
        "{other}"
    );
    let expired = Key { lives: 1000, ..key };
    let signed = expired.sign("Suite: demo\n", AT).unwrap();
    assert!(message(&signed, &keyring(&[expired])).contains("the key had expired"));
    let early = key.sign("Suite: demo\n", 1_500_000_000).unwrap();
    assert!(message(&early, &ours).contains("the key was created after the signature"));
    // Nothing may stand beside what is signed.
    for framed in [
        format!("Suite: evil\n{good}"),
        format!("{good}Suite: evil\n"),
        good.replacen("\n\n", "\nSuite: evil\n\n", 1),
        good.replacen("\nDate", "\n-----BEGIN\nDate", 1),
        good.replace("BEGIN PGP SIGNATURE", "BEGIN PGP MESSAGE"),
        String::new(),
        "<html>".to_owned(),
    ] {
        assert!(signature::verify(framed.as_bytes(), &ours).is_err(), "{framed}");
    }
    assert!(ours.only(&["0".repeat(40)]).is_empty());
}

#[test]
fn a_short_key_may_sign_nothing() {
    // Made by gpg.
    let ours = |bytes: &[u8]| {
        let mut keyring = Keyring::default();
        keyring.add("demo.asc", bytes).unwrap();
        keyring
    };
    let long = ours(include_bytes!("tests/rsa2048.asc"));
    assert_eq!(signature::verify(include_bytes!("tests/rsa2048-signed.asc"), &long).unwrap().text, b"Suite: demo\n");
    let short = ours(include_bytes!("tests/rsa1024.asc"));
    let told = message(include_bytes!("tests/rsa1024-signed.asc"), &short);
    assert!(told.contains("the key's algorithm or length is no longer trusted"), "{told}");
}

#[test]
fn a_signature_counts_for_the_keys_that_are_named() {
    let key = Key::new(1);
    let own = key.fingerprint().unwrap();
    let signed = key.sign("Suite: demo\n", AT).unwrap();
    for words in [vec![own.clone()], vec![format!("{own}!")], vec!["0".repeat(40), format!("{own}!")]] {
        signature::verify(&signed, &keyring(&[key, Key::new(2)]).only(&words)).unwrap();
    }
    // Named twice, a key must be named both times.
    let other = Key::new(2).fingerprint().unwrap();
    let none = keyring(&[key, Key::new(2)]).only(&[own]).only(&[format!("{other}!")]);
    assert!(none.is_empty() && signature::verify(&signed, &none).is_err());
}

#[test]
fn a_signature_that_ends_is_over_as_a_release_file_is() {
    let key = Key::new(1);
    let until = |lives| {
        let signed = key.sign_for("Suite: demo\n", AT, lives).unwrap();
        signature::verify(&signed, &keyring(&[key])).unwrap().until
    };
    assert_eq!(until(0), None);
    assert_eq!(until(3600), Some(AT + 3600));
    let text = "Suite: demo\nDate: Tue, 14 Nov 2023 22:13:20 UTC\nSHA256:\n";
    let release = Release::parse(text.as_bytes()).unwrap().until(Some(AT + 3600));
    let (strict, lenient) = (Leniency::default(), Leniency { expired: true, ..Leniency::default() });
    release.check("demo", AT + 3600, &strict).unwrap();
    assert!(release.check("demo", AT + 3601, &strict).unwrap_err().message().contains("has expired"));
    release.check("demo", AT + 3601, &lenient).unwrap();
}

fn universe(packages: &[Package]) -> Universe {
    let list: String = packages.iter().map(|package| package.stanza(b"") + "\n").collect();
    let mut universe = Universe::new("amd64");
    universe.add(list.as_bytes(), 0, &Ranking::plain(500)).unwrap();
    universe.finish();
    universe
}

fn closure(universe: &Universe, names: &[&str]) -> Result<Vec<String>> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let found = solve(universe, &names)?;
    Ok(found.0.into_iter().map(|index| universe.get(index).name.clone()).collect())
}

#[test]
fn closures_are_those_of_apt() {
    let universe = universe(&usual());
    for (wanted, found) in [
        (vec!["hello"], vec!["gcc-12-base", "hello", "libc6", "libgcc-s1"]),
        (vec!["gcc"], vec!["binutils", "cpp", "gcc", "gcc-12-base", "libc6", "libgcc-s1"]),
        (vec!["script"], vec!["mawk", "script"]),
        // What was asked for is taken before what ranks higher.
        (vec!["script", "gawk"], vec!["gawk", "script"]),
        // Only a version that is provided satisfies a wish for one.
        (vec!["script-new"], vec!["gawk", "script-new"]),
        (vec!["writer"], vec!["nano", "writer"]),
        (vec!["tool"], vec!["python3", "tool"]),
        (vec!["exim"], vec!["exim"]),
    ] {
        assert_eq!(closure(&universe, &wanted).unwrap(), found, "{wanted:?}");
    }
}

#[test]
fn what_cannot_be_installed_is_explained() {
    let universe = universe(&usual());
    let told = |names: &[&str]| closure(&universe, names).unwrap_err().to_string();
    insta::assert_snapshot!(told(&["helo"]), @r"
    the archive has no package `helo`
    hint: did you mean `hello`? Packages may be in a component that is not named, such as `universe`
    ");
    insta::assert_snapshot!(told(&["awk"]), @r"
    `awk` is a virtual package that several packages provide
      provided by  gawk 1:5.2.1-2
      provided by  mawk 1.3.4.20200120-3.1
    hint: name one of them
    ");
    insta::assert_snapshot!(told(&["top"]), @r"
    `top` cannot be installed
      since  top 1.0 depends on middle
      needs  middle 1.5 depends on bottom (>= 3)
      but    the archive has bottom 2.0-1
    hint: the package may be in a suite or component that is not named, or the mirror is in the middle of an update
    ");
    insta::assert_snapshot!(told(&["exim", "postfix"]), @r"
    these packages cannot be installed together
      needs  exim 4.96-15 conflicts with mail-transport-agent
      but    postfix 3.7.11-0 is to be installed
    hint: leave one of them out, or name the alternative that you want under `packages`: named packages are chosen first
    ");
    insta::assert_snapshot!(told(&["mailer"]), @r"
    `mailer` cannot be installed
      since  mailer 1.0 depends on notifier
      needs  notifier 1.0 depends on postfix
      but    exim 4.96-15 forbids postfix 3.7.11-0
      since  mailer 1.0 depends on exim
    hint: leave one of them out, or name the alternative that you want under `packages`: named packages are chosen first
    ");
    insta::assert_snapshot!(told(&["vim"]), @r"
    `vim` cannot be installed
      needs  vim 2:9.0-1 depends on vim-common (>= 2:9.0-1)
      but    the archive has vim-common 2:8.2-1
    hint: the package may be in a suite or component that is not named, or the mirror is in the middle of an update
    ");
}

#[test]
fn the_newest_version_wins_and_of_an_archive_for_askers_none() {
    let mut universe = Universe::new("amd64");
    let list = |version: &str| Package::new("hello", version, &[]).stanza(b"");
    universe.add(list("2.0").as_bytes(), 0, &Ranking::plain(500)).unwrap();
    universe.add(list("2.1").as_bytes(), 1, &Ranking::plain(500)).unwrap();
    universe.add(list("1.9").as_bytes(), 2, &Ranking::plain(500)).unwrap();
    universe.add(list("3.0").as_bytes(), 3, &Ranking::plain(100)).unwrap();
    universe.finish();
    let chosen = universe.get(universe.named("hello").unwrap());
    assert_eq!((chosen.version.as_str(), chosen.source), ("2.1", 1));
}

#[test]
fn a_chain_of_thousands_does_not_end_the_stack() {
    let mut packages: Vec<Package> = (0..8000)
        .map(|number| Package::new(&format!("p{number}"), "1", &[&format!("Depends: p{}", number + 1)]))
        .collect();
    packages.push(Package::new("p8000", "1", &[]));
    assert_eq!(closure(&universe(&packages), &["p0"]).unwrap().len(), 8001);
}

#[test]
fn addresses_are_recognized_and_made() {
    let url = |text: &str| Url::parse(text).unwrap();
    assert!(is_snapshot(&url("https://snapshot.ubuntu.com/ubuntu/20261101T000000Z")));
    assert!(is_snapshot(&url("https://snapshot.debian.org/archive/debian/20261101T000000Z/")));
    assert!(!is_snapshot(&url("https://mirror.example/debian")));
    assert!(!is_snapshot(&url("https://mirror.example/20261101T00000Z")));
    let made = below(&url("https://a.example/debian/"), "pool/main/g/g++_1%3a2~rc+1.deb").unwrap();
    assert_eq!(made.as_str(), "https://a.example/debian/pool/main/g/g%2B%2B_1%253a2~rc%2B1.deb");
    assert!(is_word("noble-updates") && is_word("bookworm/updates") && !is_word("../x") && !is_word("a b"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_stops_a_parser(text in "[ -~\n\té|,:()<>=~]{0,200}") {
        let _ = relation::parse(&text);
        let _ = relation::names(&text).count();
        let _ = DebVersion::parse(&text);
        let _ = Release::parse(text.as_bytes());
        let _ = date::parse(&text);
        let mut stanzas = Stanzas::new(text.as_bytes(), &[]);
        while let Ok(Some(_)) = stanzas.read() {}
        let _ = SignedBy::default();
    }

    #[test]
    fn no_bytes_stop_a_parser(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Keyring::default().add("x", &bytes);
        let _ = signature::verify(&bytes, &Keyring::default());
        let _ = signature::verify_detached(b"", &bytes, &Keyring::default());
        let mut universe = Universe::new("amd64");
        let _ = universe.add(bytes.as_slice(), 0, &Ranking::plain(500));
    }

    #[test]
    fn a_damaged_signature_never_stops_the_verifier(at in 0usize..600, byte in any::<u8>()) {
        let key = Key::new(1);
        let mut signed = key.sign("Suite: demo\nDate: today\n", AT).unwrap();
        let at = at % signed.len();
        signed[at] = byte;
        let text = signature::verify(&signed, &keyring(&[key])).map(|signed| signed.text);
        // What still verifies is what was signed: nothing but blanks at the end of a line may differ.
        if let Ok(text) = text {
            prop_assert_eq!(text, b"Suite: demo\nDate: today\n");
        }
    }

    #[test]
    fn the_order_of_versions_is_total(a in "[0-9a-c~.+:-]{1,8}", b in "[0-9a-c~.+:-]{1,8}", c in "[0-9a-c~.+:-]{1,8}") {
        let (a, b, c) = (version(&a), version(&b), version(&c));
        prop_assert_eq!(a.compare(&b), b.compare(&a).reverse());
        if a.compare(&b).is_le() && b.compare(&c).is_le() {
            prop_assert!(a.compare(&c).is_le());
        }
    }

    #[test]
    fn a_closure_holds_together_or_is_explained(relations in proptest::collection::vec((0usize..12, 0usize..12, 0usize..12, 0u8..5), 0..40)) {
        let mut packages: Vec<Package> = (0..12).map(|number| Package::new(&format!("p{number}"), "1", &[])).collect();
        for (kind, name) in [(0, "Depends"), (1, "Conflicts"), (2, "Provides"), (3, "Pre-Depends"), (4, "Breaks")] {
            for (number, package) in packages.iter_mut().enumerate() {
                let of = relations.iter().filter(|one| one.0 == number && one.3 == kind);
                let told: Vec<String> = of.map(|one| match kind {
                    0 => format!("p{} | v{}", one.1, one.2),
                    2 => format!("v{}", one.1),
                    _ => format!("p{}", one.1),
                }).collect();
                if !told.is_empty() {
                    package.fields.push((name.to_owned(), told.join(", ")));
                }
            }
        }
        let universe = universe(&packages);
        match closure(&universe, &["p0", "p5"]) {
            Err(error) => prop_assert_eq!(error.kind(), Kind::NotFound),
            Ok(names) => {
                let chosen: Vec<usize> = names.iter().map(|name| universe.named(name).unwrap()).collect();
                for index in &chosen {
                    for dependency in universe.dependencies(*index) {
                        let mut met = dependency.alternatives.iter().flat_map(|one| universe.solutions(one));
                        if dependency.kind.is_need() {
                            prop_assert!(met.any(|one| chosen.contains(&one)));
                        } else {
                            prop_assert!(!met.any(|one| one != *index && chosen.contains(&one)));
                        }
                    }
                }
            }
        }
    }
}
