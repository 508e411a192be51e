//! The page's style and script, and the policy that allows these two by their digests and nothing else: no address is
//! loaded, and nothing that an upstream wrote can run, even if it came past the escaping.

use super::html::Html;
use crate::digest::Sha256Digest;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Writes the policy. It must come before whatever it governs.
pub(super) fn policy(html: &mut Html) {
    let digest = |text: &str| Sha256Digest::of(text.as_bytes()).sri();
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    html.element("meta").attribute("http-equiv", "Content-Security-Policy").attribute("content", policy).alone();
}

/// Writes the style.
pub(super) fn style(html: &mut Html) {
    html.element("style").inside(|html| html.own(STYLE));
}

/// Writes the script.
pub(super) fn script(html: &mut Html) {
    html.element("script").inside(|html| html.own(SCRIPT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_do_not_end_their_elements_and_load_nothing() {
        for text in [STYLE, SCRIPT] {
            for part in ["</", "<!--", "url(", "@import", "fetch(", "XMLHttpRequest", "innerHTML", "eval("] {
                assert!(!text.contains(part), "{part}");
            }
        }
    }
}
