"""JSONPath templates in kubectl's dialect: `{range .items[*]}{.metadata.name}{"\\n"}{end}`. Pure.

Text outside of braces stands for itself. Inside are fields (`.a`, `['a','b']`), all of them (`*`), those at any depth
(`..a`), elements and slices (`[0]`, `[-1]`, `[1:3]`), filters (`[?(@.type=="Ready")]`), quoted text, and `range … end`.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<deep>\.\.(?:\*|[\w-]*))
  | \.(?P<field>\*|(?:\\.|[\w\-/@])+)
  | \[\?\((?P<filter>.*?)\)\]
  | \[(?P<names>\s*(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*\s*)\]
  | \[(?P<slice>\s*-?\d*\s*(?::\s*-?\d*\s*){0,2}|\*)\]
  | \[(?P<indexes>\s*-?\d+(?:\s*,\s*-?\d+)+\s*)\]
  | (?P<root>[$@]|\.(?=$|\s))
    )""",
    re.VERBOSE,
)
_COMPARISON = re.compile(r"(?P<path>@.*?)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.+)")

Step = Callable[[Any], Iterator[Any]]


class Text(NamedTuple):
    """Text that stands for itself."""

    text: str


class Path(NamedTuple):
    """An expression: the way from an object to values."""

    steps: tuple[tuple[str, Step], ...]
    """The label of each step in messages, and the step."""


class Range(NamedTuple):
    """A part that is repeated for each value of a path."""

    path: Path
    body: tuple["Node", ...]


Node = Text | Path | Range


def parse(template: str) -> tuple[Node, ...]:
    """Return the parts of *template*. Raises ValueError."""
    if not template.lstrip().startswith("{") and re.match(r"[.$\[]", template.strip()):
        template = f"{{{template.strip()}}}"  # `-o jsonpath=.items` without braces
    tokens = list(_split(template))
    nodes = _nodes(tokens, nested=False)
    return tuple(nodes)


def render(template: tuple[Node, ...], document: Any, allows_missing: bool = True) -> str:
    """Return the text of *template* for *document*.

    Raises LookupError if it names a field that does not exist, unless *allows_missing*.
    """
    parts = []
    for node in template:
        if isinstance(node, Text):
            parts.append(node.text)
        elif isinstance(node, Range):
            parts += [
                render(node.body, value, allows_missing) for value in _values(node.path, document, allows_missing)
            ]
        else:
            parts.append(" ".join(_printed(value) for value in _values(node, document, allows_missing)))
    return "".join(parts)


def as_json(template: tuple[Node, ...], document: Any, allows_missing: bool = True) -> str:
    """Return the values of the paths of *template* as a JSON list. Raises like `render`."""
    values = [value for node in template if isinstance(node, Path) for value in _values(node, document, allows_missing)]
    return json.dumps(values, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _split(template: str) -> Iterator[tuple[str, str]]:
    """Yield `text` and `expression` parts."""
    position = 0
    for match in re.finditer(r"""\{((?:[^{}"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)\}""", template):
        if match.start() > position:
            yield "text", template[position : match.start()]
        yield "expression", match[1].strip()
        position = match.end()
    rest = template[position:]
    if "{" in rest:
        raise ValueError("unclosed action")
    if rest:
        yield "text", rest


def _nodes(tokens: list[tuple[str, str]], nested: bool) -> list[Node]:
    """Take the tokens up to the end of a range, or all of them."""
    nodes: list[Node] = []
    while tokens:
        kind, text = tokens.pop(0)
        if kind == "text":
            nodes.append(Text(text))
        elif text == "end":
            if not nested:
                raise ValueError("not in range, nothing to end")
            return nodes
        elif text == "range" or text.startswith("range "):
            path = _path(text.removeprefix("range").strip())
            nodes.append(Range(path, tuple(_nodes(tokens, nested=True))))
        elif text[:1] in ("'", '"'):
            nodes.append(Text(_unquoted(text)))
        else:
            nodes.append(_path(text))
    if nested:
        raise ValueError("unclosed range: {end} is missing")
    return nodes


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(f'"{text[1:-1]}"' if text[0] == "'" else text))
    except ValueError as error:
        raise ValueError(f"unterminated quoted string {text}") from error


def _path(text: str) -> Path:
    steps: list[tuple[str, Step]] = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if not match or match.end() == position:
            raise ValueError(f"unrecognized character in action: {text[position:]}")
        position = match.end()
        name = str(match.lastgroup)
        if name != "root":
            steps.append((match[0].strip(), _step(name, match[name])))
    return Path(tuple(steps))


def _step(name: str, text: str) -> Step:
    if name == "deep":
        return _deep(text[2:] or "*")
    if name == "field":
        return _children if text == "*" else _field(re.sub(r"\\(.)", r"\1", text))
    if name == "filter":
        return _filter(text)
    if name == "names":
        return _union([_field(quoted[1:-1]) for quoted in re.findall(r"'[^']*'|\"[^\"]*\"", text)])
    if name == "indexes":
        return _union([_slice(index) for index in text.split(",")])
    return _children if text.strip() in ("*", "") else _slice(text)


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _deep(name: str) -> Step:
    pick = _children if name == "*" else _field(name)

    def step(value: Any) -> Iterator[Any]:
        yield from pick(value)
        for child in _children(value):
            yield from step(child)

    return step


def _union(steps: list[Step]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        for one in steps:
            yield from one(value)

    return step


def _slice(text: str) -> Step:
    numbers = [int(part) if part.strip() else None for part in text.split(":")]

    def step(value: Any) -> Iterator[Any]:
        if not isinstance(value, list):
            return
        if len(numbers) > 1:
            yield from value[slice(*numbers)]
        elif numbers[0] is not None and -len(value) <= numbers[0] < len(value):
            yield value[numbers[0]]

    return step


def _filter(text: str) -> Step:
    match = _COMPARISON.fullmatch(text.strip())
    path = _path(match["path"] if match else text.strip())
    expected = _literal(match["value"].strip()) if match else None
    operator = match["operator"] if match else ""

    def step(value: Any) -> Iterator[Any]:
        for child in _children(value):
            values = list(_follow(path, child))
            if any(_holds(item, operator, expected) for item in values) if operator else bool(values):
                yield child

    return step


def _literal(text: str) -> Any:
    if text[:1] in ("'", '"'):
        return _unquoted(text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"unrecognized character in filter: {text}") from error


def _holds(value: Any, operator: str, expected: Any) -> bool:
    if operator in ("==", "!="):
        return bool(value == expected) is (operator == "==")
    try:
        below, above = bool(value < expected), bool(value > expected)
    except TypeError:
        return False
    return {"<": below, "<=": not above, ">": above, ">=": not below}[operator]


def _follow(path: Path, value: Any) -> Iterator[Any]:
    values = iter([value])
    for _, step in path.steps:
        values = (result for item in list(values) for result in step(item))
    return values


def _values(path: Path, document: Any, allows_missing: bool) -> list[Any]:
    values = [document]
    for label, step in path.steps:
        results = [result for item in values for result in step(item)]
        if not results and values and not allows_missing and re.fullmatch(r"\.(?:\\.|[\w\-/@])+", label):
            raise LookupError(f"{label[1:]} is not found")
        values = results
    return values


def _printed(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
