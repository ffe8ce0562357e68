"""The check of words finds them where they stand, and nothing else."""

from pathlib import Path

import pytest

from tools import words

ROOT = Path(__file__).parent.parent.parent

RULES = """
[[word]]
pattern = 'anew'
use = '"again"'
where = ["documentation", "docstring", "prose", "string", "names"]

[[word]]
pattern = 'for good(?! reasons?)'
use = '"permanently"'
where = ["documentation", "docstring", "prose", "string"]

[[word]]
pattern = '^(?:What|How)'
use = 'a verb'
where = ["docstring"]

[[word]]
pattern = 'most'
use = 'max'
where = ["names"]

[[word]]
pattern = 'OLD_NAME'
use = 'NEW_NAME'
where = ["documentation", "code"]

[[exempt]]
path = "docs/old/*"
pattern = "anew"
reason = "A quotation."
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.md", "Make it\nanew.", ["2 anew"]),
        ("a.md", "It failed for\ngood; for good reasons.", ["1 for good"]),
        ("a.md", "`anew` and\n\n    make anew\n\n[x](anew.md)\n\n```\nanew\n```\n", []),
        ("a.md", "Set `OLD_NAME`.\n\n    export OLD_NAME=1\n", ["1 OLD_NAME", "3 OLD_NAME"]),
        ("docs/old/a.md", "Anew, and for good.", ["1 for good"]),
        ("a.py", '"""How it is."""\n\nx = "How"  # How\n', ["1 How"]),
        ("a.py", 'def f():\n    """Return it.\n\n    Anew.\n    """\n', ["4 Anew"]),
        ("a.py", "x = 1  # for\n# good\n", ["1 for good"]),
        ("a.py", "log(f'{x} is made anew')\n", ["1 anew"]),
        ("a.py", "RETRY_MOST = almost = utmost(most=1)\n", ["1 most"]),
        ("a.py", "def f(self, most):\n    self.most = mostly\n", ["1 most", "2 most"]),
        ("a.py", "def test_it_is_read_anew():\n    pass\n", ["1 anew", "1 anew"]),
        ("a.py", "class Most:\n    pass\n", ["1 most"]),
        ("a.js", "// Anew.\nconst most = 'anew';\nx = anew;", ["1 Anew", "2 anew", "2 most"]),
        ("a.js", "/* for\n * good */ x = anew;", ["1 for good"]),
        ("a.js", "/* for\n good */ x = anew;", ["1 for good"]),
        ("a.yaml", "anew: anew  # anew\ncolor: '#anew'\n", ["1 anew"]),
        ("a.html", '<p class="anew">\nanew</p>', ["2 anew"]),
        ("Makefile", "anew: ## write it anew\n", ["1 anew"]),
        ("a.jsonl", "anew", []),
    ],
)  # fmt: skip
def test_words_are_found_where_they_stand(path: str, text: str, expected: list[str]) -> None:
    rules, exemptions = words.load(RULES)
    found = words.findings(path, words.pieces(path, text), rules, exemptions)
    assert sorted(f"{finding.line} {finding.match}" for finding in found) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RETRY_AFTER_MOST", "retry after most"),
        ("retryAfterMost", "retry after most"),
        ("_private", "private"),
        ("DeadLetterStore", "dead letter store"),
    ],
)
def test_a_name_is_spelled_as_words(name: str, expected: str) -> None:
    assert words.spelled(name) == expected


def test_semicolons_in_code_do_not_count() -> None:
    assert words.semicolons(["one two; three four", "`a; b` five"]) == pytest.approx(200.0)


def test_an_exemption_needs_a_reason() -> None:
    with pytest.raises(KeyError, match="reason"):
        words.load('word = []\n[[exempt]]\npath = "*"\npattern = "x"\n')


def test_a_finding_names_file_line_and_suggestion() -> None:
    assert str(words.Finding("a.md", 3, "anew", '"again"')) == 'a.md:3: "anew" → use "again"'


def test_the_word_list_can_be_read() -> None:
    rules, exemptions = words.load(words.WORDS.read_text(encoding="utf-8"))
    assert len(rules) > 20
    assert exemptions


def test_every_exemption_is_used() -> None:
    rules, exemptions = words.load(words.WORDS.read_text(encoding="utf-8"))

    unused = [exemption.path for exemption in exemptions if not is_used(exemption, rules)]

    assert unused == []


def is_used(exemption: words.Exemption, rules: list[words.Rule]) -> bool:
    """Return whether a file has a match that the exemption allows."""
    files = [file for file in ROOT.glob(exemption.path) if file.is_file()]
    return any(
        exemption.pattern.fullmatch(finding.match)
        for file in files
        for finding in words.findings(file.name, words.pieces(file.name, file.read_text("utf-8")), rules, [])
    )
