"""The documentation's site: what its check finds, and the pages that it lists."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documentation import ROOT
from tools.docs.site import faults

SETTINGS = tomllib.loads((ROOT / "tools/docs/zensical.toml").read_text())["project"]
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("functions", "delivery", "vsphere", "pipeline", "runtime")
    for path in (ROOT / folder).rglob("*.py")
)


def site(folder: Path, body: str, located: str = "a.html") -> list[str]:
    """Return the faults of a site with one page that has *body*, and that the search finds at *located*."""
    built, documents = folder / "site", folder / "docs"
    built.mkdir()
    documents.mkdir()
    (documents / "a.md").write_text("# A\n")
    (built / "a.html").write_text(f'<h1 id="a">A</h1>{body}')
    (built / "search.json").write_text(json.dumps({"items": [{"location": f"{located}#a"}]}))
    return faults(built, documents)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b.html">b</a>', "b.html leads nowhere"),
        ('<a href="a.html#b">b</a>', "a.html#b: a.html has no such anchor"),
        ('<a href="#b">b</a>', "#b: a.html has no such anchor"),
        ('<img src="b.png">', "b.png leads nowhere"),
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', "loads //fonts.example/x.css"),
    ],
)
def test_fault_is_reported_with_its_page(tmp_path: Path, body: str, fault: str) -> None:
    assert site(tmp_path, body) == [f"a.html: {fault}"]


def test_links_that_lead_somewhere_are_no_fault(tmp_path: Path) -> None:
    body = (
        '<a href="#a">a</a><a href="a.html?x#a">a</a><a href="https://example.com/#b">b</a><a href="mailto:a@b.c">m</a>'
    )

    assert site(tmp_path, body) == []


def test_style_of_another_host_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "site/search.json").write_text('{"items": []}')
    (tmp_path / "site/x.css").write_text("@import 'https://fonts.example/x.css'; a { background: url(//b.example/y) }")

    assert faults(tmp_path / "site", tmp_path / "docs") == [
        "x.css: loads https://fonts.example/x.css",
        "x.css: loads //b.example/y",
    ]


def test_page_that_the_search_lacks_is_a_fault(tmp_path: Path) -> None:
    assert site(tmp_path, "", located="b.html") == ["a.html: the search does not find it"]


def listed(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation."""
    if isinstance(nav, str):
        yield nav
    for item in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else []:
        yield from listed(item)


def test_navigation_lists_every_page_once() -> None:
    """Decisions are listed by their own index."""
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    expected = [page for page in pages if not re.match(r"decisions/\d", page)]

    assert sorted(listed(SETTINGS["nav"])) == sorted(expected), "list them in tools/docs/zensical.toml"


def test_decisions_are_listed_with_their_status() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    records = sorted(path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))

    assert re.findall(r"^\| \[\d+\]\((\S+)\) \| .+ \| .+ \|$", index, re.MULTILINE) == records


def test_log_messages_are_those_of_the_code() -> None:
    page = (ROOT / "docs/reference/log-messages.md").read_text()
    messages = re.findall(r"^\| `([^`]+)` \| (?:error|warning|info)", page, re.MULTILINE)

    assert len(messages) > 25
    assert [
        message for message in messages if message not in CODE.replace("event %s", "event").replace("Event %s", "Event")
    ] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 6 * 1024
