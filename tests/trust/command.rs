//! `strixlock trust`

use strixlock_demo::http::Resource;

use super::Desk;
use crate::support::Project;

/// The file of trusted keys of the project's user.
fn file(project: &Project) -> std::path::PathBuf {
    project.directory.path().join("home/.config/strixlock/allowed_signers")
}

#[test]
fn keys_are_added_listed_and_removed() {
    let (project, desk) = (Project::empty(), Desk::new());
    let ann = desk.key("ann", "ed25519", "256", "");
    desk.key("bob", "ecdsa", "256", "");
    let bob = desk.path("bob.pub").display().to_string();
    assert_eq!(project.run(&["trust", "list"]).code(0).stdout, "no key is trusted\n");
    let added = project.run(&["trust", "add", "ann", &ann]).code(0);
    assert!(added.stdout.starts_with("trusted: ann  SHA256:") && added.stderr.contains("compare"), "{}", added.all());
    project.run(&["trust", "add", "bob@example.com", &bob]).code(0);
    // Once more, and without quotes around the key.
    let words: Vec<&str> = ["trust", "add", "ann"].into_iter().chain(ann.split(' ')).collect();
    assert!(project.run(&words).code(0).stdout.starts_with("trusted already: ann  SHA256:"));
    let text = std::fs::read_to_string(file(&project)).unwrap();
    assert_eq!(text.lines().next().unwrap(), format!("ann namespaces=\"strixlock\" {ann}"));
    assert_eq!(text.lines().count(), 2);

    let listed = project.run(&["trust", "list"]).code(0).stdout;
    assert!(listed.contains("ssh-ed25519") && listed.contains("a comment"), "{listed}");
    let json = project.run(&["trust", "list", "--json"]).code(0).json();
    let fingerprint = json["keys"][0]["fingerprint"].as_str().unwrap();
    let keygen = std::process::Command::new("ssh-keygen").arg("-lf").arg(desk.path("ann.pub")).output().unwrap();
    assert!(String::from_utf8(keygen.stdout).unwrap().contains(fingerprint));

    // A key has one name.
    let taken = project.run(&["trust", "add", "eve", &ann]).code(2);
    assert!(taken.stderr.contains("the key is trusted already, as `ann`"), "{}", taken.all());
    let near = project.run(&["trust", "remove", "an"]).code(9);
    assert!(near.stderr.contains("did you mean `ann`?"), "{}", near.all());
    project.run(&["trust", "remove", fingerprint]).code(0);
    project.run(&["trust", "remove", "bob@example.com"]).code(0);
    project.run(&["trust", "remove", "bob@example.com"]).code(9);
    assert_eq!(std::fs::read_to_string(file(&project)).unwrap(), "");
}

#[test]
fn other_lines_stay_and_those_that_cannot_be_honoured_are_told() {
    let (project, desk) = (Project::empty(), Desk::new());
    let (ann, bob) = (desk.key("ann", "ed25519", "256", ""), desk.key("bob", "ed25519", "256", ""));
    let before = format!(
        "# our keys\nann,eve {ann}\n\n*@example.com cert-authority {bob}\nbob valid-before=\"20200101Z\" {bob}"
    );
    std::fs::create_dir_all(file(&project).parent().unwrap()).unwrap();
    std::fs::write(file(&project), &before).unwrap();
    let listed = project.run(&["trust", "list"]).code(0);
    assert!(listed.stdout.contains("expired (valid-before)"), "{}", listed.all());
    assert!(listed.stderr.contains(":4: passed over: certificates (cert-authority)"), "{}", listed.all());
    project.run(&["trust", "remove", "ann"]).code(0);
    let carol = desk.key("carol", "ed25519", "256", "");
    project.run(&["trust", "add", "carol", &carol]).code(0);
    let after = std::fs::read_to_string(file(&project)).unwrap();
    assert_eq!(after, format!("{}\ncarol namespaces=\"strixlock\" {carol}\n", before.replace("ann,eve", "eve")));
    // It is the user's file, and never one of the project; `--config` moves it.
    project.write("allowed_signers", &before);
    project.write("strixlock.toml", "");
    project.write("other/config.toml", "");
    let other = project.run(&["trust", "list", "--config", "other/config.toml"]).code(0);
    assert_eq!(other.stdout, "no key is trusted\n");
}

#[test]
fn keys_come_from_a_page_and_from_git() {
    let (project, desk) = (Project::empty(), Desk::new());
    let (ann, second) = (desk.key("ann", "ed25519", "256", ""), desk.key("second", "rsa", "2048", ""));
    let page = format!("{ann}\nssh-dss AAAA\n{second}\n");
    project.upstream().server().put("/ann.keys", Resource::bytes(page.into_bytes()));
    let url = format!("{}ann.keys", project.base());
    let added = project.run(&["trust", "add", "ann", &url]).code(0);
    assert_eq!(added.stdout.lines().count(), 2, "{}", added.all());
    assert!(added.stderr.contains("line 2: invalid key"), "{}", added.all());
    project.run(&["trust", "add", "ann", &format!("{}nobody.keys", project.base())]).code(9);

    let missing = project.run(&["trust", "add", "me"]).code(9);
    assert!(missing.stderr.contains("git config --global user.signingkey"), "{}", missing.all());
    let me = desk.key("me", "ed25519", "256", "");
    let config = format!("[user]\nsigningkey = {}\n[gpg]\nformat = ssh\n", desk.path("me").display());
    std::fs::write(project.directory.path().join("home/.gitconfig"), config).unwrap();
    project.run(&["trust", "add", "me"]).code(0);
    assert!(std::fs::read_to_string(file(&project)).unwrap().contains(&format!("me namespaces=\"strixlock\" {me}\n")));
}

#[test]
fn what_is_no_public_key_is_refused() {
    let (project, desk) = (Project::empty(), Desk::new());
    let ann = desk.key("ann", "ed25519", "256", "");
    let private = desk.path("ann").display().to_string();
    let refused = project.run(&["trust", "add", "ann", &private]).code(2);
    assert!(refused.stderr.contains("not a private one"), "{}", refused.all());
    project.run(&["trust", "add", "ann", "missing.pub"]).code(9);
    project.run(&["trust", "add", "ann", "ssh-ed25519 AAAA"]).code(3);
    project.run(&["trust", "add", "ann", &desk.write("empty.pub", "").display().to_string()]).code(3);
    for name in ["", "a b", "a,b", "*", "!ann", "#ann", "ssh-ed25519", "a\"b", "a\nb"] {
        let refused = project.run(&["trust", "add", name, &ann]).code(2);
        assert!(refused.stderr.contains("invalid name"), "{}", refused.all());
    }
    assert!(!file(&project).exists());
}
