//! Checks pages, for the unit tests and the tests of the command.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};

/// Elements that have no end.
const VOID: [&str; 5] = ["br", "input", "link", "meta", "rect"];

/// Returns what is wrong with a page: errors of the tokenizer, elements that do not nest, anything that loads or runs,
/// ids that are there twice, and links to ids that are not there.
pub fn fault(html: &str) -> Option<String> {
    let (mut open, mut ids, mut wanted, mut scripts) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    // A tokenizer alone does not know that there are no tags in these two.
    let html = without(&without(html, "<style>", "</style>"), "<script>", "</script>");
    for token in Tokenizer::new(&html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                for (attribute, value) in &tag.attributes {
                    let (attribute, value) = (text(attribute), text(value));
                    if attribute.starts_with("on") || ["style", "src", "srcset", "action"].contains(&attribute.as_str())
                    {
                        return Some(format!("<{name} {attribute}={value:?}>"));
                    }
                    match attribute.as_str() {
                        "id" if !ids.insert(value.clone()) => return Some(format!("the id {value} is there twice")),
                        "href" if value.starts_with('#') => drop(wanted.insert(value[1..].to_owned())),
                        "href" if !value.starts_with("https://") && !value.starts_with("http://") => {
                            return Some(format!("a link to {value:?}"));
                        }
                        "data-by" | "data-why" | "aria-labelledby" => drop(wanted.insert(value)),
                        _ => {}
                    }
                }
                if name == "script" || name == "style" {
                    scripts.push(name.clone());
                }
                if !tag.self_closing && !VOID.contains(&name.as_str()) {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                let name = text(&tag.name);
                if open.pop().as_ref() != Some(&name) {
                    return Some(format!("</{name}> ends something else"));
                }
            }
            Token::Comment(_) => return Some("a comment".to_owned()),
            Token::Error(error) => return Some(format!("{error:?}")),
            Token::String(_) | Token::Doctype(_) => {}
        }
    }
    if !open.is_empty() {
        return Some(format!("{open:?} do not end"));
    }
    if scripts != ["style", "script"] {
        return Some(format!("{scripts:?}"));
    }
    wanted.difference(&ids).next().map(|id| format!("nothing has the id {id}"))
}

/// Returns a page without what stands between the first `begin` and the `end` after it.
fn without(html: &str, begin: &str, end: &str) -> String {
    let Some((before, rest)) = html.split_once(begin) else { return html.to_owned() };
    let after = rest.split_once(end).map(|(_, after)| after).unwrap_or_default();
    format!("{before}{begin}{end}{after}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
