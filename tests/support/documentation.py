"""The blocks of code in the documentation, which tests run as readers paste them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent

_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})(?P<language>\w*)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *$")


class Block(NamedTuple):
    """A block of code: the path of its page, the heading that it is below, the line that it starts at, and its text.

    The language of an indented block is empty.
    """

    page: str
    heading: str
    line: int
    language: str
    text: str


def blocks(page: str, text: str) -> Iterator[Block]:
    """Yield the fenced and indented blocks of a Markdown page. A blank line ends an indented block."""
    heading, fence, language, start = "", "", "", 0
    body: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if fence:
            if line.strip() == fence:
                yield Block(page, heading, start, language, "\n".join(body) + "\n")
                fence, body = "", []
            else:
                body.append(line)
        elif line.startswith("    ") and line.strip():
            start = start if body else number
            body.append(line[4:])
        else:
            if body:
                yield Block(page, heading, start, "", "\n".join(body) + "\n")
                body = []
            if match := _FENCE.match(line):
                fence, language, start = match["fence"], match["language"], number
            elif match := _HEADING.match(line):
                heading = match["text"]


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page of the repository."""
    return list(blocks(page, (ROOT / page).read_text(encoding="utf-8")))


def commands(page: str, heading: str = "") -> list[str]:
    """Return the blocks of commands of a page, or of those directly below one of its headings."""
    texts = [block.text for block in blocks_of(page) if not block.language and heading in ("", block.heading)]
    assert texts, f"{page} has no commands {f'below {heading}' if heading else ''}"
    return texts


def command_with(page: str, text: str) -> str:
    """Return the only block of commands of a page that contains *text*."""
    [block] = [block for block in commands(page) if text in block]
    return block
