//! The `strixlock` command.

fn main() {}
