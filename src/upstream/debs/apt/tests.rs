use super::{Configuration, Settings, read};
use crate::deb::DebVersion;
use crate::error::{Kind, Result};
use crate::upstream::debs::ranking::ListFacts;
use crate::upstream::debs::release::{Labels, Release};
use crate::upstream::debs::sources::{SignedBy, SourceOptions};

/// Reads a configuration of these files, with these settings.
fn configured(files: &[(&str, &str)], settings: &str) -> Result<Configuration> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join("etc/apt").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("{dir}", directory.path().to_str().unwrap())).unwrap();
    }
    read(&Settings::parse(&format!("Dir \"{}\";\n{settings}", directory.path().display())), "amd64")
}

fn told(configuration: &Configuration) -> Vec<String> {
    let sources = configuration.sources.iter();
    sources.map(|one| format!("{} {} {}", one.archives[0], one.suite, one.components.join(","))).collect()
}

#[test]
fn apt_configurations_of_both_kinds_are_read_in_order() {
    let list = "# deb http://a.example/ off main\ndeb [arch=amd64,arm64 signed-by=/k/a.gpg] http://a.example/debian \
        one main extra # x\n\
         deb [signed-by=/k/a.gpg] http://a.example/debian/ one more\ndeb-src http://a.example/debian one main\n\
         deb [arch=arm64] http://b.example/ two main\ndeb cdrom:x three main\n\
         deb http://me:secret@b.example/ three main\ndeb http://b.example/ flat/\n";
    let stanzas = "Types: deb deb-src\nURIs: https://c.example/$(ARCH)\nSuites: s s-updates\nComponents: \
        main\nSigned-By:\n \
         -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n x\n\n\
         Types: deb\nEnabled: no\nURIs: https://d.example\nSuites: s\nComponents: main\n\n\
         Types: deb\nURIs: https://e.example\nSuites: s/updates\nComponents: main\n\
         Signed-By: 0123456789abcdef0123456789ABCDEF01234567!\n";
    let one = "deb http://z.example/ z main\n";
    let files = [
        ("sources.list", list),
        ("sources.list.d/b.sources", stanzas),
        ("sources.list.d/c.sources.off", "nonsense"),
        ("sources.list.d/c.list.save", "nonsense"),
        ("sources.list.d/a b.list", one),
        ("sources.list.d/z.list", one),
    ];
    let configuration = configured(&files, "").unwrap();
    assert_eq!(
        told(&configuration),
        [
            "http://a.example/debian one main,extra,more",
            "https://c.example/amd64 s main",
            "https://c.example/amd64 s-updates main",
            "https://e.example/ s/updates main",
            "http://z.example/ z main",
        ]
    );
    let left_out = configuration.left_out.join("\n");
    for why in [
        "a b.list is skipped because of its name, as apt does",
        "c.sources.off is skipped because of its name, as apt does",
        "suite three of the apt configuration is left out: `cdrom:` URLs cannot be fetched",
        "suite three of the apt configuration is left out: its URL contains a password",
        "suite flat/ of the apt configuration is left out: flat archives, whose suite is a directory, are not \
         supported",
    ] {
        assert!(left_out.contains(why), "{why}: {left_out}");
    }
    assert!(configuration.left_out.len() == 5 && !left_out.contains("secret"), "{left_out}");
    let sources = &configuration.sources;
    assert_eq!(sources[0].signed_by.files, [std::path::PathBuf::from("/k/a.gpg")]);
    assert_eq!(sources[1].signed_by.armored.as_deref(), Some("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx"));
    assert_eq!(sources[3].signed_by.keys, ["0123456789ABCDEF0123456789ABCDEF01234567!"]);
    assert!(SignedBy::default().is_empty());
}

