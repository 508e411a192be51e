"""The odd archives of scripts/debs-vs-apt, after public bug reports, each as small as possible. `CASES` has for each
the packages to ask for, and says where strixlock differs from apt on purpose."""

from dataclasses import dataclass, field

from odd_archive import Archive, package as p

BASE = p("hello", "1.0", "Depends: lib") + "\n" + p("lib") + "\n"
NEWER = p("hello", "2.0", "Depends: lib") + "\n" + p("lib", "2.0") + "\n"


@dataclass
class Case:
    """One comparison. `archives` are served as a0, a1, ...; `files` is the apt configuration, with {url}, {key} and
    {etc} filled in (default: the usual one); `lines` are added to the manifest; `meant` is the reason for a difference
    and strixlock's answer: `picks`, or the text of its refusal."""

    name: str
    archives: list
    wanted: list = field(default_factory=lambda: ["hello"])
    files: dict = None
    configuration: str = ""
    lines: str = ""
    meant: tuple = ()


def stanza(name, text, wanted=("hello",), **how):
    return Case(name, [Archive(BASE + text + "\n")], list(wanted), **how)


def release(name, meant=(), lines="", **how):
    return Case(name, [Archive(BASE, **how)], lines=lines, meant=meant)


def provides(name, first, second, depends="virt"):
    packages = [p("first", "1", *first.pop("fields", []), **first), p("second", "1", *second.pop("fields", []), **second), p("wanting", "1", f"Depends: {depends}")]
    return Case(name, [Archive("\n".join(packages))], ["wanting"])


def provider(name, fields, depends):
    return provides(name, {"fields": fields}, {}, depends)


V = "Provides: virt"
CASES = []

# An odd stanza that is not requested, and the same one requested.
for title, text in [
    ("a capital in a name", p("Odd")),
    ("no SHA256", p("odd", SHA256=None)),
    ("Filename /pool/...", p("odd", Filename="/pool/odd.deb")),
    ("Filename pool//..", p("odd", Filename="pool//../odd.deb")),
    ("a blank in a version", p("odd", "1.0 beta")),
    ("two architectures", p("odd", Architecture="amd64 i386")),
    ("a broken Size", p("odd", Size="many")),
    ("no Size", p("odd", Size=None)),
    ("${gir:Provides}", p("odd", "1.0", "Provides: ${gir:Provides}")),
    ("no Version", p("odd", Version=None)),
    ("no Architecture", p("odd", Architecture=None)),
]:
    CASES.append(stanza(f"beside: {title}", text))
    unusable = title in ("no SHA256", "Filename /pool/...", "Filename pool//..", "a blank in a version", "no Architecture", "a capital in a name")
    CASES.append(stanza(f"wanted: {title}", text, ["odd"], meant=("apt takes it; no safe path, digest or version", "cannot be used") if unusable else ()))
for title, text in [
    ("an unreadable Depends", p("odd", "1.0", "Depends: lib (")),
    ("two names in a Depends", p("odd", "1.0", "Depends: lib hello")),
    ("a stanza without a Package", p("odd", Package=None)),
]:
    CASES.append(stanza(f"beside: {title}", text, meant=("apt gives up the whole archive", "picks")))

CASES.append(stanza("beside: a line without a field", p("odd", "1.0", "nonsense")))

