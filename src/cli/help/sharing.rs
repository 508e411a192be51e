//! Help of the commands by which machines share what they realized.

use super::pages::{Group, page};

/// Commands for more than one machine.
pub(super) const SHARING: Group = Group {
    title: "More than one machine",
    pages: &[
        page(
            "push",
            "how-to/remotes.md",
            &[
                ("What is made here, signed with the key of git", "strixlock push"),
                ("All that a machine without internet needs", "strixlock push --all --to team"),
            ],
        ),
        page(
            "pull",
            "how-to/remotes.md",
            &[
                ("All outputs of the lock, or fail", "strixlock pull"),
                ("One, from a certain place", "strixlock pull llama --from oci://registry.example/team/strix"),
            ],
        ),
        page(
            "remote",
            "how-to/remotes.md",
            &[
                ("Add a repository of a registry", "strixlock remote add team oci://registry.example/team/strix"),
                ("What does it have?", "strixlock remote ls"),
            ],
        ),
        page(
            "remote add",
            "how-to/remotes.md",
            &[
                ("For yourself", "strixlock remote add team oci://registry.example/team/strix"),
                (
                    "For all who work on the project",
                    "strixlock remote add team oci://registry.example/team/strix --project",
                ),
            ],
        ),
        page(
            "remote list",
            "how-to/remotes.md",
            &[
                ("Which remotes are asked?", "strixlock remote list"),
                ("For a script", "strixlock remote list --json | jq -r '.remotes[].address'"),
            ],
        ),
        page(
            "remote remove",
            "how-to/remotes.md",
            &[
                ("Ask it no more", "strixlock remote remove team"),
                ("And tell a script from which file", "strixlock remote remove team --json"),
            ],
        ),
        page(
            "remote ls",
            "how-to/remotes.md",
            &[
                ("The newest pushes, and who signed them", "strixlock remote ls"),
                ("Of another remote", "strixlock remote ls oci://registry.example/team/strix --count 100"),
            ],
        ),
        page(
            "remote verify",
            "how-to/remotes.md#check-it",
            &[
                ("Every byte of the first remote", "strixlock remote verify"),
                ("For a script", "strixlock remote verify team --json | jq '.verified.faults'"),
                ("Have damaged trees sent again", "strixlock remote verify team --remove-damaged"),
            ],
        ),
        page(
            "remote gc",
            "how-to/remotes.md#keep-it-small",
            &[
                ("See what would go", "strixlock remote gc --keep 10 --dry-run"),
                ("Keep the ten newest pushes", "strixlock remote gc team --keep 10"),
            ],
        ),
        page(
            "trust",
            "how-to/trust.md",
            &[
                ("Trust a colleague's key", "strixlock trust add ann ann.pub"),
                ("Whose word counts here?", "strixlock trust list"),
            ],
        ),
        page(
            "trust add",
            "how-to/trust.md",
            &[
                ("A key in a file", "strixlock trust add ann ann.pub"),
                ("All keys that somebody has on a forge", "strixlock trust add ann https://github.com/ann.keys"),
                ("Your own, with which git signs", "strixlock trust add me"),
            ],
        ),
        page(
            "trust list",
            "how-to/trust.md",
            &[
                ("All keys, also those that have expired", "strixlock trust list"),
                ("For a script", "strixlock trust list --json | jq -r '.keys[].fingerprint'"),
            ],
        ),
        page(
            "trust remove",
            "how-to/trust.md",
            &[
                ("All keys of somebody", "strixlock trust remove ann"),
                ("One of them", "strixlock trust remove SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s"),
            ],
        ),
    ],
};
