//! Help of the commands by which machines share what they realized.

use super::pages::{Group, page};

/// Commands for more than one machine.
pub(super) const SHARING: Group = Group {
    title: "More than one machine",
    pages: &[
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
