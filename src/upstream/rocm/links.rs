//! The `<a href>` listing of a plain web server, such as a mirror.

use percent_encoding::percent_decode_str;
use scraper::{Html, Selector};
use url::Url;

use super::page::{Listed, beside, text_of};

/// The tarballs that the page links to, relative to it or not. What the link shows is not looked at: servers cut long
/// names there. Times and sizes are not read: every server writes them differently.
pub(super) fn files(document: &Html, url: &Url) -> Vec<Listed> {
    let Ok(selector) = Selector::parse("a[href]") else { return Vec::new() };
    document.select(&selector).filter_map(|element| link(element.value().attr("href")?, url)).collect()
}

/// Whether the page is a listing, if one without any tarball: nginx, Apache and Python say so in the title.
pub(super) fn is_listing(document: &Html) -> bool {
    text_of(document, "title")
        .is_some_and(|title| ["Index of", "Directory listing for"].iter().any(|begin| title.starts_with(begin)))
}

fn link(href: &str, url: &Url) -> Option<Listed> {
    let target = url.join(href).ok().filter(|target| matches!(target.scheme(), "http" | "https"))?;
    let name = percent_decode_str(target.path_segments()?.next_back()?).decode_utf8().ok()?.into_owned();
    if !name.ends_with(".tar.gz") {
        return None;
    }
    Some(Listed { url: beside(&target, &name)?, name, mtime: None, size: None })
}

#[cfg(test)]
mod tests {
    use super::super::page::parse;

    fn urls(page: &str) -> Vec<String> {
        let page = parse(page.as_bytes(), &"https://index.example/tarball/?C=M".parse().unwrap()).unwrap();
        assert_eq!(page.next, None);
        page.files.into_iter().map(|file| file.url.into()).collect()
    }

    #[test]
    fn links_are_found_however_they_are_written() {
        for (href, expected) in [
            ("a-1.tar.gz", "https://index.example/tarball/a-1.tar.gz"),
            ("./a-1.tar.gz", "https://index.example/tarball/a-1.tar.gz"),
            ("/other/a-1.tar.gz", "https://index.example/other/a-1.tar.gz"),
            ("//cdn.example/a-1.tar.gz", "https://cdn.example/a-1.tar.gz"),
            ("https://cdn.example/x/a-1.tar.gz", "https://cdn.example/x/a-1.tar.gz"),
            ("a+b.tar.gz", "https://index.example/tarball/a%2Bb.tar.gz"),
            ("a%2Bb.tar.gz", "https://index.example/tarball/a%2Bb.tar.gz"),
            ("a&#43;b.tar.gz", "https://index.example/tarball/a%2Bb.tar.gz"),
            ("a%2bb.tar.gz?C=M&amp;O=D#top", "https://index.example/tarball/a%2Bb.tar.gz"),
        ] {
            assert_eq!(urls(&format!("<a href=\"{href}\">a-1..&gt;</a>")), [expected], "{href}");
        }
    }

    #[test]
    fn other_links_are_passed_over() {
        for href in ["../", "?C=N;O=D", "x.tar.gz.sig", "a%2Fb.tar.gz", "%ff.tar.gz", "ftp://h/a.tar.gz", "https://["] {
            let page = format!("<a href=\"{href}\">x</a><a name=x>y</a><a href='a.tar.gz'>z</a>");
            assert_eq!(urls(&page), ["https://index.example/tarball/a.tar.gz"], "{href}");
        }
    }

    #[test]
    fn a_listing_may_be_empty() {
        for title in ["Index of /tarball/", "Directory listing for /"] {
            assert!(urls(&format!("<title>{title}</title><h1>x</h1><a href=\"../\">../</a>")).is_empty());
        }
    }
}
