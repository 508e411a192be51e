//! Extracts the parts of an HTML page that matter: its title, its base, its links, and AMD's list in a script.
//!
//! A hostile page (deep nesting, many attributes) costs an HTML parser more than linear time and a hundred times the
//! page's memory. So a sieve reads the tags first, one by one and in linear time, and keeps only the wanted parts. From
//! those it writes a flat, short page, which scraper parses.

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use scraper::{Html, Selector};

use super::page::ENTRIES;
use super::{links, script};

/// Number of bytes of the title that are kept for messages.
const TITLE: usize = 400;

/// The wanted parts of a page.
#[derive(Debug, Default)]
pub(super) struct Markup {
    /// The beginning of the title.
    pub title: String,
    /// The address in the first `<base>`.
    pub base: Option<String>,
    /// AMD's list, from its opening bracket to the end of the script.
    pub array: Option<String>,
    /// Targets of links that may be files: at most one more than an index may have.
    pub links: Vec<String>,
}

/// Reads a page in time linear in its length. Memory holds the kept parts and one text between two tags.
pub(super) fn read(text: &str) -> Markup {
    let sieved = sieve(text);
    let page = Html::parse_document(&sieved.flat());
    let first = |element: &str| page.select(&Selector::parse(element).ok()?).next();
    let href = |element: scraper::ElementRef<'_>| element.value().attr("href").map(str::to_owned);
    let all = Selector::parse("a[href]").map(|links| page.select(&links).filter_map(href).collect());
    Markup {
        title: first("title").map(|title| title.text().collect()).unwrap_or_default(),
        base: first("base[href]").and_then(href),
        array: sieved.array,
        links: all.unwrap_or_default(),
    }
}

impl Markup {
    /// Writes the kept parts as a page without nesting, except AMD's list, which is not markup.
    fn flat(&self) -> String {
        let title = format!("<title>{}</title>", escaped(&self.title));
        let base = self.base.iter().map(|base| format!("<base href=\"{}\">", escaped(base)));
        let links = self.links.iter().map(|link| format!("<a href=\"{}\"></a>", escaped(link)));
        std::iter::once(title).chain(base).chain(links).collect::<Vec<_>>().concat()
    }
}

/// Escapes a text for HTML elements and quoted attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Extracts the wanted parts in one pass.
fn sieve(text: &str) -> Markup {
    let mut sieve = Sieve::default();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<()> {
        sieve.take(&event);
        None
    });
    // Only its own end tag ends a script or a title.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(text, emitter).for_each(drop);
    sieve.markup
}

#[derive(Default)]
struct Sieve {
    markup: Markup,
    /// The tag whose attributes are being read.
    tag: Tag,
    /// True after the tag's first `href`: a second one does not count.
    had_href: bool,
    /// True if the next value belongs to `href`.
    is_href: bool,
    /// The element whose text is being read.
    within: Tag,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Tag {
    #[default]
    Other,
    Link,
    Base,
    Script,
    Title,
}

impl Sieve {
    fn take(&mut self, event: &CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                (self.had_href, self.is_href) = (false, false);
                self.tag = match *name {
                    b"a" => Tag::Link,
                    b"base" if self.markup.base.is_none() => Tag::Base,
                    b"script" => Tag::Script,
                    b"title" => Tag::Title,
                    _ => Tag::Other,
                };
            }
            CallbackEvent::AttributeName { name } => {
                self.is_href = *name == b"href" && !self.had_href;
                self.had_href |= self.is_href;
                if self.is_href && self.tag == Tag::Base {
                    self.markup.base = Some(String::new());
                }
            }
            CallbackEvent::AttributeValue { value } if self.is_href => self.address(value),
            CallbackEvent::CloseStartTag { .. } => self.within = std::mem::take(&mut self.tag),
            CallbackEvent::EndTag { .. } => self.within = Tag::Other,
            CallbackEvent::String { value } => self.text(value),
            _ => {}
        }
    }

    fn address(&mut self, value: &[u8]) {
        match self.tag {
            Tag::Base => self.markup.base = Some(String::from_utf8_lossy(value).into_owned()),
            Tag::Link if self.markup.links.len() <= ENTRIES && links::may_be_file(value) => {
                self.markup.links.push(String::from_utf8_lossy(value).into_owned());
            }
            _ => {}
        }
    }

    fn text(&mut self, value: &[u8]) {
        match self.within {
            Tag::Title if self.markup.title.is_empty() => {
                self.markup.title = String::from_utf8_lossy(value.get(..TITLE).unwrap_or(value)).into_owned();
            }
            Tag::Script if self.markup.array.is_none() => {
                self.markup.array = script::array(&String::from_utf8_lossy(value)).map(str::to_owned);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_kept() {
        let page = "<!doctype html><TITLE>A &amp; B</TITLE><title>second</title><base target=x><base \
            href='/t/?a&amp;b'><base href=z>\
             <a href=x.tar.gz href=y.tar.gz>x</a><A HREF=\"&#120;2.tar.gz\">y</A></a href=no.tar.gz><a \
             name=href>z</a><a href>w</a>\
             <!-- <a href=no.tar.gz> --><textarea><a href=no.tar.gz></textarea><img href=no.tar.gz><a href=readme.txt>\
             <script>const other = '<a href=no.tar.gz>'; const files = [1]; a < b</script><script>const files = \
             [2]</script>";
        let markup = read(page);
        assert_eq!(markup.title, "A & B");
        assert_eq!(markup.base.as_deref(), Some("/t/?a&b"));
        assert_eq!(markup.links, ["x.tar.gz", "x2.tar.gz"]);
        assert_eq!(markup.array.as_deref(), Some("[1]; a < b"));
    }

    /// Reads what made a parser quadratic: attributes by the hundred thousand, nesting, tags that nothing ends.
    #[test]
    fn floods_pass_by_and_leave_nothing() {
        let attributes = (0..200_000).map(|number| format!(" a{number}=x")).collect::<Vec<_>>().concat();
        for flood in [
            format!("<a{attributes}>"),
            format!("<a {}>", "href=no.txt ".repeat(200_000)),
            format!("</a{attributes}>"),
            "<div>".repeat(400_000),
            "<a>".repeat(400_000),
            "<b><p>".repeat(200_000),
            "</p>".repeat(400_000),
            "<svg/>&amp;".repeat(200_000),
            "<!--".repeat(400_000),
            "<table><tr><td>".repeat(100_000),
        ] {
            let markup = read(&flood);
            assert!(markup.links.is_empty() && markup.array.is_none() && markup.base.is_none());
        }
        assert_eq!(read(&"<a href=x.tar.gz>".repeat(ENTRIES + 50)).links.len(), ENTRIES + 1);
    }
}
