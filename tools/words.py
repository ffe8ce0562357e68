"""`python -m tools.words [PATH...]`: report words that docs, code and comments avoid, with the word to use instead.

The words are in `tools/words.toml`. A line of output is `file:line: "WORD" → use "OTHER WORD"`. The exit
status is 1 if there is one, or if documentation or docstrings have too many semicolons.
"""

import ast
import fnmatch
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

WORDS = Path(__file__).with_suffix(".toml")
SEMICOLONS_LIMIT = 3.0
"""Semicolons per 1,000 words at which the check fails."""

_STRINGS = ("STRING", "FSTRING_MIDDLE")
_CODE_IN_PROSE = re.compile(r"```.*?```|``.*?``|`[^`\n]*`|\]\([^)\s]*\)|https?://[^\s)>\]]*|<!--.*?-->", re.DOTALL)
_INDENTED = re.compile(r"^(?: {4}|\t).*$", re.MULTILINE)
_HASH_COMMENT = re.compile(r"(?:^|(?<=\s))#+ .*$|^#!.*$", re.MULTILINE)
_CURLY = re.compile(
    r"""(?P<prose>//[^\n]*|/\*.*?\*/)|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)
    |\b(?:const|let|var|function|class|func|type)\s+(?P<name>[\w$]+)""",
    re.DOTALL | re.VERBOSE,
)
_HTML = re.compile(r"(?<=>)[^<>]+(?=<)")
_WORD = re.compile(r"[^\W\d_][\w'-]*")


class Piece(NamedTuple):
    """A part of a file: its kind, as `tools/words.toml` explains it, and the line that it starts at."""

    kind: str
    line: int
    text: str


class Rule(NamedTuple):
    """A pattern to avoid, the words to use, and the kinds of piece that it applies to."""

    pattern: re.Pattern[str]
    use: str
    where: frozenset[str]


class Finding(NamedTuple):
    """A match of a rule."""

    path: str
    line: int
    match: str
    use: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.match}" → use {self.use}'


class Exemption(NamedTuple):
    """Matches of *pattern* in files that match *path* that are right where they are."""

    path: str
    pattern: re.Pattern[str]


def load(text: str) -> tuple[list[Rule], list[Exemption]]:
    """Parse the word list. Raises KeyError if an exemption has no reason."""
    data: dict[str, list[dict[str, Any]]] = tomllib.loads(text)
    rules = [Rule(_compile(row["pattern"]), row["use"], frozenset(row["where"])) for row in data["word"]]
    return rules, [Exemption(row["path"], _compile(row["pattern"])) for row in data["exempt"] if row["reason"].strip()]


def _compile(pattern: str) -> re.Pattern[str]:
    """Make a space match any white space, so that a phrase is found across lines, also of a `/* … */` comment."""
    spaced = pattern.replace(" ", r"\s+(?:\*\s+)?")
    return re.compile(rf"(?<!\w)(?:{spaced})(?!\w)", re.IGNORECASE)


def pieces(path: str, text: str) -> Iterator[Piece]:
    """Split a file into its pieces, by its suffix. A file of an unknown type has none."""
    suffix = Path(path).suffix
    if suffix == ".md":
        code = [match.span() for pattern in (_INDENTED, _CODE_IN_PROSE) for match in pattern.finditer(text)]
        yield Piece("documentation", 1, _only(text, _complement(code, len(text))))
        yield Piece("code", 1, _only(text, code))
    elif suffix == ".py":
        yield from _python(text)
    elif suffix in {".js", ".css", ".go"}:
        yield Piece("prose", 1, _only(text, [m.span() for m in _CURLY.finditer(text) if m["prose"]]))
        for match in _CURLY.finditer(text):
            if match["string"]:
                yield Piece("string", _line(text, match.start()), match["string"])
            elif match["name"]:
                yield Piece("names", _line(text, match.start()), spelled(match["name"]))
    elif suffix == ".html":
        yield Piece("prose", 1, _only(text, [match.span() for match in _HTML.finditer(text)]))
    elif suffix in {".yaml", ".toml", ".in", ".sh", ""}:
        yield Piece("prose", 1, _only(text, [match.span() for match in _HASH_COMMENT.finditer(text)]))


