//! Fenced blocks of Markdown.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// A fenced block, or a remark `<!-- upstream: ... -->` between blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Words behind the fence, such as `sh` and `no-run=gpu`.
    pub info: Vec<String>,
    pub text: String,
    /// Place of the text in the page.
    pub place: Range<usize>,
}

impl Block {
    /// The language: the first word behind the fence.
    pub fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    /// The value of a word such as `no-run=gpu`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.info.iter().find_map(|word| word.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
    }
}

/// Returns all blocks of a page. Remarks have the language `upstream`.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (event, place) in Parser::new(page).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let info = info.split([',', ' ']).map(str::to_owned).collect();
                let end = page[place.clone()].find('\n').map_or(place.end, |line| place.start + line + 1);
                open = Some(Block { info, text: String::new(), place: end..end });
            }
            Event::Text(text) if open.is_some() => {
                let block = open.as_mut().unwrap();
                block.text += &text;
                block.place.end = place.end;
            }
            Event::End(TagEnd::CodeBlock) => all.extend(open.take()),
            Event::Html(html) => {
                if let Some(remark) =
                    html.trim().strip_prefix("<!-- upstream: ").and_then(|rest| rest.strip_suffix(" -->"))
                {
                    all.push(Block { info: vec!["upstream".to_owned()], text: remark.to_owned(), place });
                }
            }
            _ => {}
        }
    }
    all
}

#[test]
fn blocks_are_found_with_their_words_and_places() {
    let page = "a\n\n```sh,no-run=gpu\nb\nc\n```\n\n<!-- upstream: d -->\n\n```console\n$ e\nf\n```\n";
    let found = blocks(page);
    assert_eq!(found.iter().map(Block::language).collect::<Vec<_>>(), ["sh", "upstream", "console"]);
    assert_eq!((found[0].value("no-run"), found[0].text.as_str()), (Some("gpu"), "b\nc\n"));
    assert_eq!((found[2].value("no-run"), &page[found[2].place.clone()]), (None, "$ e\nf\n"));
}
