"""Check the built documentation site: every link leads somewhere, and no page loads anything from another host.

    python docs/site/check_site.py FOLDER

Prints each fault and exits with 1 if there is one. Links for a reader to follow (`<a href>`) may lead outside; what a
browser loads by itself (scripts, styles, images, frames, fonts) may not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {"src", "srcset", "poster", "data", "background"}  # attributes that a browser follows by itself
OUTSIDE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
OUTSIDE_IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+)["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class Page(HTMLParser):
    """What one page links to, what it loads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in LOADING or (tag in ("link", "use", "image") and name in ("href", "xlink:href")):
                self.loads.append(value or "")
            elif name == "style":
                self.loads += OUTSIDE_IN_CSS.findall(value or "")


def faults(site: Path) -> Iterator[str]:
    """Each fault of the site as a sentence."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not there.is_file():
                yield f"{name}: the link {link!r} leads to no file"
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
                yield f"{name}: the link {link!r} names an anchor that the page does not have"
        yield from (f"{name}: loads {url!r} from another host" for url in page.loads if OUTSIDE.match(url))
    for sheet in sorted(site.rglob("*.css")):
        for url in OUTSIDE_IN_CSS.findall(sheet.read_text()):
            yield f"{sheet.relative_to(site)}: loads {url!r} from another host"
    if not pages:
        yield f"{site} has no pages"


def main(site: Path) -> int:
    """Print the faults; the number of the exit code."""
    found = list(faults(site.resolve()))
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
