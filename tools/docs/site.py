"""Faults of a built site: broken links and anchors, parts from other hosts, pages that the search does not find."""

import json
import re
import urllib.parse
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("video", "src")}
"""Attributes whose address a browser loads with the page."""

_NOT_LOADED = {"canonical", "alternate", "next", "prev", "edit"}
"""Relations of a `<link>` that a browser does not load."""

_IMPORTED = re.compile(r"""(?:@import\s*|url\()\s*["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """The anchors of a page, the addresses that it links to, and those that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors = set[str]()
        self.links = list[str]()
        self.loaded = list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the element's addresses and its anchor."""
        values = {name: value for name, value in attrs if value}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in _NOT_LOADED:
            return
        self.loaded += [values[name] for element, name in _LOADED if element == tag and name in values]


def faults(site: Path, documents: Path) -> list[str]:
    """Return what is wrong with *site*, which was built from the Markdown files in *documents*."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    problems = [
        f"{file.relative_to(site)}: {fault}"
        for file, page in pages.items()
        for fault in (*_broken(file, page, pages, site), *_foreign(page))
    ]
    for style in sorted(site.rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        problems += [f"{style.relative_to(site)}: loads {match[1]}" for match in _IMPORTED.finditer(text)]
    return [*problems, *_not_found(site, documents)]


def _broken(file: Path, page: Page, pages: dict[Path, Page], site: Path) -> Iterator[str]:
    """Yield the links of a page, and the addresses that it loads, that lead nowhere."""
    for address in dict.fromkeys([*page.links, *page.loaded]):
        path, _, anchor = urllib.parse.unquote(address).partition("#")
        path = path.partition("?")[0]
        if re.match(r"[a-z]+:|//", address):
            continue
        target = file if not path else (site / path[1:] if path.startswith("/") else file.parent / path).resolve()
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            yield f"{address} leads nowhere"
        elif anchor and target in pages and anchor not in pages[target].anchors:
            yield f"{address}: {target.name} has no such anchor"


def _foreign(page: Page) -> Iterator[str]:
    """Yield the addresses of other hosts that a page loads."""
    yield from (f"loads {address}" for address in page.loaded if re.match(r"(?:https?:)?//", address))


def _not_found(site: Path, documents: Path) -> Iterator[str]:
    """Yield the documents that the search does not know."""
    items = json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]
    known = {item["location"].partition("#")[0] for item in items}
    for document in sorted(documents.rglob("*.md")):
        page = document.relative_to(documents).with_suffix(".html")
        if page.name == "README.html":
            page = page.with_name("index.html")
        if page.as_posix() not in known:
            yield f"{page}: the search does not find it"
