//! One line for a running task, as wide as the terminal at most.

use std::time::Instant;

use super::track::Track;
use crate::cli::palette::GOOD;

/// Width of the column of verbs.
const VERB: usize = 9;
/// Least width of a terminal that has a column of verbs.
const ROOMY: usize = 60;
/// Least and greatest length of a bar, with its brackets.
const BAR: (usize, usize) = (12, 32);
/// Greatest length of the name of a file, with the blanks before it.
const DETAIL: usize = 26;
/// Least length of a name that is cut.
const NAME: usize = 8;

/// Returns the line. Facts that do not fit are left out, the least important first.
pub(super) fn line(track: &Track, now: Instant, width: usize, coloured: bool) -> String {
    let verb = track.doing.now();
    let pad = if width >= ROOMY { VERB.saturating_sub(verb.len()) } else { 0 };
    let head = cut(&format!("{}{verb} {}", " ".repeat(pad), track.label), width);
    let mut left = width.saturating_sub(head.chars().count());
    let mut facts = String::new();
    for fact in track.facts(now) {
        let length = fact.chars().count() + 2;
        if length > left {
            // Without its first fact, such as the reason of a pause, a line says nothing.
            if facts.is_empty() && left > NAME {
                facts = format!("  {}", cut(&fact, left - 2));
                left = 0;
            }
            break;
        }
        left -= length;
        facts.push_str("  ");
        facts.push_str(&fact);
    }
    // The room for names is always the same, so that a bar does not change its length with each.
    let room = if track.detail().is_some() { left.min(DETAIL) } else { 0 };
    let detail = track.detail().filter(|_| room > NAME + 2).map(|detail| format!("  {}", ending(detail, room - 2)));
    let detail = detail.unwrap_or_default();
    left -= room;
    let bar = track.fraction().filter(|_| left > BAR.0).map_or_else(String::new, |done| bar(done, left));
    let head = match head.split_once(verb).filter(|_| coloured) {
        Some((pad, rest)) => format!("{pad}{GOOD}{verb}{GOOD:#}{rest}"),
        None => head,
    };
    format!("{head}{bar}{facts}{detail}")
}

/// Draws a bar for the done part of the whole.
fn bar(done: f64, room: usize) -> String {
    let length = room.saturating_sub(2).min(BAR.1).saturating_sub(2);
    let full = (done * length as f64) as usize;
    let tip = if full < length { ">" } else { "" };
    format!("  [{}{tip}{}]", "=".repeat(full), " ".repeat(length.saturating_sub(full + 1)))
}

/// Returns the beginning of a text.
fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// Returns the end of a name, where names differ.
fn ending(text: &str, length: usize) -> String {
    text.chars().skip(text.chars().count().saturating_sub(length)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::progress::{Doing, Retry, Unit};

    fn lines(track: &Track) -> String {
        let now = Instant::now();
        let widths = [120, 80, 60, 40, 20, 5, 0];
        let line = |width| line(track, now, width, false);
        for width in widths {
            assert!(line(width).chars().count() <= width, "{width}: {}", line(width));
        }
        widths.map(|width| format!("{width:>3} |{}", line(width))).join("\n")
    }

    #[test]
    fn lines_fit_every_terminal() {
        let mut track = Track::new(Doing::Fetch, "rocm", Some(2_100_000_000), Unit::Bytes);
        track.set_position(1_050_000_000);
        track.skip(1_050_000_000);
        insta::assert_snapshot!(lines(&track), @r"
        120 | fetching rocm  [===============>              ]  1.05 GB of 2.10 GB
         80 | fetching rocm  [===============>              ]  1.05 GB of 2.10 GB
         60 | fetching rocm  [===========>          ]  1.05 GB of 2.10 GB
         40 |fetching rocm  1.05 GB of 2.10 GB
         20 |fetching rocm
          5 |fetch
          0 |
        ");
        track.set_pause(Retry { number: 2, of: 4, wait: Duration::from_millis(7999), why: "connection reset by peer" });
        insta::assert_snapshot!(lines(&track), @r"
        120 | fetching rocm  [===============>              ]  retry 2 of 4 in 8 s: connection reset by peer
         80 | fetching rocm  [=======>       ]  retry 2 of 4 in 8 s: connection reset by peer
         60 | fetching rocm  retry 2 of 4 in 8 s: connection reset by pee
         40 |fetching rocm  retry 2 of 4 in 8 s: conn
         20 |fetching rocm
          5 |fetch
          0 |
        ");
        let mut track = Track::new(Doing::Build, "llama", None, Unit::Steps);
        track.set_phase("compile");
        track.set_total(840);
        track.set_position(312);
        track.set_expected(Duration::from_secs(1200));
        track.set_detail("fattn-vec-f16.cu");
        insta::assert_snapshot!(lines(&track), @r"
        120 | building llama  [===========>                  ]  compile 312 of 840  0:00  about 12:34 left  fattn-vec-f16.cu
         80 | building llama  compile 312 of 840  0:00  about 12:34 left  fattn-vec-f16.cu
         60 | building llama  compile 312 of 840  0:00  about 12:34 left
         40 |building llama  compile 312 of 840  0:00
         20 |building llama
          5 |build
          0 |
        ");
    }

    #[test]
    fn colour_adds_no_width() {
        let track = Track::new(Doing::Ask, "nightly.example (1 of 3)", None, Unit::Bytes);
        let now = Instant::now();
        let (plain, coloured) = (line(&track, now, 80, false), line(&track, now, 80, true));
        assert_eq!(plain, "   asking nightly.example (1 of 3)");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
        assert!(coloured.contains('\x1b'));
    }
}
