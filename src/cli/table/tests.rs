use super::cell::{width, without_middle, wrapped};
use super::*;

/// A table as `outdated` and `store` print it, with all kinds of columns.
fn table() -> Table {
    let mut table = Table::new([
        Column::word("output"),
        Column::number("size"),
        Column::text("version"),
        Column::name("path"),
        Column::word("empty"),
    ]);
    table.row([
        "rocm",
        "4.66 GB",
        "10.2.0a20261120",
        "~/.local/share/strixlock/store/profiles/llm-12345678/current/rocm",
    ]);
    table.row(["image", "612 MB", "rocm 10.2.0a20261120, llama b6789, noble 2026-11-01, 31 packages", "", ""]);
    table.row(["total", "5.27 GB"]);
    table
}

#[test]
fn a_table_fits_each_terminal() {
    for most in [20, 30, 40, 60, 80, 100, 200] {
        for line in table().lines(Some(most)) {
            let plain = plain(&line);
            assert!(width(&plain) <= most, "{most}: {plain}");
            assert_eq!(plain.trim_end(), plain);
        }
    }
}

/// Removes styles.
fn plain(line: &str) -> String {
    anstream::adapter::strip_str(line).to_string()
}

fn shown(most: Option<usize>) -> String {
    table().lines(most).iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn numbers_stand_at_the_right_and_nothing_is_cut_where_there_is_room() {
    insta::assert_snapshot!(shown(None), @r"
    output     size  version                                                           path
    rocm    4.66 GB  10.2.0a20261120                                                   ~/.local/share/strixlock/store/profiles/llm-12345678/current/rocm
    image    612 MB  rocm 10.2.0a20261120, llama b6789, noble 2026-11-01, 31 packages
    total   5.27 GB
    ");
}

#[test]
fn text_is_wrapped_and_paths_lose_their_middle() {
    insta::assert_snapshot!(shown(Some(80)), @r"
    output     size  version                path
    rocm    4.66 GB  10.2.0a20261120        ~/.local/share/strix…345678/current/rocm
    image    612 MB  rocm 10.2.0a20261120,
                     llama b6789, noble
                     2026-11-01, 31
                     packages
    total   5.27 GB
    ");
}

#[test]
fn columns_that_can_be_spared_go_before_words_are_broken() {
    let mut table = Table::new([Column::word("a"), Column::number("b").spare(), Column::word("c").spare()]);
    table.row(["12345678", "9", "12345678"]);
    let shown = |most| table.lines(Some(most)).iter().map(|line| plain(line)).collect::<Vec<_>>();
    assert_eq!(shown(21), ["a         b  c", "12345678  9  12345678"]);
    assert_eq!(shown(20), ["a         b", "12345678  9"]);
    assert_eq!(shown(10), ["a", "12345678"]);
    // As a paragraph nothing is left out.
    assert_eq!(shown(7), ["1234567", "8", "  b 9", "  c", "  12345", "  678"]);
}

#[test]
fn where_no_table_fits_each_row_is_a_paragraph() {
    insta::assert_snapshot!(shown(Some(20)), @r"
    rocm
      size 4.66 GB
      version
      10.2.0a20261120
      path
      ~/.local/share/str
      ixlock/store/profi
      les/llm-12345678/c
      urrent/rocm
    image
      size 612 MB
      version rocm
      10.2.0a20261120,
      llama b6789, noble
      2026-11-01, 31
      packages
    total
      size 5.27 GB
    ");
}

#[test]
fn wide_signs_count_twice_and_no_sign_is_cut() {
    assert_eq!(without_middle("木木木木木", 10), "木木木木木");
    assert_eq!(without_middle("木木木木木", 9), "木木…木木");
    assert_eq!(without_middle("木木木木木", 8), "木木…木");
    assert_eq!(without_middle("abc", 1), "…");
    assert_eq!(wrapped("木木木", 1), ["木", "木", "木"]);
    assert_eq!(wrapped("a bb  ccc", 4), ["a bb", "ccc"]);
    assert_eq!(wrapped("abcdef gh", 4), ["abcd", "ef", "gh"]);
    assert_eq!(wrapped("", 4), [""]);
}

#[test]
fn a_table_without_rows_or_headings_prints_none() {
    assert_eq!(Table::new([Column::word("a")]).lines(Some(80)), Vec::<String>::new());
    let mut plain = Table::new([Column::word(""), Column::number("")]);
    plain.row(["a", "1"]);
    assert_eq!(plain.lines(None), ["a  1"]);
}
