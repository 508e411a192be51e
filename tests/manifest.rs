//! Manifests: mistakes are shown at their line; `init` writes one that works.

use crate::support::{FIRST, Project, SECOND};

fn refusal(text: &str) -> String {
    let project = Project::empty();
    project.write("manifests/strix.toml", text);
    let ran = project.run(&["update"]);
    assert_eq!(ran.code, 3, "{}", ran.all());
    ran.stderr
}

#[test]
fn mistakes_are_shown_where_they_are() {
    insta::assert_snapshot!(refusal("[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nverison = \"latest\"\n"), @r#"
    error: manifests/strix.toml:4:1: unknown field `verison`
      |
    4 | verison = "latest"
      | ^^^^^^^ did you mean `version`?
    "#);
    insta::assert_snapshot!(refusal("[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx115\"\n\n[outputs.rocm]\ntype = \"rocm\"\ninput = \"rcm\"\n"), @r#"
    error: manifests/strix.toml:7:9: there is no input `rcm`
      |
    7 | input = "rcm"
      |         ^^^^^ did you mean `rocm`?
    "#);
}

#[test]
fn all_mistakes_are_shown_in_the_order_of_the_file() {
    let text = r#"
[inputs.rocm]
type = "rocm"
chanel = "nightly"
channel = "nightlies"
platform = 5
sources = ["here", "https://host/", "there"]

[inputs.llama-cpp]
type = "git"
url = "https://host/llama.cpp"
commit = "abc12"

[inputs.Packages]
type = "debs"
archives = ["ftp://host/"]
packages = ["cmake", "G++"]
colour = true

[outputs.rocm]
type = "rocm"
prefix = "opt"

[outputs.llama]
type = "llama"
source = "lama-cpp"
cmake = { "A B" = true, C = [1], D = "ON" }

[outputs.runtime]
type = "runtime"
edges = [{ from = "x", library = "liby.so" }, { from = 1, path = "y", reason = "r" }]
"#;
    insta::assert_snapshot!(refusal(text), @r#"
    error: manifests/strix.toml:2:9: the field `target` is missing
      |
    2 | [inputs.rocm]
      |         ^^^^ needs `target`
    error: manifests/strix.toml:4:1: unknown field `chanel`
      |
    4 | chanel = "nightly"
      | ^^^^^^ did you mean `channel`?
    error: manifests/strix.toml:5:11: unknown channel `nightlies`
      |
    5 | channel = "nightlies"
      |           ^^^^^^^^^^^ did you mean `nightly`?
    error: manifests/strix.toml:6:12: `platform` must be a string
      |
    6 | platform = 5
      |            ^ this is an integer
    error: manifests/strix.toml:7:12: invalid URL: relative URL without a base
      |
    7 | sources = ["here", "https://host/", "there"]
      |            ^^^^^^ such as https://host/path
    error: manifests/strix.toml:7:37: invalid URL: relative URL without a base
      |
    7 | sources = ["here", "https://host/", "there"]
      |                                     ^^^^^^^ such as https://host/path
    error: manifests/strix.toml:12:10: a commit is given by all of its 40 lower-case hex digits
       |
    12 | commit = "abc12"
       |          ^^^^^^^ this does not identify one
    error: manifests/strix.toml:14:9: invalid name
       |
    14 | [inputs.Packages]
       |         ^^^^^^^^ lower-case letters, digits, `-`, `_` and `.`
    error: manifests/strix.toml:16:13: `ftp:` URLs cannot be fetched
       |
    16 | archives = ["ftp://host/"]
       |             ^^^^^^^^^^^^^ https:, http: (loopback) or file:
    error: manifests/strix.toml:17:22: this is not the name of a package
       |
    17 | packages = ["cmake", "G++"]
       |                      ^^^^^ such as "g++"
    error: manifests/strix.toml:18:1: unknown field `colour`
       |
    18 | colour = true
       | ^^^^^^ expected one of `type`, `frozen`, `archive`, `archives`, `packages`, `components`, `architecture`, `keyring`, `keys`, `accept-names`, `unsigned`, `accept-expired`, `suites`, `suite`
    error: manifests/strix.toml:22:10: invalid prefix: expected a clean absolute path that hides no system directory
       |
    22 | prefix = "opt"
       |          ^^^^^ such as "/opt/llama"
    error: manifests/strix.toml:26:10: there is no input `lama-cpp`
       |
    26 | source = "lama-cpp"
       |          ^^^^^^^^^^ did you mean `llama-cpp`?
    error: manifests/strix.toml:27:11: invalid name of a CMake variable
       |
    27 | cmake = { "A B" = true, C = [1], D = "ON" }
       |           ^^^^^ letters, digits and `_`
    error: manifests/strix.toml:27:29: `C` must be a string, a number, true or false
       |
    27 | cmake = { "A B" = true, C = [1], D = "ON" }
       |                             ^^^ this is an array
    error: manifests/strix.toml:31:10: the field `reason` is missing
       |
    31 | edges = [{ from = "x", library = "liby.so" }, { from = 1, path = "y", reason = "r" }]
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ needs `reason`
    error: manifests/strix.toml:31:56: `from` must be a string
       |
    31 | edges = [{ from = "x", library = "liby.so" }, { from = 1, path = "y", reason = "r" }]
       |                                                        ^ this is an integer
    "#);
}

#[test]
fn nothing_is_said_that_follows_from_another_mistake() {
    // A wrong value is not missing, and what refers to something wrong is not wrong.
    let said = refusal("[inputs.rocm]\ntype = \"rocm\"\ntarget = 1151\n\n[outputs.rocm]\ntype = \"rocm\"\n");
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    let said = refusal("[outputs.rocm]\ntype = \"rocm\"\ninput = 1\n");
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    let said = refusal("[inputs.x]\ntype = \"file\"\nurls = [\"here\"]\n");
    assert_eq!(said.matches("error:").count(), 1, "{said}");
}

#[test]
fn at_most_twenty_mistakes_are_shown() {
    let keys = (0..25).map(|number| format!("key{number} = 1")).collect::<Vec<_>>().join("\n");
    let said = refusal(&format!("[inputs.x]\ntype = \"file\"\nurl = \"file:///x\"\n{keys}\n"));
    assert_eq!(said.matches("unknown field").count(), 20, "{said}");
    assert!(said.ends_with("error: manifests/strix.toml: 5 more errors are not shown\n"), "{said}");
}

#[test]
fn all_errors_of_syntax_are_shown() {
    let said = refusal("[inputs.rocm]\ntype = \ntarget = \"gfx1151\"\nversion = latest\n");
    assert!(said.contains("strix.toml:2:") && said.contains("strix.toml:4:"), "{said}");
    assert_eq!(said.matches("error:").count(), 2, "{said}");
}

#[test]
fn every_kind_of_mistake_has_a_message() {
    let rocm = "[inputs.rocm]\ntype = \"rocm\"\n";
    for (text, place, message) in [
        ("inputs = 1\n".to_owned(), "1:10", "`inputs` must be a table"),
        ("x = [\n".to_owned(), "", "invalid TOML"),
        ("requires = \">=9\"\n".to_owned(), "1:12", "this manifest requires strixlock >=9"),
        ("requires = \"soon\"\n".to_owned(), "1:12", "invalid version range in `requires`"),
        (rocm.to_owned(), "1:9", "the field `target` is missing"),
        (format!("{rocm}target = 1151\n"), "3:10", "`target` must be a string"),
        (format!("{rocm}target = \"GFX1151\"\n"), "3:10", "invalid GPU target `GFX1151`"),
        (format!("{rocm}target = \"gfx1151\"\nversion = \"10\"\n"), "4:11", "invalid ROCm version `10`"),
        (format!("{rocm}target = \"gfx1151\"\nversion = \">=x\"\n"), "4:11", "invalid version range `>=x`"),
        (format!("{rocm}target = \"gfx1151\"\nchannel = \"nightlies\"\n"), "4:11", "unknown channel `nightlies`"),
        (format!("{rocm}target = \"gfx1151\"\nsources = [\"here\"]\n"), "4:12", "invalid URL"),
        ("[inputs.x]\ntype = \"gti\"\n".to_owned(), "2:8", "unknown type of input `gti`"),
        ("[inputs.X]\ntype = \"git\"\n".to_owned(), "1:9", "invalid name"),
        (
            "[inputs.x]\ntype = \"git\"\nurl = \"here\"\n".to_owned(),
            "3:7",
            "this is not the address of a git repository",
        ),
        ("[inputs.x]\ntype = \"git\"\nurl = \"https://a/b\"\ncommit = \"abc12\"\n".to_owned(), "4:10", "all of its 40"),
        (
            "[inputs.x]\ntype = \"git\"\nurl = \"https://a/b\"\ntag = \"a\"\nbranch = \"b\"\n".to_owned(),
            "",
            "only one of",
        ),
        ("[outputs.llama]\ntype = \"llama\"\nbackend = \"cuda\"\n".to_owned(), "3:11", "unknown backend `cuda`"),
        (
            "[outputs.llama]\ntype = \"llama\"\nprefix = \"opt\"\n".to_owned(),
            "3:10",
            "invalid prefix: expected a clean absolute path",
        ),
    ] {
        let said = refusal(&text);
        assert!(said.starts_with(&format!("error: manifests/strix.toml:{place}")), "{text}: {said}");
        assert!(said.contains(message) && said.contains('^'), "{text}: {said}");
    }
}

#[test]
fn a_mistyped_field_and_an_unfinished_merge_are_named() {
    let project = Project::empty();
    let typo = "requires = \">=0.1\"\n[inputs.rocm]\ntype = \"rocm\"\ntargt = \"gfx1151\"\n";
    project.write("manifests/strix.toml", typo);
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("manifests/strix.toml:4:1: the field `target` is missing"), "{}", ran.all());
    assert!(ran.stderr.contains("did you mean `target`?"), "{}", ran.all());
    let merge = "requires = \">=0.1\"\n<<<<<<< HEAD\n[inputs.a]\n=======\n[inputs.b]\n>>>>>>> theirs\n";
    project.write("manifests/strix.toml", merge);
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("manifests/strix.toml:2:1: unfinished merge"), "{}", ran.all());
    assert!(ran.stderr.contains("hint: edit the manifest"), "{}", ran.all());
}

#[test]
fn a_missing_manifest_says_how_to_get_one() {
    let project = Project::empty();
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("hint: `strixlock init` writes one"), "{}", ran.all());
}

