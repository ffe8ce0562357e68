"""Every block of the documentation is tested, or blocks.toml has the reason why not."""

import ast
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.support.documentation import ROOT, Block, blocks, blocks_of

PAGES = [*sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")), "README.md", "CONTRIBUTING.md"]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
COMMANDS = [block for block in BLOCKS if block.language == ""]
YAML = [block for block in BLOCKS if block.language == "yaml"]


class Entry(NamedTuple):
    """A row of blocks.toml."""

    page: str
    heading: str = ""
    contains: str = ""
    test: str = ""
    not_run: str = ""

    def selects(self, block: Block) -> bool:
        """Return whether the row is about *block*."""
        return self.page == block.page and self.heading in ("", block.heading) and self.contains in block.text


ENTRIES = [Entry(**row) for row in tomllib.loads(Path(__file__).with_name("blocks.toml").read_text())["block"]]


def test_every_block_of_commands_is_tested_or_has_a_reason() -> None:
    lacking = [
        f"{block.page}:{block.line}: {block.text.splitlines()[0]}"
        for block in COMMANDS
        if not any(entry.selects(block) for entry in ENTRIES)
    ]

    assert lacking == [], "add them to tests/docs/blocks.toml"


def test_every_entry_has_a_block_and_a_test_or_a_reason() -> None:
    assert [entry for entry in ENTRIES if not any(entry.selects(block) for block in COMMANDS)] == []
    assert [entry for entry in ENTRIES if bool(entry.test) == bool(entry.not_run.strip())] == []


def test_named_tests_exist() -> None:
    for file, _, name in {entry.test.partition("::") for entry in ENTRIES if entry.test}:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file} has no {name}"


def test_commands_are_valid_for_bash() -> None:
    """All in one process, because it only parses them."""
    functions = "\n".join(f"block_{number}() {{\n{block.text}\n}}" for number, block in enumerate(COMMANDS))

    done = subprocess.run(["bash", "-n"], input=functions, capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_blocks_have_a_language_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} <= {"", "yaml", "python", "json", "text"}


@pytest.mark.parametrize("block", YAML, ids=lambda block: f"{block.page}:{block.heading}")
def test_yaml_is_valid(block: Block) -> None:
    """`tests/docs/test_on_api_server.py` applies each manifest, too."""
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(block.text))


def test_python_is_valid() -> None:
    for block in BLOCKS:
        if block.language == "python":
            ast.parse(f"def function():\n    {block.text}" if block.text.startswith("return ") else block.text)


def test_blocks_are_read_with_heading_line_and_language() -> None:
    page = "# A\n\n    one\n    two\n\n    three\n\n## B\n\n```yaml\na: 1\n\nb: 2\n```\n\n- c\n"

    assert list(blocks("a.md", page)) == [
        Block("a.md", "A", 3, "", "one\ntwo\n"),
        Block("a.md", "A", 6, "", "three\n"),
        Block("a.md", "B", 10, "yaml", "a: 1\n\nb: 2\n"),
    ]