def _python(text: str) -> Iterator[Piece]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    docstrings = set[tuple[int, int]]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.add((node.lineno, len(text[starts[node.lineno - 1] :].encode()[: node.col_offset].decode())))
        yield from _defined(node)
    comments: list[tuple[int, int]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            begin = starts[token.start[0] - 1] + token.start[1]
            comments.append((begin + 1, begin + len(token.string)))
        elif tokenize.tok_name[token.type] in _STRINGS:
            kind = "docstring" if token.start in docstrings else "string"
            yield Piece(kind, token.start[0], token.string.lstrip("rRbBfFuU").strip("'\""))
    yield Piece("prose", 1, _only(text, comments))


def _defined(node: ast.AST) -> Iterator[Piece]:
    """Yield the names that a node gives to something: functions, classes, arguments, variables, attributes."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield Piece("names", node.lineno, spelled(name))
            if isinstance(node, ast.ClassDef):
                yield Piece("class", node.lineno, name)
            if name.startswith("test_"):
                yield Piece("prose", node.lineno, spelled(name))
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield Piece("names", node.lineno, spelled(name))


def spelled(name: str) -> str:
    """Spell a name as words: `RETRY_AFTER_MOST` and `retryAfterMost` are both `retry after most`."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_$").split("_"))


def _only(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Replace all but *spans* of the text by spaces, and keep its lines."""
    kept = bytearray(len(text))
    for begin, end in spans:
        kept[begin:end] = b"\1" * (end - begin)
    return "".join(char if keep or char == "\n" else " " for char, keep in zip(text, kept, strict=True))


def _complement(spans: Iterable[tuple[int, int]], end: int) -> Iterator[tuple[int, int]]:
    at = 0
    for begin, stop in sorted(spans):
        yield at, max(at, begin)
        at = max(at, stop)
    yield at, end


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def findings(path: str, parts: Iterable[Piece], rules: list[Rule], exemptions: list[Exemption]) -> Iterator[Finding]:
    """Yield the matches of *rules* in a file's pieces, without those that are exempt."""
    exempt = [exemption.pattern for exemption in exemptions if fnmatch.fnmatch(path, exemption.path)]
    for kind, line, text in parts:
        for rule in rules:
            if kind in rule.where:
                for match in rule.pattern.finditer(text):
                    shown = " ".join(word for word in match[0].split() if word != "*")
                    if not any(pattern.fullmatch(shown) for pattern in exempt):
                        yield Finding(path, line + _line(text, match.start()) - 1, shown, rule.use)


def semicolons(texts: Iterable[str]) -> float:
    """Return the semicolons per 1,000 words of prose. Code in backticks does not count."""
    plain = [_CODE_IN_PROSE.sub(" ", text) for text in texts]
    words = sum(len(_WORD.findall(text)) for text in plain)
    return 1000 * sum(text.count(";") for text in plain) / max(words, 1)


def main(paths: list[str]) -> int:
    """Print the findings in *paths*, by default in the whole repository. Return the exit status."""
    rules, exemptions = load(WORDS.read_text(encoding="utf-8"))
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *paths], capture_output=True, text=True, check=True
    )
    files = {
        path: list(pieces(path, Path(path).read_text("utf-8"))) for path in listed.stdout.split() if _is_ours(path)
    }
    reports = sorted({finding for path, parts in files.items() for finding in findings(path, parts, rules, exemptions)})
    sys.stdout.writelines(f"{report}\n" for report in reports)
    rates = {
        kind: semicolons(piece.text for parts in files.values() for piece in parts if piece.kind == kind)
        for kind in ("documentation", "docstring")
    }
    sys.stdout.writelines(f"{rate:.1f} semicolons per 1,000 words of {kind}\n" for kind, rate in rates.items())
    return int(bool(reports) or max(rates.values()) >= SEMICOLONS_LIMIT)


def _is_ours(path: str) -> bool:
    """Return whether a listed path is a text file that still exists."""
    return Path(path).is_file() and Path(path).suffix in {*".md .py .js .css .go .html .yaml .toml .in .sh".split(), ""}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
