//! The page of faults that nightlies had before there was a lock: a row for each case, and the tests that it names.

use std::fmt::Write as _;
use std::path::Path;

use crate::book::demand_equal;
use crate::support::files;

/// A case: what people met with, what strixlock does, and tests that fail where it does not.
struct Case(&'static str, &'static str, &'static [&'static str]);

/// The cases of issues and threads.
const SUFFERED: [Case; 9] = [
    Case(
        "A nightly was bad: gfx1151 crashed from 7.14.0a20260609 on, and people bisected by hand.",
        "`bisect` finds the first bad build of 38 in about six steps. `rollback` is one rename. `freeze` holds what works, with a reason. Known-bad versions are named, and `--skip-bad` passes over them.",
        &[
            "bisect::the_first_broken_nightly_is_found_also_when_its_neighbours_are_gone_upstream",
            "status::a_lock_that_moved_on_and_a_rollback_are_told_apart",
            "holding::a_frozen_input_stays_and_everybody_is_told_until_when_and_why",
            "advisories::skip_bad_takes_the_newest_that_is_not_known_to_be_bad",
        ],
    ),
    Case(
        "The index moved, and pickers stayed on old builds for weeks; a sort by text found nothing new for a month.",
        "The present index is asked first. A frozen one never stands in for it, nightlies are ordered by their days, and an index without news for a week is told.",
        &[
            "holding::index::an_index_that_moved_and_a_family_that_was_renamed_hold_nobody_back",
            "upstream::rocm::frozen_indexes_never_stand_in_for_the_current_one",
            "upstream::rocm::the_newest_day_wins_across_majors",
            "upstream::rocm::an_index_that_nobody_updates_is_noticed",
        ],
    ),
    Case(
        "A family was renamed, and builds froze without an error.",
        "A newer build under a near name is told, with the line that selects it.",
        &[
            "holding::index::an_index_that_moved_and_a_family_that_was_renamed_hold_nobody_back",
            "update::names::a_newer_build_of_a_family_is_told_and_taken_when_asked",
        ],
    ),
    Case(
        "A `-tests` tarball was taken for the newest build.",
        "Names are parsed, not searched: tests, other GPUs and other systems are passed over.",
        &["upstream::rocm::tests_multiarch_windows_and_other_families_are_passed_over"],
    ),
    Case(
        "Trimmed runtimes lost a library, a file of kernels, or `.kpack/`.",
        "What a runtime needs is computed from the files of this nightly, and proven before anything is published.",
        &[
            "runtime::the_runtime_has_what_every_trap_needs_and_nothing_else",
            "runtime::whichever_file_is_missing_the_proof_fails",
            "runtime::traps::a_nightly_without_kernels_is_told_before_anything_is_built_with_it",
        ],
    ),
    Case(
        "The loader missed librocprofiler-register or libhipblas, since a flattened copy broke `$ORIGIN`.",
        "Files keep their places, and ld.so itself resolves every library of the result.",
        &[
            "runtime::every_file_has_a_reason_and_the_reasons_add_up",
            "runtime::whichever_file_is_missing_the_proof_fails",
        ],
    ),
    Case(
        "\"Cannot find ROCm device library\": HIP_DEVICE_LIB_PATH was not set, or set for another tree.",
        "`run`, `env` and builds set the look-up variables for the pinned tree, whatever the machine has.",
        &["run::the_machine_s_environment_changes_nothing", "llama::the_page_says_what_the_recipe_decided_and_why"],
    ),
    Case(
        "`curl` into `tar` hid a truncated download, and nobody compared a digest.",
        "Size and digest are compared before anything is published; a download that broke off is resumed.",
        &[
            "fetch::a_body_that_always_breaks_off_is_told_and_nothing_is_published",
            "fetch::a_flipped_byte_is_refused_with_the_whole_story",
        ],
    ),
    Case(
        "Release notes named a version that is no build, and commits of five characters.",
        "The lock has the tarball's digest, the tree's, the commits that it was built from, and whole commit ids. Another file under a locked name is refused.",
        &[
            "update::a_file_that_upstream_replaced_is_noticed_and_taken_only_when_asked",
            "update::names::a_tree_that_calls_itself_another_version_is_refused_with_both",
            "git::wanted::fields_that_name_no_commit_are_refused_at_their_place",
        ],
    ),
];

