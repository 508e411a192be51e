//! Builds that AMD's host will delete soon, and AMD's other hosts. Mirrors on loopback replace the hosts, which
//! cannot be reached. Days are counted from one day, so that no test depends on the calendar.

use jiff::Span;
use jiff::civil::{Date, date};
use strixlock_demo::{Calendar, Fault, Generation, Nightly};

use crate::support::{Project, REQUIRES, Ran, rocm_input};

/// The day on which these tests take place: the last of the season.
const TODAY: Date = date(2026, 11, 30);

/// Returns the version of a nightly of so many days ago.
fn nightly(days: i64) -> String {
    let day = TODAY.checked_sub(Span::new().days(days)).unwrap();
    format!("10.1.0a{}", day.strftime("%Y%m%d"))
}

/// A project whose manifest names no source, so that AMD's own are used.
fn project(version: &str) -> Project {
    let project = Project::empty();
    project.upstream().publish(Generation::Streams, &Nightly::new(version));
    manifest(&project, version);
    mirror(&project, &[("nightly.repo.amd.com/", "")]);
    run(&project, "main", &["update"]).code(0);
    project
}

fn manifest(project: &Project, version: &str) {
    let input = format!("[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nversion = \"{version}\"\n");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}\n[outputs.rocm]\ntype = \"rocm\"\n"));
}

/// Configures directories of the upstream as mirrors of AMD's.
fn mirror(project: &Project, mirrors: &[(&str, &str)]) {
    let base = project.base();
    let one = |(of, at): &(&str, &str)| format!("{{ of = \"https://{of}\", at = \"{base}{at}\" }}");
    let all: Vec<String> = mirrors.iter().map(one).collect();
    project.write("strixlock.toml", &format!("rounds = 1\nmirrors = [{}]\n", all.join(", ")));
}

/// Runs a command that cannot use https: nothing listens at port 1.
fn run(project: &Project, store: &str, arguments: &[&str]) -> Ran {
    let mut command = project.command(arguments);
    command.env("STRIXLOCK_STORE", project.store(store)).env("HTTPS_PROXY", "http://127.0.0.1:1/");
    command.env("STRIXLOCK_NOW", TODAY.to_string());
    project.finish(command.output().unwrap())
}

/// Returns the warnings about builds that will be deleted.
fn told(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains("by AMD's policy to keep the last 120 nightlies")).collect()
}

#[test]
fn a_locked_nightly_that_leaves_is_told_with_what_keeps_it() {
    let old = nightly(100);
    let project = project(&old);
    let says = |store: &str| {
        let ran = run(&project, store, &["--offline", "status"]).code(0);
        let all = ran.all();
        let [line] = told(&all)[..] else { panic!("once: {all}") };
        assert!(line.contains(&format!("rocm: {old} leaves AMD's host in 20 days (by AMD's policy")), "{line}");
        // Only what nothing keeps is worth a warning.
        assert_eq!(line.starts_with("warning: "), line.contains("there is no copy here"), "{line}");
        line.split_once("; ").unwrap().1.to_owned()
    };
    let mirrored = format!(
        "a configured mirror may have it: [UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-{old}.tar.gz"
    );
    assert_eq!(says("main"), format!("the store has its tarball and its tree, and {mirrored}"));
    assert_eq!(says("other"), mirrored);
    project.write("strixlock.toml", "rounds = 1\n");
    assert_eq!(says("main"), "the store has its tarball and its tree");
    assert_eq!(says("other"), "there is no copy here: `strixlock realize` downloads it into the store");
    // An archive counts only when it has every byte.
    run(&project, "main", &["archive", "--to", "kept"]).code(0);
    project.write("strixlock.toml", "rounds = 1\narchive = \"kept\"\n");
    assert_eq!(says("other"), "the archive [DIR]/project/kept has it");
    std::fs::remove_dir_all(project.path("kept/blobs")).unwrap();
    assert_eq!(says("other"), "there is no copy here: `strixlock realize` downloads it into the store");
    let json = run(&project, "other", &["status", "--json"]).code(0).json();
    assert_eq!(json["leaving"][0]["input"], "rocm");
    assert_eq!(json["leaving"][0]["kept_by"], serde_json::json!([]));
    assert_eq!(
        (&json["leaving"][0]["until"], &json["inputs"]["rocm"]["leaves"]),
        (&"2026-12-20".into(), &"2026-12-20".into())
    );
}

