//! Lists of patterns, as ssh_config(5) describes them: `*` and `?`, separated by commas, and `!` for exceptions.

/// Returns whether a list matches a text: one of its patterns does, and none of its exceptions.
pub(super) fn list_matches(list: &str, text: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(exception) if matches(exception.as_bytes(), text.as_bytes()) => return false,
            None if matches(pattern.as_bytes(), text.as_bytes()) => found = true,
            _ => {}
        }
    }
    found
}

/// Returns whether one pattern matches all of a text, in time that is at most the product of both lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // The place after the last star, and that of the text up to which the star has matched.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, read));
                at += 1;
            }
            Some(&sign) if sign == b'?' || sign == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((after, matched)) = star else { return false };
                star = Some((after, matched + 1));
                (at, read) = (after, matched + 1);
            }
        }
    }
    pattern[at..].iter().all(|sign| *sign == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_match_as_in_ssh() {
        for list in ["strixlock", "*", "git,strixlock", "strix*", "?trixlock", "s*x*k", "*,!git", "**k"] {
            assert!(list_matches(list, "strixlock"), "{list}");
        }
        for list in ["", "git", "strix", "strixlocks", "*,!strix*", "!git", "Strixlock", "?", "strixlock?", "*lo"] {
            assert!(!list_matches(list, "strixlock"), "{list}");
        }
    }

    #[test]
    fn many_stars_cost_no_time() {
        assert!(!list_matches(&"*a".repeat(10_000), &"b".repeat(20_000)));
    }
}