/// Indexes and servers that are not what they were.
const ODD: [Case; 8] = [
    Case(
        "An index shrinks: the locked build is not listed any more, and older ones are.",
        "It is told. The lock stays what it is, and `realize` asks for the file itself.",
        &["holding::index::a_locked_build_that_is_not_listed_any_more_is_told"],
    ),
    Case(
        "An index goes back in time: it lists nothing as new as what was locked before.",
        "Refused (exit code 5), until `--allow-downgrade`. The lock remembers the newest version also after a downgrade on purpose.",
        &[
            "holding::index::an_index_that_goes_back_is_refused_until_somebody_allows_it",
            "holding::index::the_newest_version_that_was_locked_is_remembered_by_the_lock",
        ],
    ),
    Case(
        "It repeats a name with another time.",
        "The first entry counts, and both times are told.",
        &["upstream::rocm::a_name_that_is_listed_twice_with_other_times_is_told"],
    ),
    Case(
        "It lists a build of a day to come, which would be the newest for ever.",
        "Passed over and told. If all are, the clock of this machine is named.",
        &[
            "holding::index::a_build_of_a_day_to_come_is_passed_over",
            "upstream::rocm::builds_of_days_to_come_are_passed_over_unless_all_are",
        ],
    ),
    Case(
        "It grows to 100 MB.",
        "Reading ends after 16 MiB (exit code 5).",
        &["holding::index::an_index_of_a_hundred_megabytes_is_not_read_to_its_end"],
    ),
    Case(
        "A nightly disappears between the look-up and the download: 403, as AMD's hosts answer.",
        "Named with its URL (exit code 8). The lock stays as it was.",
        &["update::a_failing_input_leaves_the_lock_untouched_and_is_named"],
    ),
    Case(
        "A git server rewinds a branch, or its history is rewritten.",
        "Rewound: refused (exit code 5), until `--allow-downgrade`. Rewritten: told, with the number of lost commits.",
        &["holding::index::a_branch_that_goes_back_is_refused_and_one_that_is_rewritten_is_told"],
    ),
    Case(
        "A nightly is 27, 119 or 121 days old, and AMD keeps 120.",
        "93 days are left; 1 day, with what keeps it here; any day. None is said to be gone before it was asked for.",
        &["status::leaving::each_age_is_told_as_what_it_is_and_nothing_is_said_to_be_gone"],
    ),
];

const HEAD: &str = "# What went wrong before, and what happens now

Cases that people reported of nightlies, recipes and pickers, and servers that are not what they were. Each row names the tests that fail
if strixlock meets with the case and does something else; `tests/past.rs` makes this page and looks for them.
";

fn table(title: &str, cases: &[Case]) -> String {
    let mut text = format!("\n## {title}\n\n| before | now | tests |\n| --- | --- | --- |\n");
    for Case(before, now, tests) in cases {
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        let _ = writeln!(text, "| {before} | {now} | {} |", tests.join(", "));
    }
    text
}

#[test]
fn the_page_of_what_went_wrong_is_made_from_the_cases() {
    let page = format!("{HEAD}{}{}", table("Nightlies", &SUFFERED), table("Indexes and servers", &ODD));
    demand_equal("docs/explanation/what-went-wrong.md", &page);
}

#[test]
fn every_test_that_the_page_names_exists() {
    let places = ["tests", "src"].map(|place| files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place)));
    let sources: Vec<(String, String)> = places
        .into_iter()
        .flatten()
        .filter_map(|path| Some((path.to_string_lossy().into_owned(), std::fs::read_to_string(&path).ok()?)))
        .collect();
    for test in SUFFERED.iter().chain(&ODD).flat_map(|Case(.., tests)| *tests) {
        let (module, name) = test.rsplit_once("::").unwrap();
        let (place, function) = (module.replace("::", "/"), format!("\nfn {name}("));
        let found = sources.iter().any(|(path, text)| path.contains(&place) && text.contains(&function));
        assert!(found, "there is no test {test}");
    }
}