# Providers, and how they rank.
CASES += [
    provider("Provides with >=", ["Provides: virt (>= 2)"], "virt"),
    provider("Provides with = for >=", ["Provides: virt (= 2)"], "virt (>= 1)"),
    provider("Provides without version for >=", [V], "virt (>= 1)"),
    provider("Provides virt:i386", ["Provides: virt:i386"], "virt"),
    provider("Provides virt:i386 for virt:i386", ["Provides: virt:i386"], "virt:i386"),
    provider("Provides virt:amd64", ["Provides: virt:amd64"], "virt"),
    provider("Provides virt:amd64 for virt:any", ["Provides: virt:amd64"], "virt:any"),
    provider("Provides virt:any for virt:any", ["Provides: virt:any"], "virt:any"),
    provider("Provides virt:any for virt", ["Provides: virt:any"], "virt"),
    provider("allowed, for virt:any", [V, "Multi-Arch: allowed"], "virt:any"),
    provider("foreign, for virt:any", [V, "Multi-Arch: foreign"], "virt:any"),
    provider("Allowed with a capital", ["Multi-Arch: Allowed"], "first:any"),
    provider("first:native", [], "first:native"),
    provider("a version without operator", [], "first (1.0)"),
    provider("a version that is a variable", [], "first (>= ${binary:Version})"),
    provider("a name that is a variable", [], "${misc:Depends}"),
    provider("a comma at the end", [], "first,"),
    provider("a bar at the end", [], "first |"),
]
for left, right in [(None, "required"), (None, None), ("Optional", "optional"), ("Optional", "extra"), ("REQUIRED", "optional"), ("bogus", "extra"),
                    ("", "optional"), ("important", "standard"), ("optional (new)", "optional")]:
    CASES.append(provides(f"Priority {left} and {right}", {"fields": [V], "Priority": left}, {"fields": [V], "Priority": right}))
for line in ["Essential: Yes", "Essential: true", "Essential: 1", "Essential: no", "Important: on", "Protected: enable"]:
    CASES.append(provides(f"{line} and required", {"fields": [V, line]}, {"fields": [V], "Priority": "required"}))

# Release files.
for date in ["Thu., 09 May 2024 10:00:00 UTC", "Mon, 09 May 2024 10:00:00 UTC", "Thu, 9 May 2024 1:00:00 UTC", "Thu, 09 May 2024 10:00:00 +0000",
             "Thursday, 09-May-24 10:00:00 GMT", "Thu May  9 10:00:00 2024", "2024-05-09T10:00:00Z", None, "", "Sat, 01 Jan 2050 00:00:00 UTC"]:
    CASES.append(release(f"Date: {date}", release={"Date": date}))
for until in ["Thu, 09 May 2024 10:00:00 UTC", "soon", ""]:
    CASES.append(release(f"Valid-Until: {until}", release={"Valid-Until": until}))
another = ("apt warns; another suite's file may be an old one played back", "accept-names")
CASES += [
    release("another Codename", another, release={"Suite": "stable", "Codename": "thing"}),
    release("another Codename, meant", lines='accept-names = ["thing"]', release={"Suite": "stable", "Codename": "thing"}),
    release("empty Suite and Codename", release={"Suite": "", "Codename": ""}),
    release("no Suite and Codename", release={"Suite": None, "Codename": None}),
    release("suite demo/updates of demo", suite="demo/updates", release={"Suite": "demo", "Codename": "demo"}),
    release("suite focal/snapshots/5.12 of focal", another, suite="focal/snapshots/5.12", release={"Suite": "focal", "Codename": "focal"}),
    release("Release and Release.gpg", signed="detached"),
    release("binary Release.gpg", signed="binary"),
    release("not signed", signed="none"),
    release("Latin-1", encode="latin-1", release={"Description": "Zürich"}),
    release("CRLF", change=lambda text: text.replace("\n", "\r\n")),
    release("no Architectures", release={"Architectures": None}),
    release("no Components", release={"Components": None}),
    release("another component in Components", release={"Components": "other"}),
    release("a line of SHA256 with a bad digest", change=lambda text: text.replace("SHA256:\n", "SHA256:\n zz 12 odd\n")),
    release("a line of SHA256 with ../", change=lambda text: text + " " + "0" * 64 + " 12 ../odd\n"),
    release("a second stanza", change=lambda text: text + "\nOdd: yes\n"),
    release("MD5Sum before SHA256", change=lambda text: text.replace("SHA256:\n", f"MD5Sum:\n {'0' * 32} 12 odd\nSHA256:\n")),
    release("xz not served", unserved=[".xz"]),
    release("xz and gz not served", unserved=[".xz", ".gz"]),
    release("no form served", unserved=[".xz", ".gz", ""]),
    release("only plain listed", forms=[""]),
    release("plain listed, only zst served", forms=[""], unserved=[""], unlisted=[".zst"]),
    release("xz differs", ("apt gives up; another form is as promised", "picks"), cut=[".xz"]),
    release("all forms differ", cut=[".xz", ".gz", ""]),
    release("xz differs, by-hash", cut=[".xz"], release={"Acquire-By-Hash": "yes"}),
    release("only by-hash", hash_only=["", ".xz", ".gz"], release={"Acquire-By-Hash": "yes"}),
    release("only by-hash, said with true", hash_only=["", ".xz", ".gz"], release={"Acquire-By-Hash": "true"}),
]