#[test]
fn init_writes_a_manifest_that_works() {
    let project = Project::new();
    let (index, git) = (project.index(), project.upstream().git_url());
    project.run(&["init", "--source", &index, "--llama-url", &git, "--packages", "none"]).code(0);
    project.run(&["init"]).code(1);
    project.run(&["update"]).code(0);
    project.run(&["init", "--force", "--target", "gfx1201"]).code(0);
    assert!(project.read("manifests/strix.toml").contains("target = \"gfx1201\""));
    project.run(&["init", "--force", "--target", "strix"]).code(2);
}

#[test]
fn init_takes_settings_from_a_toolbox_env() {
    let project = Project::empty();
    project
        .write(".toolbox.env", "GPU_TARGET=gfx1150\nexport ROCM_HOME='/opt/rocm'\nLLAMA_HOME=/srv/llama\nCOLOUR=red\n");
    let ran = project.run(&["init", "--from", ".toolbox.env"]).code(0);
    assert!(ran.stderr.contains("warning: .toolbox.env:4: unknown setting `COLOUR`"), "{}", ran.all());
    let manifest = project.read("manifests/strix.toml");
    assert!(manifest.contains("target = \"gfx1150\"") && manifest.contains("prefix = \"/srv/llama\""), "{manifest}");
    project.write(".toolbox.env", "ROCM_HOME=$(touch hacked)\n");
    let ran = project.run(&["init", "--force", "--from", ".toolbox.env"]).code(3);
    assert!(ran.stderr.starts_with("error: .toolbox.env:1: "), "{}", ran.all());
    assert!(!project.path("hacked").exists());
}

