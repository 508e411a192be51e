//! Groups of commands, and for each command its examples and its page in the book.

/// Commands that are listed together.
pub(super) struct Group {
    /// Heading in the help.
    pub(super) title: &'static str,
    /// Its commands, and the commands below those.
    pub(super) pages: &'static [Page],
}

/// Help of one command besides what clap knows.
pub(super) struct Page {
    /// Name, after that of the command above it.
    pub(super) command: &'static str,
    /// File and heading below `docs/`.
    pub(super) at: &'static str,
    /// Purposes, and what is typed.
    pub(super) examples: &'static [(&'static str, &'static str)],
}

pub(super) const fn page(
    command: &'static str,
    at: &'static str,
    examples: &'static [(&'static str, &'static str)],
) -> Page {
    Page { command, at, examples }
}

/// All commands, in the order in which the help lists them.
pub(super) const GROUPS: [Group; 6] = [
    Group {
        title: "Everyday",
        pages: &[
            page(
                "init",
                "reference/manifest.md",
                &[
                    ("A manifest for this machine", "strixlock init"),
                    ("Builds with the tools of this machine", "strixlock init --packages none"),
                ],
            ),
            page(
                "update",
                "explanation/why-a-lock.md",
                &[
                    ("The newest nightly; llama.cpp keeps its commit", "strixlock update rocm"),
                    ("In CI: fail if the lock would change", "strixlock update --locked"),
                    (
                        "For a bot: the text of a commit and of a pull request",
                        "strixlock update --report report.md --commit-message-file message",
                    ),
                ],
            ),
            page(
                "up",
                "how-to/box.md",
                &[
                    ("Every day: the newest that works", "strixlock up"),
                    ("Compare numbers before switching", "strixlock up --validate usual"),
                ],
            ),
            page(
                "status",
                "how-to/ci.md",
                &[
                    ("What is pinned, and what is here", "strixlock status"),
                    ("In CI: fail if the lock is stale", "strixlock status --check"),
                ],
            ),
            page(
                "outdated",
                "how-to/bad-nightly.md",
                &[
                    ("What is newer than the lock?", "strixlock outdated"),
                    ("For a script: exit code 4 if there is something", "strixlock outdated --check"),
                ],
            ),
            page(
                "freeze",
                "how-to/bad-nightly.md",
                &[
                    ("Stay where it works", "strixlock freeze rocm --why crashes"),
                    ("Until somebody thaws it", "strixlock freeze llama-cpp"),
                ],
            ),
            page(
                "thaw",
                "how-to/bad-nightly.md",
                &[("Let it move again", "strixlock thaw rocm"), ("For a script", "strixlock thaw llama-cpp --json")],
            ),
            page(
                "realize",
                "how-to/bare-host.md",
                &[
                    ("Build everything, and switch to it", "strixlock realize"),
                    ("Links at /opt/rocm and /opt/llama", "strixlock realize --prefix /opt"),
                    ("Plain copies", "strixlock realize --to ./copies"),
                    ("From an archive, without network", "strixlock realize --from /mnt --offline"),
                ],
            ),
            page(
                "run",
                "running.md",
                &[
                    ("A server", "strixlock run llama-server -m ~/models/MODEL.gguf --port 8080"),
                    ("A program of an older generation", "strixlock run -g 1 llama-cli --version"),
                ],
            ),
            page(
                "rollback",
                "how-to/bad-nightly.md",
                &[
                    ("Back to the generation before", "strixlock rollback"),
                    ("In another profile", "strixlock --profile prod rollback"),
                ],
            ),
            page(
                "switch",
                "how-to/bad-nightly.md",
                &[
                    ("Use generation 2", "strixlock switch 2"),
                    ("Back to where the last switch came from", "strixlock switch -"),
                ],
            ),
            page(
                "doctor",
                "how-to/bare-host.md#look-at-the-machine-first",
                &[
                    ("What keeps this machine from doing the job?", "strixlock doctor"),
                    ("A machine whose disk is mounted below /mnt", "strixlock doctor --root /mnt"),
                ],
            ),
            page(
                "bisect",
                "how-to/bisect.md",
                &[
                    ("Which nightly broke it, since the generation before?", "strixlock bisect rocm run ./test.sh"),
                    (
                        "ROCm and llama.cpp moved: which of them, and where?",
                        "strixlock bisect --good 3 run llama-cli --version",
                    ),
                    ("Go on after a reboot", "strixlock bisect"),
                ],
            ),
            page(
                "bisect run",
                "how-to/bisect.md",
                &[
                    ("With what moved since the generation before", "strixlock bisect run ./test.sh"),
                    ("Fail where something works, to find what mended it", "strixlock bisect run sh -c '! ./test.sh'"),
                ],
            ),
            page(
                "bisect validate",
                "how-to/bisect.md",
                &[
                    ("By a validation", "strixlock bisect validate"),
                    ("By its first checks", "strixlock bisect validate --quick"),
                ],
            ),
            page(
                "bisect interactive",
                "how-to/bisect.md",
                &[
                    ("Try each by hand", "strixlock bisect interactive"),
                    ("For a script", "strixlock bisect interactive --json"),
                ],
            ),
            page(
                "bisect good",
                "how-to/bisect.md",
                &[
                    ("The one that was tried works", "strixlock bisect good"),
                    ("So does another one", "strixlock bisect good 10.1.0a20260902"),
                ],
            ),
            page(
                "bisect bad",
                "how-to/bisect.md",
                &[
                    ("The one that was tried fails", "strixlock bisect bad"),
                    ("So does another one", "strixlock bisect bad 10.1.0a20260904"),
                ],
            ),
            page(
                "bisect skip",
                "how-to/bisect.md",
                &[
                    ("The one that was tried cannot be judged", "strixlock bisect skip"),
                    ("Nor can another one", "strixlock bisect skip 10.1.0a20260903"),
                ],
            ),
            page(
                "bisect log",
                "how-to/bisect.md",
                &[("All answers so far", "strixlock bisect log"), ("For a script", "strixlock bisect log --json")],
            ),
            page(
                "bisect replay",
                "how-to/bisect.md",
                &[
                    ("Take over a log in which an answer was changed", "strixlock bisect replay answers.log"),
                    ("For a script", "strixlock bisect replay answers.log --json"),
                ],
            ),
            page(
                "bisect reset",
                "how-to/bisect.md",
                &[("End it", "strixlock bisect reset"), ("For a script", "strixlock bisect reset --json")],
            ),
            page(
                "advisory",
                "reference/advisories.md",
                &[
                    ("What is known to be bad, and what of it is locked here?", "strixlock advisory list"),
                    ("The report", "strixlock advisory show rocm-hsa-init-crash"),
                    ("A new one, from the last validation that failed", "strixlock advisory draft"),
                ],
            ),
            page(
                "advisory list",
                "reference/advisories.md",
                &[
                    ("All that are known", "strixlock advisory list"),
                    ("For a script", "strixlock advisory list --json"),
                ],
            ),
            page(
                "advisory show",
                "reference/advisories.md",
                &[
                    ("One in full", "strixlock advisory show rocm-hsa-init-crash"),
                    ("For a script", "strixlock advisory show rocm-hsa-init-crash --json"),
                ],
            ),
            page(
                "advisory draft",
                "reference/advisories.md",
                &[
                    ("Of the source of llama.cpp", "strixlock advisory draft"),
                    ("Of another input", "strixlock advisory draft rocm"),
                    ("Added to a document", "strixlock advisory draft >> advisories.toml"),
                ],
            ),
        ],
    },
    Group {
        title: "Look and check",
        pages: &[
            page(
                "generations",
                "how-to/disk.md#several-projects",
                &[
                    ("Those of this project", "strixlock generations"),
                    ("Those of all projects that use the store", "strixlock generations --all"),
                ],
            ),
            page(
                "diff",
                "how-to/bad-nightly.md#see-what-changed",
                &[
                    ("The current generation and the one before", "strixlock diff"),
                    ("The lock before the last commit of another one, and now", "strixlock diff before now"),
                    ("For a pull request", "strixlock diff origin/main --markdown"),
                ],
            ),
            page(
                "list",
                "how-to/bad-nightly.md#find-the-nightly-that-broke-it",
                &[
                    ("The newest nightlies", "strixlock list rocm"),
                    ("Five for one GPU", "strixlock list rocm -t gfx1151 -c 5"),
                ],
            ),
            page(
                "list rocm",
                "how-to/bad-nightly.md#find-the-nightly-that-broke-it",
                &[
                    ("The newest nightlies for one GPU", "strixlock list rocm -t gfx1151 -c 5"),
                    ("The newest release", "strixlock list rocm --channel stable -c 1"),
                ],
            ),
            page(
                "lock",
                "reference/lock.md",
                &[
                    ("Digest of the whole lock", "strixlock lock digest"),
                    ("Id of one output", "strixlock lock digest llama"),
                ],
            ),
            page(
                "lock merge",
                "how-to/ci.md#branches-that-both-update",
                &[
                    ("By hand, into the second file", "strixlock lock merge base.lock ours.lock theirs.lock"),
                    ("As git calls it: merge.strixlock.driver", "strixlock lock merge %O %A %B %P"),
                ],
            ),
            page(
                "lock show",
                "reference/lock.md",
                &[("All pins", "strixlock lock show"), ("One of them", "strixlock lock show rocm")],
            ),
            page(
                "lock digest",
                "how-to/ci.md#build-once-and-cache",
                &[
                    ("A cache key for everything", "strixlock lock digest"),
                    ("A cache key for one output", "strixlock lock digest llama"),
                ],
            ),
            page(
                "why",
                "explanation/runtime.md",
                &[
                    ("A file of the ROCm tree", "strixlock why lib/librocblas.so.5"),
                    ("By the path at which it stands", "strixlock why /opt/rocm/lib/librocblas.so.5"),
                ],
            ),
            page(
                "runtime",
                "explanation/runtime.md",
                &[("How much was left out?", "strixlock runtime"), ("Sizes by reason", "strixlock runtime --explain")],
            ),
            page(
                "log",
                "how-to/check.md#how-was-it-built",
                &[
                    ("The log of a build", "strixlock log llama"),
                    ("Its compilers and CMake variables", "strixlock log llama --about"),
                    ("Of a build that runs now", "strixlock log llama --follow"),
                ],
            ),
            page(
                "shell",
                "how-to/check.md#how-was-it-built",
                &[
                    ("The sandbox of a build", "strixlock shell llama"),
                    ("With four jobs in commands.sh", "strixlock shell llama -j 4"),
                ],
            ),
            page(
                "verify",
                "reference/store.md",
                &[("Read every tree", "strixlock verify"), ("Restore what is damaged", "strixlock verify --repair")],
            ),
            page(
                "check",
                "how-to/check.md",
                &[
                    ("Build once more, and compare", "strixlock check llama"),
                    ("Keep the second tree if it differs", "strixlock check llama --keep"),
                ],
            ),
            page(
                "validate",
                "how-to/models.md#validate",
                &[
                    ("On the GPU, if there is one", "strixlock validate"),
                    ("Verdict and speed of each generation", "strixlock validate --history"),
                    ("Beside generation 3: equal, token by token?", "strixlock validate --against 3"),
                ],
            ),
            page(
                "bench",
                "how-to/compare.md",
                &[
                    ("Is generation 5 faster than 3?", "strixlock bench -g 3 -g 5"),
                    ("The lock's outputs and all variants, for a forum post", "strixlock bench --markdown"),
                    ("This variant and the lock's outputs, more rounds", "strixlock bench stable --runs 30"),
                ],
            ),
            page(
                "audit",
                "how-to/check.md#for-a-stranger",
                &[
                    ("Write REPRODUCIBLE.md", "strixlock audit"),
                    ("In CI: fail if it is out of date", "strixlock audit --check"),
                    ("Also rebuild.sh, which makes the outputs without strixlock", "strixlock audit --rebuild-script"),
                ],
            ),
            page(
                "report",
                "how-to/report.md",
                &[
                    ("A page to look at: report.html", "strixlock report"),
                    ("Elsewhere", "strixlock report -o ~/strix.html"),
                    ("Ages and deadlines as of another day", "STRIXLOCK_NOW=2026-12-31 strixlock report"),
                ],
            ),
        ],
    },
    Group {
        title: "Images and containers",
        pages: &[
            page(
                "provision",
                "how-to/toolbox.md",
                &[
                    ("A toolbox that shares your home", "strixlock provision distrobox"),
                    (
                        "A server as a service of systemd",
                        "strixlock provision quadlet --models ~/models --model MODEL.gguf",
                    ),
                ],
            ),
            page(
                "export",
                "how-to/images.md",
                &[
                    ("An image", "strixlock export oci server"),
                    ("A Containerfile", "strixlock export containerfile --image BASE@sha256:HEX"),
                ],
            ),
            page(
                "export oci",
                "how-to/images.md",
                &[
                    ("In the store, to be copied with skopeo", "strixlock export oci server"),
                    ("One file, for `podman load`", "strixlock export oci server --format archive --output s.tar"),
                ],
            ),
            page(
                "export containerfile",
                "how-to/from-dockerfile.md",
                &[
                    ("ROCm in an image of yours", "strixlock export containerfile --image BASE@sha256:HEX"),
                    ("And llama.cpp, built in it", "strixlock export containerfile --llama --image BASE@sha256:HEX"),
                ],
            ),
        ],
    },
    Group {
        title: "Store",
        pages: &[
            page(
                "store",
                "how-to/disk.md",
                &[
                    ("What each nightly added", "strixlock store"),
                    ("Compress what is not in use", "strixlock store pack"),
                ],
            ),
            page(
                "store pack",
                "how-to/disk.md#pack",
                &[
                    ("Compress what is not in use", "strixlock store pack"),
                    ("But leave the newest two as they are", "strixlock store pack --keep-hot 2"),
                ],
            ),
            page(
                "gc",
                "how-to/disk.md#remove",
                &[
                    ("See what would go", "strixlock gc --keep 3 --dry-run"),
                    ("Keep what was used in the last month", "strixlock gc --older-than 30d"),
                ],
            ),
            page(
                "archive",
                "how-to/old-nightly.md",
                &[
                    ("Everything that the lock needs", "strixlock archive"),
                    ("All generations, in little space", "strixlock archive --to ./a --all-generations --cold"),
                    ("One file, for a stick", "strixlock archive --to archive.tar"),
                    ("In a registry", "strixlock archive --to oci://registry.example/team/archive"),
                ],
            ),
            page(
                "archive list",
                "reference/archive.md",
                &[("What does it keep?", "strixlock archive list"), ("For a script", "strixlock archive list --json")],
            ),
            page(
                "archive verify",
                "reference/archive.md#check-it",
                &[
                    ("Every byte of the usual archive", "strixlock archive verify"),
                    ("Of a file", "strixlock archive verify archive.tar"),
                ],
            ),
            page(
                "archive prune",
                "reference/archive.md#remove",
                &[
                    ("See what would go", "strixlock archive prune --dry-run"),
                    ("Remove what no lock needs", "strixlock archive prune ./a"),
                ],
            ),
            page(
                "serve",
                "how-to/offline.md#an-archive-in-the-network",
                &[
                    ("For this machine", "strixlock serve /mnt"),
                    ("For the network", "strixlock serve /mnt --listen 0.0.0.0:8000"),
                ],
            ),
            page(
                "snapshot",
                "how-to/offline.md#carry-outputs-over",
                &[
                    ("Save all outputs", "strixlock snapshot save outputs.tar.zst"),
                    ("Restore them, offline", "strixlock snapshot restore outputs.tar.zst"),
                ],
            ),
            page(
                "snapshot save",
                "how-to/offline.md#carry-outputs-over",
                &[
                    ("All outputs", "strixlock snapshot save outputs.tar.zst"),
                    ("One of them", "strixlock snapshot save llama llama.tar.zst"),
                ],
            ),
            page(
                "snapshot restore",
                "how-to/offline.md#carry-outputs-over",
                &[
                    ("Into the store", "strixlock snapshot restore outputs.tar.zst"),
                    ("As plain copies", "strixlock snapshot restore outputs.tar.zst --to ./copies"),
                ],
            ),
            super::fleet::DEPLOY,
        ],
    },
    super::sharing::SHARING,
    Group {
        title: "Scripts and practice",
        pages: &[
            page(
                "env",
                "running.md#in-a-shell-and-with-direnv",
                &[
                    ("In a shell, or as a line of .envrc", "eval \"$(strixlock env)\""),
                    ("One variable", "strixlock env --json | jq -r .set.ROCM_PATH"),
                ],
            ),
            page(
                "hash",
                "reference/tree-digest.md",
                &[
                    ("The tree digest", "strixlock hash ./copies/llama"),
                    ("The hash that `nix hash path` prints", "strixlock hash --nar ./copies/llama"),
                ],
            ),
            page(
                "completions",
                "installing.md#completions",
                &[
                    ("In ~/.bashrc; likewise zsh, after compinit", "source <(strixlock completions bash)"),
                    ("In fish, once", "strixlock completions fish > ~/.config/fish/completions/strixlock.fish"),
                ],
            ),
            page(
                "config",
                "reference/configuration.md",
                &[
                    ("Every setting, and where it comes from", "strixlock config show"),
                    ("The files", "strixlock config path"),
                ],
            ),
            super::settings::CONFIG_SHOW,
            super::settings::CONFIG_PATH,
            page(
                "schema",
                "reference/json.md#schemas",
                &[
                    ("For editors", "strixlock schema manifest > strix.toml.schema.json"),
                    ("Of `strixlock export oci --json`", "strixlock schema export oci"),
                ],
            ),
            page(
                "version",
                "reference/json.md",
                &[
                    ("Versions of everything that is written", "strixlock version"),
                    ("For a script", "strixlock version --json | jq .recipes"),
                ],
            ),
            page(
                "demo",
                "tutorial.md",
                &[
                    ("The whole job in a minute", "strixlock demo"),
                    ("An upstream to practise with", "strixlock demo --serve"),
                ],
            ),
        ],
    },
];