#[test]
fn outdated_tells_of_the_locked_nightly_and_once() {
    let (old, new) = (nightly(100), nightly(1));
    let project = project(&old);
    for wish in [&*old, "latest"] {
        manifest(&project, wish);
        project.upstream().publish(Generation::Streams, &Nightly::new(&new));
        let ran = run(&project, "main", &["outdated"]).code(0);
        let [line] = told(&ran.stderr)[..] else { panic!("once: {}", ran.all()) };
        assert!(line.starts_with(&format!("warning: rocm: {old} leaves AMD's host in 20 days (")), "{line}");
        assert!(line.contains("; the oldest listed now is of 2026-08-22)"), "{line}");
        assert!(ran.stdout.contains(&new), "{}", ran.all());
        let json = run(&project, "main", &["outdated", "--json"]).code(0).json();
        assert_eq!(json["leaving"].as_array().unwrap().len(), 1, "{json}");
    }
}

#[test]
fn a_nightly_that_stays_or_is_of_a_mirror_is_not_told() {
    let project = project(&nightly(20));
    let ran = run(&project, "main", &["status"]).code(0);
    assert_eq!(told(&ran.stdout), [""; 0], "{}", ran.all());
    // An index of one's own has a policy of its own.
    let old = nightly(110);
    project.upstream().publish(Generation::Streams, &Nightly::new(&old));
    project.rocm_manifest(&old);
    run(&project, "main", &["update"]).code(0);
    for command in ["status", "outdated"] {
        let ran = run(&project, "main", &[command]).code(0);
        assert_eq!(told(&ran.all()), [""; 0], "{}", ran.all());
    }
}

/// The calendar: builds of 27, 119 and 121 days, the older ones on the host that was frozen.
#[test]
fn each_age_is_told_as_what_it_is_and_nothing_is_said_to_be_gone() {
    let season = Calendar::season();
    let project = Project::season(&season);
    mirror(&project, &[("nightly.repo.amd.com/", ""), ("rocm.nightlies.amd.com/", "")]);
    let version = |days| season.of_age(days).unwrap().1.version.as_str();
    let (fresh, last, over) = (version(27), version(119), version(121));
    for (days, cell, says) in [
        (27, "93 days", None),
        (119, "1 day", Some("leaves AMD's host in 1 day (")),
        (121, "any day", Some("may leave AMD's host any day (")),
    ] {
        manifest(&project, version(days));
        run(&project, "main", &["update"]).code(0);
        let ran = run(&project, "main", &["--offline", "status"]).code(0);
        let row = ran.stdout.lines().find(|line| line.starts_with("input ")).unwrap();
        assert!(row.contains(&format!("  {days} days  ")) && row.contains(&format!("  {cell}  ")), "{row}");
        assert!(!ran.all().contains("gone"), "{}", ran.all());
        match says {
            None => assert_eq!(told(&ran.all()), [""; 0]),
            Some(says) => assert!(told(&ran.stdout)[0].contains(says), "{}", ran.all()),
        }
    }
    // The frozen index still lists it. Once it does not, that is what is told, since nobody asked for the file.
    let ran = run(&project, "main", &["outdated"]).code(0);
    let listed = "; the oldest listed now is of 2026-07-23); the store has its tarball";
    assert!(told(&ran.stderr)[0].contains(listed), "{}", ran.all());
    project.upstream().withdraw(Generation::MultiArch, &Nightly::new(over).file_name());
    manifest(&project, "latest");
    let ran = run(&project, "main", &["outdated"]).code(0);
    let missing = "; the oldest listed now is of 2026-07-23, and this one is not listed any more); the store has its";
    assert!(told(&ran.stderr)[0].contains(missing), "{}", ran.all());
    assert!(told(&ran.stderr)[0].contains(&format!("{over} may leave AMD's host any day")), "{}", ran.all());

    let ran = run(&project, "main", &["list", "rocm", "-c", "40"]).code(0);
    let row = |version: &str| ran.stdout.lines().find(|line| line.contains(version)).map(str::to_owned);
    assert!(row(fresh).unwrap().contains("  27 days  "), "{}", ran.all());
    assert!(row(fresh).unwrap().contains("  93 days  "), "{}", ran.all());
    assert_eq!(row(last), None, "the current index has builds, so the frozen ones are not asked");
    let note = "builds leave AMD's host by AMD's policy to keep the last 120 nightlies; the oldest listed now is of 2026-08-23";
    assert!(ran.stderr.contains(note), "{}", ran.all());
    let json = run(&project, "main", &["list", "rocm", "-c", "1", "--json"]).code(0).json();
    assert_eq!(json["tarballs"][0]["leaves"], "2027-03-30");
}

