//! The page of `strixlock report`: one HTML file about a project, for people to look at and to hand on.
//!
//! A pure function of the facts that it is given: the same facts give the same bytes. It loads nothing, says so in a
//! policy that the browser keeps (`policy`), and is complete without its script: each drawing stands beside a table.
//! Text from outside goes through [`html::Html`], which escapes it. Paths of this machine are not on it.
//!
//! * `facts`: what the page shows; a part that is missing says why
//! * `html`, `table`, `prose`, `policy`: the means
//! * `summary`, `pins`, `generations`, `speeds`, `runtime`, `graph`, `evidence`, `unverified`: a section each
//! * `chart`: speeds with their noise, drawn

mod chart;
mod evidence;
mod facts;
mod generations;
mod graph;
mod html;
mod pins;
mod policy;
mod prose;
mod runtime;
mod speeds;
mod summary;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unverified;

use html::Html;

pub use facts::{Deadline, Facts, FailedCheck, GenerationFacts, Locked, Part, Verdict};
pub use runtime::RuntimeFacts;

/// The text by which a page of ours is known.
const GENERATOR: &str = "strixlock report";

/// A page.
#[derive(Debug)]
pub struct Page {
    /// The text of the file.
    pub html: String,
    /// Its sections, in order.
    pub sections: Vec<Section>,
}

/// A section of the page.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Section {
    /// The id, by which links lead to it.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// The reason for which the section is empty, if it is.
    pub missing: Option<String>,
    /// Things that the section leaves out, with the reason.
    pub passed_over: Vec<String>,
}

/// The outcome of writing a section.
#[derive(Debug, Default)]
struct Told {
    missing: Option<String>,
    passed_over: Vec<String>,
}

impl Told {
    /// Returns the outcome of a section that has nothing to show.
    fn missing(why: impl Into<String>) -> Self {
        Self { missing: Some(why.into()), passed_over: Vec::new() }
    }
}

/// A section before it is written.
struct Plan {
    id: &'static str,
    title: &'static str,
    /// The question that it answers.
    about: &'static str,
    write: fn(&Facts, &mut Html) -> Told,
}

const SECTIONS: [Plan; 7] = [
    Plan {
        id: "pins",
        title: "Pins",
        about: "What is locked, how old it is, and until when upstream keeps it.",
        write: pins::write,
    },
    Plan {
        id: "generations",
        title: "Generations",
        about: "Every set of outputs that was switched to, what it changed, and the verdict of its validation.",
        write: generations::write,
    },
    Plan {
        id: "speed",
        title: "Speed",
        about: "Tokens per second of each validated generation. The band is the noise of the measurement: a change within it \
                means nothing.",
        write: speeds::write,
    },
    Plan {
        id: "runtime",
        title: "Runtime",
        about: "The files of ROCm that the programs need. The area is the size, the colour is the reason.",
        write: runtime::write,
    },
    Plan { id: "graph", title: "From inputs to outputs", about: "What is made from what.", write: graph::write },
    Plan {
        id: "evidence",
        title: "Evidence",
        about: "How sure each thing is, and the commands by which anybody repeats it. What they must print stands behind #.",
        write: evidence::write,
    },
    Plan {
        id: "unverified",
        title: "Not verified",
        about: "What nobody checks, in plain words.",
        write: unverified::write,
    },
];

/// Makes the page.
#[must_use]
pub fn page(facts: &Facts) -> Page {
    let mut sections = Vec::new();
    let mut body = Html::default();
    for plan in &SECTIONS {
        let mut inner = Html::default();
        let Told { missing, passed_over } = (plan.write)(facts, &mut inner);
        body.element("section").attribute("id", plan.id).inside(|html| {
            html.element("h2").text(plan.title);
            html.element("p").class("about").text(plan.about);
            if let Some(why) = &missing {
                html.element("p").class("missing").text(why);
            }
            html.add(&inner);
            for note in &passed_over {
                html.element("p").class("note").text(format!("Not shown: {note}."));
            }
        });
        sections.push(Section { id: plan.id, title: plan.title, missing, passed_over });
    }
    let mut html = Html::default();
    html.own("<!DOCTYPE html>\n");
    html.element("html").attribute("lang", "en").inside(|html| {
        html.element("head").inside(|html| head(facts, html));
        html.own("\n");
        html.element("body").inside(|html| {
            html.element("header").inside(|html| summary::write(facts, html));
            html.element("nav").attribute("aria-label", "Sections").inside(|html| {
                for plan in &SECTIONS {
                    html.element("a").link(&html::Address::Here(plan.id.to_owned())).text(plan.title);
                }
            });
            html.element("main").inside(|html| html.add(&body));
            html.element("footer").text(format!(
                "Written by strixlock {} (strixlock report). This page loads nothing and sends nothing; times are UTC.",
                env!("CARGO_PKG_VERSION")
            ));
            policy::script(html);
        });
    });
    html.own("\n");
    Page { html: html.finish(), sections }
}

fn head(facts: &Facts, html: &mut Html) {
    html.element("meta").attribute("charset", "utf-8").alone();
    policy::policy(html);
    for (name, content) in [
        ("generator", GENERATOR),
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
    ] {
        html.element("meta").attribute("name", name).attribute("content", content).alone();
    }
    html.element("title").text(format!("{}: strixlock report", facts.project));
    policy::style(html);
}

/// Returns true for a page that this program wrote.
#[must_use]
pub fn is_page(text: &str) -> bool {
    text.contains(&format!("<meta name=\"generator\" content=\"{GENERATOR}\"/>"))
}
