"""The README says what the program does: settings, commands, links. `python -m tests.test_readme` mends the first."""

import re
from pathlib import Path

from tools.settings import CLASSES, tables

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def with_settings(text: str) -> str:
    """*text* with the tables of settings as they are now."""
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n\n{tables(CLASSES)}\n{END}{text.partition(END)[2]}"


def test_settings_are_those_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_settings(text), "run `make settings`"


def test_commands_named_in_documents_are_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in documents():
        named = set(
            re.findall(
                r"(?:^ {4}|`)(?:[A-Z_]+=\S+ )*make ([a-z0-9]+)", document.read_text(encoding="utf-8"), re.MULTILINE
            )
        )
        assert named <= targets, document


def test_links_between_documents_lead_somewhere() -> None:
    for document in documents():
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return [README, *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text(encoding="utf-8")), encoding="utf-8")