#[test]
fn options_of_a_source_are_followed_or_told() {
    let one = |options: &str| {
        let line = format!("deb [{options}] http://a.example/ s main\ndeb http://a.example/ other main\n");
        let configuration = configured(&[("sources.list", &line)], "").unwrap();
        let options = configuration.sources.iter().find(|one| one.suite == "s").map(|one| one.options.clone());
        (options, configuration.left_out.concat())
    };
    let followed = |options: &str| {
        let (found, told) = one(options);
        assert_eq!(told, "", "{options}");
        found.unwrap()
    };
    assert_eq!(followed("check-valid-until=no").expired, Some(true));
    assert_eq!(followed("check-valid-until=yes").expired, Some(false));
    assert!(
        followed("check-date=no").future && followed("trusted=yes").unsigned && followed("allow-insecure=yes").unsigned
    );
    assert_eq!(followed("by-hash=force").by_hash, Some(true));
    assert_eq!(followed("by-hash=no").by_hash, Some(false));
    assert_eq!(
        followed("lang=en pdiffs=no by-hash=yes arch+=i386 snapshot=no target=Packages"),
        SourceOptions::default()
    );
    for (options, why) in [
        ("snapshot=20261101T000000Z", "its option `snapshot=20261101T000000Z` is not followed: name the URL"),
        ("trusted=no", "`trusted=no` forbids its use"),
        ("inrelease-path=x", "its option `inrelease-path` is not followed"),
        ("valid-until-max=86400", "its option `valid-until-max` is not followed"),
        ("target=Translations", "`target` leaves out its packages"),
    ] {
        let (found, told) = one(options);
        assert!(
            found.is_none() && told.contains("suite s of the apt configuration is left out") && told.contains(why),
            "{told}"
        );
    }
    let (found, told) = one("novelty=yes");
    assert!(found.is_some() && told.contains("the unknown option `novelty` of suite s"), "{told}");
    assert_eq!(one("arch=arm64 trusted=no"), (None, String::new()));
    let stanza = "Types: deb\nURIs: http://a.example/\nSuites: s\nComponents: main\nCheck-Valid-Until: no\nX-Note: \
        x\nSnapshot: 1\n";
    let configuration = configured(&[("sources.list.d/a.sources", stanza)], "").unwrap();
    assert!(configuration.sources.is_empty() && configuration.left_out[0].contains("`snapshot=1`"));
    for (settings, expired) in
        [("", false), ("Acquire::Check-Valid-Until \"0\";", true), ("Acquire::Check-Date \"false\";", true)]
    {
        assert_eq!(configured(&[], settings).unwrap().expired, expired, "{settings}");
    }
    let configuration = configured(&[], "Acquire::Max-ValidTime::Debian \"86400\";").unwrap();
    assert_eq!(configuration.left_out, ["apt's setting `acquire::max-validtime` is not followed"]);
}

#[test]
fn lists_of_mirrors_are_read() {
    let source = "deb mirror+file:{dir}/etc/apt/mirrors.txt noble main\n";
    let read = |mirrors: &str| {
        let configuration = configured(&[("sources.list", source), ("mirrors.txt", mirrors)], "").unwrap();
        let archives =
            configuration.sources.first().map(|one| one.archives.iter().map(ToString::to_string).collect::<Vec<_>>());
        (archives.unwrap_or_default().join(" "), configuration.left_out.concat())
    };
    let (archives, told) = read(
        "# best first\nhttp://a.example/ubuntu/\tpriority:2\n\nhttps://b.example/ubuntu \
         priority:1\nhttp://c.example/$(ARCH)\n",
    );
    assert_eq!(archives, "https://b.example/ubuntu http://a.example/ubuntu/ http://c.example/amd64");
    assert_eq!(told, "");
    for (mirrors, why) in [
        ("", "its list of mirrors cannot be read: it is empty"),
        ("http://a.example/\ttype:index", "`type:index` for one of them is not followed"),
        ("ftp://a.example/", "`ftp:` URLs cannot be fetched"),
        ("http://me:secret@a.example/", "its URL contains a password"),
    ] {
        let (archives, told) = read(mirrors);
        assert!(archives.is_empty() && told.contains(why) && !told.contains("secret"), "{told}");
    }
    let configuration = configured(&[("sources.list", source)], "").unwrap();
    assert!(configuration.left_out[0].contains("its list of mirrors cannot be read"), "{:?}", configuration.left_out);
    let configuration = configured(&[("sources.list", "deb mirror+http://a.example/m.txt noble main\n")], "").unwrap();
    assert!(configuration.left_out[0].contains("`mirror+http:` URLs cannot be fetched"));
}

#[test]
fn what_apt_refuses_is_refused() {
    for text in
        ["rpm http://a.example/ s main\n", "deb http://a.example/\n", "deb [arch=amd64 http://a.example/ s main\n"]
    {
        assert_eq!(configured(&[("sources.list", text)], "").unwrap_err().kind(), Kind::Invalid, "{text}");
    }
}

/// The ranks of `hello 1.0` in suite `one` and of `hello 2.0` in suite `two` with this file of preferences.
fn ranks(preferences: &str, settings: &str) -> Result<(i32, i32)> {
    let configuration = configured(&[("preferences.d/x", preferences)], settings)?;
    let rank = |suite: &str, labels: [&str; 3], version: &str| {
        let [origin, label, number] = labels.map(str::to_owned);
        let labels = Labels { origin, label, version: number };
        let release = Release { suite: suite.to_owned(), codename: suite.to_owned(), labels, ..Release::default() };
        let facts = ListFacts { release: &release, site: "127.0.0.1", component: "main", architecture: "amd64" };
        configuration.preferences.of(&facts, 500).of("hello", &DebVersion::as_written(version))
    };
    Ok((rank("one", ["Odd", "Odd", ""], "1.0"), rank("two", ["Odd, Inc.", "New", "12.3"], "2.0")))
}

