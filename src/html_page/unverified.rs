//! Things that nobody verifies, in the words of REPRODUCIBLE.md.

use super::Told;
use super::facts::Facts;
use super::html::Html;
use super::prose::prose;
use crate::report::unverified;

pub(super) fn write(facts: &Facts, html: &mut Html) -> Told {
    let locked = match &facts.locked {
        Ok(locked) => locked,
        Err(why) => return Told::missing(why),
    };
    let all = unverified(locked.lock);
    html.element("ul").class("unverified").inside(|html| {
        for (name, sentence) in &all {
            html.element("li").inside(|html| {
                html.element("strong").text(name);
                html.text(": ");
                prose(html, sentence);
            });
        }
    });
    Told::default()
}
