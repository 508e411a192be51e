//! Help of the commands about settings.

use super::pages::{Page, page};

/// `strixlock config show`.
pub(super) const CONFIG_SHOW: Page = page(
    "config show",
    "reference/configuration.md",
    &[
        ("Every setting, and where it comes from", "strixlock config show"),
        ("With a variable", "STRIXLOCK_ROUNDS=2 strixlock config show"),
    ],
);

/// `strixlock config path`.
pub(super) const CONFIG_PATH: Page = page(
    "config path",
    "reference/configuration.md",
    &[
        ("The files of this project", "strixlock config path"),
        ("Of another project", "strixlock -C ../other config path"),
    ],
);