#[test]
fn the_manifest_in_the_repository_is_the_one_that_init_writes() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/strix.toml");
    let written = strixlock::parts::template(&strixlock::parts::TemplateSettings::default());
    assert_eq!(std::fs::read_to_string(here).unwrap(), written, "run `strixlock init --force`");
}

#[test]
fn a_variant_is_pinned_and_made_beside_the_rest_and_the_lock_without_it_is_as_it_was() {
    let project = Project::new();
    project.realize_rocm(FIRST);
    let without = project.lock();
    let manifest = project.read("manifests/strix.toml");
    let variant = format!("\n[variants.next]\ninputs.rocm = {{ version = \"{SECOND}\" }}\n");
    project.write("manifests/strix.toml", &format!("{manifest}{variant}"));
    let stale = project.run(&["status"]).code(0);
    assert!(stale.stdout.contains("input `rocm.next` is not locked yet"), "{}", stale.all());
    project.run(&["update"]).code(0);
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let before: serde_json::Value = serde_json::from_str(&without).unwrap();
    assert_eq!(
        (&lock["inputs"]["rocm"], &lock["outputs"]["rocm"]),
        (&before["inputs"]["rocm"], &before["outputs"]["rocm"])
    );
    assert_eq!(lock["inputs"]["rocm.next"]["locked"]["version"], SECOND);
    assert_eq!(lock["outputs"]["rocm.next"]["recipe"]["input"], "rocm.next");
    assert_eq!(lock["version"], before["version"]);

    // Both have one prefix, and the manifest's own output has the link there.
    let opt = project.path("opt");
    std::fs::create_dir(&opt).unwrap();
    project.run(&["realize", "--prefix", opt.to_str().unwrap()]).code(0);
    assert!(std::fs::read_link(opt.join("rocm")).unwrap().ends_with("current/rocm"));
    assert!(project.store("main").join("current/rocm.next").exists());
    let own = std::fs::canonicalize(project.store("main").join("current/rocm")).unwrap();
    let env = project.run(&["env"]).code(0).stdout;
    assert!(env.contains(own.parent().unwrap().file_name().unwrap().to_str().unwrap()), "{env}");
    let none = project.run(&["bench"]).code(9);
    assert!(none.stderr.contains("the lock has no build of llama.cpp"), "{}", none.all());

    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), without);
}
