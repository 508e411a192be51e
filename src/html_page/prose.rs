//! Sentences of REPRODUCIBLE.md as HTML: code spans, bold words and escaped characters, and nothing else of Markdown.

use super::html::Html;

/// Writes a sentence.
pub(super) fn prose(html: &mut Html, sentence: &str) {
    let mut rest = sentence;
    let mut plain = String::new();
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let span = |mark: &str| rest.strip_prefix(mark).and_then(|rest| rest.split_once(mark));
        if let Some(escaped) = after.chars().next().filter(|next| c == '\\' && next.is_ascii_punctuation()) {
            plain.push(escaped);
            rest = &after[escaped.len_utf8()..];
        } else if let Some((code, after)) = span("`") {
            html.text(std::mem::take(&mut plain));
            html.element("code").text(unescaped(code));
            rest = after;
        } else if let Some((bold, after)) = span("**") {
            html.text(std::mem::take(&mut plain));
            html.element("strong").inside(|html| prose(html, bold));
            rest = after;
        } else {
            plain.push(c);
            rest = after;
        }
    }
    html.text(plain);
}

/// Takes off the backslashes that `page::cell` puts before marks, which some sentences have in their code spans.
fn unescaped(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => out.extend(rest.next()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_their_code_and_nothing_of_them_is_a_tag() {
        let of = |text: &str| {
            let mut html = Html::default();
            prose(&mut html, text);
            html.finish()
        };
        assert_eq!(of("The `a\\_b` of **one `c`**."), "The <code>a_b</code> of <strong>one <code>c</code></strong>.");
        assert_eq!(of(r"\<b\>: `<i>` ** ` \"), "&lt;b&gt;: <code>&lt;i&gt;</code> ** ` \\");
        assert_eq!(of("***"), "***");
        assert_eq!(of("ü`"), "ü`");
    }
}
