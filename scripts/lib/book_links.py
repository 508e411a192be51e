"""Checks that every link and picture of a built book leads to a file and heading of it: book_links.py DIRECTORY."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The ids and the links of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]


def main(directory):
    pages = {path.resolve(): Page(path) for path in Path(directory).rglob("*.html")}
    # 404.html is served at any address, and print.html holds all pages once more.
    own = {path: page for path, page in pages.items() if path.name not in ("404.html", "print.html", "toc.html")}
    broken, seen = [], 0
    for path, page in own.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            seen += 1
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            there = target.is_file() or (target / "index.html").is_file()
            if there and url.fragment and target in pages:
                there = unquote(url.fragment) in pages[target].ids
            if not there:
                broken.append(f"{path.name}: {link}")
    print("\n".join(broken) or f"{len(own)} pages, {seen} links, none broken")
    return 1 if broken or not seen else 0


sys.exit(main(sys.argv[1]))