# Configurations of this machine's apt.
ONE, TWO = Archive(BASE, suite="one"), Archive(NEWER, suite="two", release={"Label": "New", "Version": "12.3"})
LISTS = "deb [signed-by={key}] {url}/a0 one main\ndeb [signed-by={key}] {url}/a1 two main\n"
ONE_LINE = "deb [signed-by={key}] {url}/a0 one main\n"


def host(name, files, archives=(ONE, TWO), wanted=("hello",), configuration="", meant=(), lines=""):
    return Case(name, list(archives), list(wanted), files, configuration, 'archive = "host"\n' + lines, meant)


unfollowed = lambda what: ("not followed here", what)
for pin in ["Package: hello|Pin: release n=one|Pin-Priority: 990", "Package: *|Pin: release n=one|Pin-Priority: 990", "Package: *|Pin: release l=New|Pin-Priority: -1",
            "Package: h*|Pin: release a=two|Pin-Priority: 100", "Package: hello lib|Pin: version 1.0|Pin-Priority: 700", "Package: hello|Pin: version 2*|Pin-Priority: -1",
            'Package: hello|Pin: origin "127.0.0.1"|Pin-Priority: -1', "Package: *|Pin: release v=12*|Pin-Priority: 100", "Package: *|Pin: release c=main, n=one|Pin-Priority: 900",
            "Package: hello:any|Pin: release N=ONE|Pin-Priority: 990", "Package: [gh]*|Pin: release n=one|Pin-Priority: 990 # why", "Package: hello|Pin: odd x|Pin-Priority: 100",
            "Package: hello|Pin: release n=one|Pin-Priority: 990||Package: hello|Pin: release n=one|Pin-Priority: 10", "Package: hello|Pin: release n=one",
            "Package: *|Pin: release n=two|Pin-Priority: never"]:
    CASES.append(host(f"pin {pin}", {"sources.list": LISTS, "preferences.d/odd": pin.replace("|", "\n") + "\n"}))
CASES.append(host("pin /^hel/", {"sources.list": LISTS, "preferences.d/odd": "Package: /^hel/\nPin: release n=one\nPin-Priority: 990\n"}, meant=unfollowed("regular expression")))
CASES.append(host("pin src:hello", {"sources.list": LISTS, "preferences.d/odd": "Package: src:hello\nPin: release n=one\nPin-Priority: 990\n"}, meant=unfollowed("source package")))
for file in ["odd.pref", "odd.bak", "o d d", "odd.txt"]:
    CASES.append(host(f"pins in `{file}`", {"sources.list": LISTS, f"preferences.d/{file}": "Package: *\nPin: release n=one\nPin-Priority: 990\n"}))
for suite in ["one", "two", "l=New", "12.3"]:
    CASES.append(host(f"Default-Release {suite}", {"sources.list": LISTS}, configuration=f'APT::Default-Release "{suite}";\n'))