/// Each as apt 2.6 has it.
#[test]
fn pins_rank_as_apt_ranks() {
    for (package, pin, one, two) in [
        ("hello", "release n=one", 7, 500),
        ("*", "release n=one", 7, 500),
        ("*", "release l=New", 500, 7),
        ("h*", "release a=two", 500, 7),
        ("hello lib", "version 1.0", 7, 500),
        ("hello", "version 1.*", 7, 500),
        ("hello", "version 2.0", 500, 7),
        ("*", "version 1.0", 500, 500),
        ("hello", "origin 127.0.0.1", 7, 7),
        ("hello", "origin \"127.0.0.1\"", 7, 7),
        ("hello", "origin a.example", 500, 500),
        ("hello", "origin \"\"", 500, 500),
        ("*", "release o=Odd, Inc.", 7, 500),
        ("*", "release o=Odd", 7, 500),
        ("*", "release c=main, n=one", 7, 500),
        ("*", "release b=amd64, v=12*", 500, 7),
        ("*", "release two", 500, 7),
        ("*", "release 12", 500, 500),
        ("*", "release 12.3", 500, 7),
        ("*", "release *", 7, 7),
        ("hello", "release n=o*", 7, 500),
        ("hello", "release N=ONE", 7, 500),
        ("hello", "release l=new", 500, 7),
        ("hello", "release x=new", 500, 500),
        ("hello", "release n=one,n=two", 500, 7),
        ("hello:amd64", "release n=one", 7, 500),
        ("hello:any", "release n=one", 7, 500),
        ("hello:i386", "release n=one", 500, 500),
        ("*:any", "release n=one", 7, 500),
        ("Hello", "release n=one", 500, 500),
        ("[gh]*", "release n=one", 7, 500),
        ("?name(hello)", "release n=one", 500, 500),
        ("hello", "bogus x", 500, 500),
    ] {
        let text = format!("Explanation: x\n# a comment\nPackage: {package}\nPin: {pin}\nPin-Priority: 7 # seven\n");
        assert_eq!(ranks(&text, "").unwrap(), (one, two), "{text}");
    }
    let both = |pin: &str| format!("Package: hello\nPin: release n=one\nPin-Priority: 7\n\n{pin}\nPin-Priority: 8\n");
    assert_eq!(ranks(&both("Package: hello\nPin: release n=two"), "").unwrap(), (7, 8));
    assert_eq!(ranks(&both("Package: hello\nPin: release n=one"), "").unwrap(), (7, 500));
    assert_eq!(ranks(&both("Package: *\nPin: release *"), "").unwrap(), (7, 8));
    assert_eq!(ranks("Package: *\nPin: release n=one\nPin-Priority: never\n", "").unwrap(), (-32768, 500));
    assert_eq!(ranks("Package: hello\n", "").unwrap(), (500, 500));
    for (release, one, two) in [("one", 990, 500), ("n=one", 990, 500), ("12.3", 500, 990), ("l=New", 500, 990)] {
        assert_eq!(ranks("", &format!("APT::Default-Release \"{release}\";")).unwrap(), (one, two), "{release}");
    }
}

#[test]
fn pins_that_are_not_followed_are_refused_by_name() {
    let long = "1".repeat(40);
    for (text, why) in [
        ("Package: /^hel/\nPin: release n=one\nPin-Priority: 7\n", "it is a regular expression\n  pin  /^hel/"),
        ("Package: hello\nPin: release n=/^o/\nPin-Priority: 7\n", "it is a regular expression\n  pin  /^o/"),
        ("Package: src:hello\nPin: release n=one\nPin-Priority: 7\n", "it names a source package\n  pin  src:hello"),
        ("Package: hello\nPin: release n=one\n", "has no priority"),
        ("Package: hello\nPin: release n=one\nPin-Priority: 0\n", "has no priority"),
        ("Package: hello\nPin: release n=one\nPin-Priority: 40000\n", "has no priority"),
        (&format!("Package: hello\nPin: release n=one\nPin-Priority: {long}\n"), "has no priority"),
        ("Package: hello\nPin: release n=one\nPin-Priority: never\n", "is only for `Package: *`"),
        ("Pin: release n=one\nPin-Priority: 7\n", "names no package"),
        ("nonsense\n", "expected `Name: value`"),
    ] {
        let error = ranks(text, "").unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.to_string().contains(why), "{text}: {error}");
    }
    // Files that apt does not read.
    let configuration =
        configured(&[("preferences.d/x.txt", "nonsense"), ("preferences.d/x.bak", "nonsense")], "").unwrap();
    assert_eq!(configuration.left_out.len(), 1, "{:?}", configuration.left_out);
}
