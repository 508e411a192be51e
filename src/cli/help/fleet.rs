//! Help of the commands for several machines.

use super::pages::{Page, page};

/// `strixlock deploy`.
pub(super) const DEPLOY: Page = page(
    "deploy",
    "how-to/fleet.md",
    &[
        ("Two machines, each validated before it switches", "strixlock deploy box1 me@box2"),
        ("What would be sent", "strixlock deploy box1 --dry-run"),
    ],
);
