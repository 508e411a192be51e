//! How much HTML is let near the HTML parser.
//!
//! Its time grows with the square of the nesting: 1 MB of `<div>` takes minutes. How deep a page nests only a parser can
//! tell, so what is counted here is tags that could nest. No listing has many: of a file it has a link, a row and cells,
//! and those end by themselves where the next one begins.

/// The most tags that could nest.
const NESTING: usize = 10_000;
/// The most tags, since each costs a hundred times its length in memory.
const ALL: usize = 500_000;
/// The most of one times the other, which is what the parser's time grows with: a few seconds at worst.
const WORK: usize = 500_000_000;
/// Elements without contents, or that the next one of their kind ends.
const FLAT: [&str; 12] = ["a", "br", "dd", "dt", "hr", "img", "li", "link", "meta", "td", "th", "tr"];

/// Whether a page has more tags than any index.
pub(super) fn too_much(text: &str) -> bool {
    let (mut all, mut nesting) = (0, 0);
    for rest in text.split('<').skip(1) {
        // A tag in a comment, a string or a script counts too: to be fooled upwards is harmless.
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let name = &rest[..length];
        // `<a-b>` is an element of its own.
        let whole = rest[length..].starts_with(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'));
        all += 1;
        nesting += usize::from(!whole || !FLAT.iter().any(|flat| flat.eq_ignore_ascii_case(name)));
        if all > ALL || nesting > NESTING || all * nesting > WORK {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_let_through_and_floods_are_not() {
        let row = "<tr><td><img src=x></td><td><a href=\"x.tar.gz\">x</a></td><td>1</td><td>2</td></tr>";
        assert!(!too_much(&format!("<html><table>{}</table>", row.repeat(50_000))));
        assert!(!too_much(&format!("<script>const files = [{}]", "{\"name\": \"x\"},".repeat(100_000))));
        for tag in ["<div>", "<DIV\n>", "<b>", "<a-b>", "<svg/>", "<tr\u{b}>"] {
            assert!(too_much(&tag.repeat(NESTING + 1)), "{tag}");
        }
        assert!(too_much(&"<a>".repeat(ALL + 1)));
        assert!(too_much(&format!("{}{}", "<div>".repeat(NESTING - 1), "<li>".repeat(ALL / 2))));
        assert!(!too_much("< 1 <é </div> <"));
    }
}