old, unsigned = Archive(BASE, suite="one", release={"Valid-Until": "Thu, 09 May 2024 10:00:00 UTC"}), Archive(BASE, suite="one", signed="none")
CASES += [
    host("expired", {"sources.list": ONE_LINE}, [old]),
    host("check-valid-until=no", {"sources.list": "deb [signed-by={key} check-valid-until=no] {url}/a0 one main\n"}, [old]),
    host("Check-Valid-Until: no", {"sources.list.d/a.sources": "Types: deb\nURIs: {url}/a0\nSuites: one\nComponents: main\nSigned-By: {key}\nCheck-Valid-Until: no\n"}, [old]),
    host("check-date=no", {"sources.list": "deb [signed-by={key} check-date=no] {url}/a0 one main\n"}, [old]),
    host("Acquire::Check-Valid-Until", {"sources.list": ONE_LINE}, [old], configuration='Acquire::Check-Valid-Until "false";\n'),
    host("trusted=yes, not signed", {"sources.list": "deb [trusted=yes] {url}/a0 one main\n"}, [unsigned], meant=("needs a word in the manifest", "unsigned = true")),
    host("trusted=yes, not signed, meant", {"sources.list": "deb [trusted=yes] {url}/a0 one main\n"}, [unsigned], lines="unsigned = true\n"),
    host("not signed", {"sources.list": ONE_LINE}, [unsigned]),
    host("by-hash=force", {"sources.list": "deb [signed-by={key} by-hash=force] {url}/a0 one main\n"},
         [Archive(BASE, suite="one", hash_only=["", ".xz", ".gz"], release={"Acquire-By-Hash": "yes"}, change=lambda text: text.replace("Acquire-By-Hash: yes\n", ""))]),
    host("snapshot=ID", {"sources.list": "deb [signed-by={key} snapshot=20261101T000000Z] {url}/a0 one main\n"}, [ONE], meant=("apt before 2.7 ignores it", "snapshot=20261101T000000Z")),
    host("an unknown option", {"sources.list": "deb [signed-by={key} novelty=yes] {url}/a0 one main\n"}, [ONE]),
    host("blanks in the brackets", {"sources.list": "deb [ arch=amd64 signed-by={key} ] {url}/a0 one main # why\n"}, [ONE]),
    host("a component that is not there", {"sources.list": "deb [signed-by={key}] {url}/a0 one main gone\n"}, [ONE]),
    host("`a b.list`", {"sources.list": ONE_LINE, "sources.list.d/a b.list": "deb [signed-by={key}] {url}/a1 two main\n"}),
    host("`a.list.bak`", {"sources.list": ONE_LINE, "sources.list.d/a.list.bak": "deb [signed-by={key}] {url}/a1 two main\n"}),
    host("mirror+file", {"sources.list": "deb [signed-by={key}] mirror+file:{etc}/mirrors one main\n", "mirrors": "{url}/gone\tpriority:1\n{url}/a0\tpriority:2\n"}, [ONE]),
    host("contradicting Signed-By", {"sources.list": ONE_LINE + "deb {url}/a0 one main\n"}, [ONE]),
    host("an unknown type", {"sources.list": ONE_LINE + "rpm {url}/a0 one main\n"}, [ONE]),
    host("a disabled stanza", {"sources.list": ONE_LINE, "sources.list.d/a.sources": "Types: deb\nURIs: {url}/a1\nSuites: two\nComponents: main\nSigned-By: {key}\nEnabled: no\n"}),
    host("another architecture", {"sources.list": ONE_LINE + "deb [signed-by={key} arch=i386] {url}/a1 two main\n"}),
    host("NotAutomatic", {"sources.list": LISTS}, [ONE, Archive(NEWER, suite="two", release={"NotAutomatic": "yes"})]),
    host("one version in two archives", {"sources.list": LISTS}, [ONE, Archive(BASE, suite="two")]),
]

# Keys that may sign.
CASES += [
    host("two armored blocks in one file", {"sources.list": "deb [signed-by={etc}/two.asc] {url}/a0 one main\n", "two.asc": "{other}{armored}"}, [ONE]),
    host("a key in a stanza", {"sources.list.d/a.sources": "Types: deb\nURIs: {url}/a0\nSuites: one\nComponents: main\nSigned-By:{embedded}\n"}, [ONE]),
    host("a fingerprint", {"sources.list": "deb [signed-by={fingerprint}] {url}/a0 one main\n", "trusted.gpg.d/odd.asc": "{armored}"}, [ONE]),
    host("the key of another", {"sources.list": "deb [signed-by={etc}/other.asc] {url}/a0 one main\n", "other.asc": "{other}"}, [ONE]),
    host("HTML for a key", {"sources.list": "deb [signed-by={etc}/page.asc] {url}/a0 one main\n", "page.asc": "<!DOCTYPE html>\n<title>Not found</title>\n"}, [ONE]),
    host("a key that apt trusts for all", {"sources.list": "deb {url}/a0 one main\n", "trusted.gpg.d/odd.asc": "{armored}"}, [ONE]),
]
