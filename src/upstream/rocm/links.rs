//! The `<a href>` listing of a plain web server, such as a mirror.

use percent_encoding::percent_decode_str;
use url::Url;

use super::page::{Listed, Page, beside};

/// Returns whether a link may lead to a tarball, or to a file with a misspelt tarball name.
pub(super) fn may_be_file(href: &[u8]) -> bool {
    const LONGEST: usize = 4096;
    let has = |part: &[u8]| href.windows(part.len()).any(|window| window == part);
    href.len() <= LONGEST && (has(b".tar") || has(b"therock"))
}

/// Returns the files that the page links to; relative links are resolved against `base`. The text of a link is ignored:
/// servers truncate long names there. Times and sizes are ignored too: every server writes them differently.
pub(super) fn files(links: &[String], base: &Url) -> Page {
    let files: Vec<Listed> = links.iter().filter_map(|href| link(href, base)).collect();
    Page { odd: links.len() - files.len(), files, next: None }
}

/// Returns whether the page is a listing, possibly an empty one: nginx, Apache and Python say so in the title.
pub(super) fn is_listing(title: &str) -> bool {
    ["Index of", "Directory listing for"].iter().any(|begin| title.trim_start().starts_with(begin))
}

fn link(href: &str, base: &Url) -> Option<Listed> {
    let target = base.join(href).ok()?;
    // A page may link to other servers; only a page from a file may link to files.
    if !matches!(target.scheme(), "http" | "https") && target.scheme() != base.scheme() {
        return None;
    }
    let name = percent_decode_str(target.path_segments()?.next_back()?).decode_utf8().ok()?.into_owned();
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
            ("a-1.tar.zst", "https://index.example/tarball/a-1.tar.zst"),
        ] {
            assert_eq!(urls(&format!("<a href=\"{href}\">a-1..&gt;</a>")), [expected], "{href}");
        }
    }

    #[test]
    fn links_are_relative_to_the_base_that_the_page_names() {
        for (base, expected) in [
            ("/other/", "https://index.example/other/a.tar.gz"),
            ("../x/page.html", "https://index.example/x/a.tar.gz"),
            ("https://cdn.example/d/", "https://cdn.example/d/a.tar.gz"),
            ("", "https://index.example/tarball/a.tar.gz"),
            // Nothing that could be asked: as if it were not there.
            ("https://[", "https://index.example/tarball/a.tar.gz"),
            ("file:///etc/", "https://index.example/tarball/a.tar.gz"),
        ] {
            let link = format!("<base href=\"{base}\"><base href='/second/'><a href='a.tar.gz'>x</a>");
            assert_eq!(urls(&link), [expected], "{base}");
            let script = format!("<base href=\"{base}\"><script>const files = [{{\"name\": \"a.tar.gz\"}}]</script>");
            assert_eq!(urls(&script), [expected], "{base}");
        }
    }

    #[test]
    fn other_links_are_passed_over() {
        for href in ["../", "?C=N;O=D", "x.txt", "a%2Fb.tar.gz", "%ff.tar.gz", "ftp://h/a.tar.gz", "https://[.tar"] {
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