/// A host of one's own has the days that the manifest says.
#[test]
fn the_days_of_the_manifest_hold_for_any_host() {
    let project = Project::empty();
    project.upstream().publish(Generation::Streams, &Nightly::new(&nightly(39)));
    let input = rocm_input(&project.index(), "latest").replace("target = ", "kept-days = 40\ntarget = ");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}"));
    run(&project, "main", &["update"]).code(0);
    let ran = run(&project, "main", &["status"]).code(0);
    let says = format!(
        "rocm: {} leaves 127.0.0.1 in 1 day (by `kept-days` of the manifest); the store has its tarball and its tree\n",
        nightly(39)
    );
    assert!(ran.stdout.contains(&says), "{}", ran.all());
    project.write("manifests/strix.toml", &project.read("manifests/strix.toml").replace("= 40", "= 0"));
    let ran = run(&project, "main", &["status"]).code(3);
    assert!(ran.stderr.contains("invalid number of days"), "{}", ran.all());
    // A clock that nobody can read is no clock.
    let mut command = project.command(&["status"]);
    let ran = project.finish(command.env("STRIXLOCK_NOW", "soon").output().unwrap()).code(3);
    assert!(ran.stderr.contains("error: STRIXLOCK_NOW: invalid environment variable"), "{}", ran.all());
}

#[test]
fn other_places_are_asked_where_the_first_host_cannot_be_reached() {
    let version = nightly(100);
    let project = project(&version);
    let (name, before) = (Nightly::new(&version).file_name(), project.lock());
    mirror(&project, &[("rocm.nightlies.amd.com/tarball-multi-arch/", "elsewhere/")]);
    let ran = run(&project, "other", &["realize"]).code(8);
    assert!(ran.stderr.contains("error: rocm: the server cannot be reached\n"), "{}", ran.all());
    assert!(
        ran.stderr.contains(&format!("  url         https://nightly.repo.amd.com/rocm/core/tarball/{name}\n")),
        "{}",
        ran.all()
    );
    for (place, why) in [
        ("https://rocm.nightlies.amd.com/tarball-multi-arch/", "the server cannot be reached"),
        ("https://rocm.nightlies.amd.com/tarball/", "the server cannot be reached"),
        ("[UPSTREAM]/elsewhere/", "the server answered 404 Not Found"),
    ] {
        assert!(ran.stderr.contains(&format!("  also asked  {place}{name}: {why}\n")), "{}", ran.all());
    }
    // Other bytes under the name are not taken.
    let other = Nightly { payload: 100_000, ..Nightly::new(&version).variation(1) };
    project.upstream().publish(Generation::MultiArch, &other);
    mirror(&project, &[("rocm.nightlies.amd.com/", "")]);
    let ran = run(&project, "other", &["realize"]).code(8);
    assert!(ran.stderr.contains("error: rocm: the server cannot be reached\n"), "{}", ran.all());
    project.upstream().publish(Generation::MultiArch, &Nightly::new(&version));
    run(&project, "other", &["realize"]).code(0);
    assert_eq!(project.lock(), before);
}

/// A partial download from the first host is resumed at the next.
#[test]
fn another_place_goes_on_where_the_first_host_stopped() {
    let version = nightly(100);
    let project = project(&version);
    let (name, before) = (Nightly::new(&version).file_name(), project.lock());
    let server = project.upstream().server();
    server.fault(&format!("/rocm/core/tarball/{name}"), Fault::TruncateAfter(20_000));
    run(&project, "other", &["realize"]).code(5);
    project.upstream().publish(Generation::MultiArch, &Nightly::new(&version));
    mirror(&project, &[("rocm.nightlies.amd.com/", "")]);
    run(&project, "other", &["realize"]).code(0);
    assert_eq!(project.lock(), before);
}
