//! User and groups of this process, from `/proc/self/status` (proc(5)) and `/etc/group` (group(5)).

use std::collections::BTreeMap;

use super::system_files::SystemFiles;

/// The user and groups of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// The effective user.
    pub user: u32,
    /// The effective and the supplementary groups.
    pub groups: Vec<u32>,
    /// Names of the groups in `/etc/group`, by number.
    pub group_names: BTreeMap<u32, String>,
}

impl Process {
    pub(super) fn read(files: SystemFiles) -> Self {
        let status = files.text("proc/self/status").unwrap_or_default();
        let numbers = |field: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            line.unwrap_or_default().split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
        };
        // Fields: real, effective, saved, file system.
        let effective = |field: &str| numbers(field).get(1).copied();
        let mut groups = numbers("Groups");
        groups.extend(effective("Gid"));
        groups.sort_unstable();
        groups.dedup();
        let names = files.text("etc/group").unwrap_or_default();
        let group_names = names.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            Some((number.parse().ok()?, name.to_owned()))
        });
        Self { user: effective("Uid").unwrap_or_default(), groups, group_names: group_names.collect() }
    }

    /// Returns the name of a group, or its number if the name is unknown.
    #[must_use]
    pub fn group_name(&self, group: u32) -> String {
        self.group_names.get(&group).cloned().unwrap_or_else(|| group.to_string())
    }
}
