//! HTML under construction. The names of tags and attributes are words of this program (`&'static str`); everything
//! else is escaped on its way in, so that no caller can forget it. Addresses of links have a type of their own, since
//! no escaping makes `javascript:` harmless.

use std::fmt::{Display, Write as _};

use url::Url;

use crate::text::visible;
use crate::urls::has_login;

/// Elements after which a line ends, so that two pages can be compared line by line.
const LINES: [&str; 15] =
    ["a", "details", "div", "footer", "g", "h2", "h3", "li", "meta", "p", "section", "summary", "svg", "table", "tr"];

/// HTML under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Begins an element.
    pub fn element(&mut self, tag: &'static str) -> Element<'_> {
        self.0.push('<');
        self.0.push_str(tag);
        Element { html: self, tag }
    }

    /// Writes text. Control characters, and characters that turn the direction of writing, become U+FFFD.
    pub fn text(&mut self, text: impl Display) {
        escape(&mut self.0, &text.to_string());
    }

    /// Writes a text of this program as it stands: declarations, styles and scripts, in which nothing can be escaped.
    pub fn own(&mut self, text: &'static str) {
        self.0.push_str(text);
    }

    /// Adds what was written elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// An element whose opening tag is not complete yet.
#[must_use]
pub(super) struct Element<'h> {
    html: &'h mut Html,
    tag: &'static str,
}

impl Element<'_> {
    /// Adds a class or several.
    pub fn class(self, names: &'static str) -> Self {
        self.attribute("class", names)
    }

    /// Adds an attribute. Those that browsers load from or run are refused: [`Self::link`] is for addresses, and the
    /// page's policy allows no others.
    pub fn attribute(self, name: &'static str, value: impl Display) -> Self {
        debug_assert!(!is_active(name), "{name}");
        self.put(name, &value.to_string())
    }

    /// Adds an attribute with a number, in tenths.
    pub fn number(self, name: &'static str, value: f64) -> Self {
        let text = format!("{value:.1}");
        let text = text.strip_suffix(".0").unwrap_or(&text);
        self.put(name, if text == "-0" { "0" } else { text })
    }

    /// Makes the element a link.
    pub fn link(self, to: &Address) -> Self {
        match to {
            Address::Web(url) => self.put("href", url.as_str()).put("rel", "noopener noreferrer"),
            Address::Here(id) => self.put("href", &format!("#{id}")),
        }
    }

    fn put(self, name: &'static str, value: &str) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.html.0, " {name}=\"");
        escape(&mut self.html.0, value);
        self.html.0.push('"');
        self
    }

    /// Ends an element that has nothing inside.
    pub fn alone(self) {
        self.html.0.push_str("/>");
        if LINES.contains(&self.tag) {
            self.html.0.push('\n');
        }
    }

    /// Writes text inside, and the closing tag.
    pub fn text(self, text: impl Display) {
        self.inside(|html| html.text(text));
    }

    /// Writes what the function writes inside, and the closing tag.
    pub fn inside(self, write: impl FnOnce(&mut Html)) {
        let Self { html, tag } = self;
        html.0.push('>');
        write(html);
        let _ = write!(html.0, "</{tag}>");
        if LINES.contains(&tag) {
            html.0.push('\n');
        }
    }
}

/// The address of a link: in the web, or on the page itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// An address of scheme http or https, without user and password.
    Web(Url),
    /// An id of this page, made by this program.
    Here(String),
}

impl Address {
    /// Takes an address from outside. Other schemes than those of the web, and logins, are refused.
    pub fn web(url: &Url) -> Option<Self> {
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && !has_login(url);
        fits.then(|| Self::Web(url.clone()))
    }

    /// Returns the address of an element by the beginning of its id and its number.
    pub fn here(kind: &'static str, number: usize) -> Self {
        Self::Here(id(kind, number))
    }
}

/// Returns the id of an element. Names from outside never become ids.
pub(super) fn id(kind: &'static str, number: usize) -> String {
    format!("{kind}{number}")
}

/// Returns true for attributes by which a browser loads or runs something.
fn is_active(name: &str) -> bool {
    name.starts_with("on")
        || ["href", "src", "srcdoc", "srcset", "style", "action", "formaction", "data"].contains(&name)
}

fn escape(out: &mut String, text: &str) {
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Marks, embeddings, overrides and isolates of writing directions, and what is no character at all.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            '\u{fdd0}'..='\u{fdef}' => out.push('\u{fffd}'),
            c if u32::from(c) & 0xfffe == 0xfffe => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use html5gum::{Token, Tokenizer};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_values_come_back_and_nothing_else(text in "\\PC*|[<>&\"'/=!\\- a-z\u{0}-\u{1f}\u{2028}\u{202e}\u{fffe}]*") {
            let mut html = Html::default();
            html.element("b").attribute("title", &text).text(&text);
            let tokens: Vec<Token> = Tokenizer::new(&html.finish()).map(Result::unwrap).collect();
            let mut starts = 0;
            for token in tokens {
                match token {
                    Token::StartTag(tag) => {
                        starts += 1;
                        prop_assert_eq!(tag.attributes.len(), 1);
                    }
                    Token::EndTag(_) | Token::String(_) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!(starts, 1);
        }
    }

    #[test]
    fn what_would_end_a_text_is_escaped() {
        let mut html = Html::default();
        html.element("td").attribute("title", "a\"b'c").text("</td><script>&amp;\u{202e}\u{1b}[2Jx\r\n");
        let text = "<td title=\"a&quot;b&#39;c\">&lt;/td&gt;&lt;script&gt;&amp;amp;\u{fffd}x\u{fffd}\u{fffd}</td>";
        assert_eq!(html.finish(), text);
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for (address, fits) in [
            ("https://a.example/x?y=\"z\"", true),
            ("http://127.0.0.1:80/", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("file:///etc/passwd", false),
            ("https://me:secret@a.example/", false),
        ] {
            assert_eq!(Address::web(&Url::parse(address).unwrap()).is_some(), fits, "{address}");
        }
        let mut html = Html::default();
        let address = Address::web(&Url::parse("https://a.example/'\"<b>").unwrap()).unwrap();
        html.element("a").link(&address).text("x");
        assert_eq!(html.finish(), "<a href=\"https://a.example/&#39;%22%3Cb%3E\" rel=\"noopener noreferrer\">x</a>\n");
    }

    #[test]
    fn numbers_are_short() {
        let mut html = Html::default();
        html.element("rect").number("x", 1.0).number("y", -0.04).number("width", 12.345).alone();
        assert_eq!(html.finish(), "<rect x=\"1\" y=\"0\" width=\"12.3\"/>");
    }
}
