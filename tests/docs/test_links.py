"""Each link between Markdown files leads to a file that exists and, with an anchor, to a heading that exists."""

import re
import urllib.parse
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)

LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^ {0,3}\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"|\bid=\"([^\"]+)\"")


def prose(text: str) -> str:
    """Return Markdown without its code: fenced, indented and inline."""
    text = re.sub(r"^( {0,3})(`{3,}|~{3,}).*?^ {0,3}\2[`~]*[ \t]*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<=\n\n)(?: {4}.*\n|\n)+", "\n", text)


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives *heading*: letters, digits, `-` and `_` of its text, in lower case."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # a link's text
    text = re.sub(r"<[^>]+>", "", text)
    text = re.sub(r"(?<!\w)[*_]+(?=\S)|(?<=\S)[*_]+(?!\w)", "", text) if "`" not in text else text.replace("*", "")
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a document: of its headings, with `-1`, `-2` … for repeated ones, and of its HTML."""
    names: set[str] = {name for pair in ANCHOR.findall(text) for name in pair if name}
    seen: dict[str, int] = {}
    for heading in HEADING.findall(prose(text)):
        anchor = slug(heading)
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        names.add(f"{anchor}-{count}" if count else anchor)
    return names


def broken_links(document: Path) -> list[str]:
    """Return what is wrong with each link of *document* that leads nowhere, with its line."""
    broken = []
    text = document.read_text(encoding="utf-8")
    without_code = re.sub(r"`[^`\n]*`", lambda code: " " * len(code[0]), text)
    for match in LINK.finditer(without_code):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = urllib.parse.unquote(target).partition("#")
        file = document.parent / path if path else document
        line = text.count("\n", 0, match.start()) + 1
        if not file.exists():
            broken.append(f"{document}:{line}: {target}: there is no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            broken.append(f"{document}:{line}: {target}: {file.name} has no such heading")
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(document: Path) -> None:
    assert broken_links(document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_has_the_targets_that_documents_name(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    named = re.findall(
        r"(?:^ {4}|`)(?:[A-Z_]+=\S+ )*make ([a-z0-9]+)", document.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert set(named) <= targets


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Install", "install"),
        ("The same with kn", "the-same-with-kn"),
        ("What's new?", "whats-new"),
        ("`make demo`, in a container", "make-demo-in-a-container"),
        ("SINK_RESEND and `K_SINK`", "sink_resend-and-k_sink"),
        ("A *very* **bold** [link](x.md)", "a-very-bold-link"),
        ("Zürich & Genève", "zürich--genève"),
        ("1.2.3 (2026-01-01)", "123-2026-01-01"),
    ],
)
def test_slugs_are_githubs(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


def test_repeated_headings_are_numbered_and_code_has_none() -> None:
    text = "# A\n\n## B\n\n## B\n\n```\n# C\n```\n\n    # D\n\nE\n"

    assert anchors(text) == {"a", "b", "b-1"}


def test_broken_link_is_reported_with_its_line(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# A\n\n[a](#a) [b](#b)\n[c](c.md) `[d](d.md)` [e](https://example.com/#e)\n")

    assert broken_links(document) == [
        f"{document}:3: #b: a.md has no such heading",
        f"{document}:4: c.md: there is no such file",
    ]
