"""Rules of structure and shape that the import checker and the linter cannot state. See `tools/measure.py`."""

import ast
import re
from collections.abc import Callable, Mapping
from functools import cache

import pytest

from tools import measure

MAX_LONG_FUNCTIONS = 0.005
"""The share of functions that may be longer than `measure.MAX_FUNCTION_LINES`."""
MAX_CLAUSE_DOCSTRINGS = 0.02
"""The share of docstrings that may start with What, How, Whether or Who."""

PRODUCT = (
    "runtime/",
    "functions/",
    "delivery/",
    "cluster/",
    "sources/",
    "pipeline/",
    "vsphere/",
    "local/",
    "demo/",
    "plugin/",
)
ENTRY_POINTS = {
    "plugin/kn_vsphere/program.py",
    "func.py",
    "launcher.py",
    "local/__main__.py",
    "local/engine.py",
    "demo/__main__.py",
}
"""The files with which a process starts. They hand the environment to `pipeline.settings`."""


@cache
def modules() -> Mapping[str, ast.Module]:
    """Return all Python files."""
    return measure.sources()


# ── imports that the import checker does not see: files outside of packages ──


def imported(module: ast.Module) -> set[str]:
    """Return the names of the modules that *module* imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_no_package_imports_an_entry_point() -> None:
    importing = [
        file
        for file, module in modules().items()
        if file.startswith((*PRODUCT, "tools/")) and imported(module) & {"func", "launcher"}
    ]

    assert importing == []


def test_nothing_imports_a_conftest() -> None:
    importing = [
        file
        for file, module in modules().items()
        if any(name.rpartition(".")[2] == "conftest" for name in imported(module))
    ]

    assert importing == []


def test_no_reaction_imports_an_http_framework() -> None:
    imports = {file: imported(module) for file, module in modules().items() if file.startswith("functions/")}
    reactions = {file: names for file, names in imports.items() if "pipeline.reaction" in names}

    assert "functions/tag.py" in reactions
    assert [file for file, names in reactions.items() if names & {"flask", "aiohttp", "werkzeug"}] == []


# ── the environment ──


def reads_the_environment(module: ast.Module) -> bool:
    """Return whether *module* names os.environ, os.getenv or a function like them."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                return True
        elif isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names}:
            return True
    return False


def test_only_entry_points_read_the_environment() -> None:
    product = {file: module for file, module in modules().items() if file.startswith(PRODUCT) or "/" not in file}

    assert {file for file, module in product.items() if reads_the_environment(module)} <= ENTRY_POINTS


@pytest.mark.parametrize("source", ["import os\nos.environ['X']", "from os import getenv", "import os\nos.getenv('X')"])
def test_reading_the_environment_is_noticed(source: str) -> None:
    assert reads_the_environment(ast.parse(source))


# ── bounds on foreign input ──

UNBOUNDED = {"CHUNK_BYTES", "LARGE_BYTES", "STORED_BYTES", "_STRING_BYTES"}
"""Names that end like a bound and are not one: a part that is read at once, a metric, a pattern."""
FOREIGN = (*PRODUCT, "delivery/", "sources/", "cluster/")


def test_bounds_are_in_one_module() -> None:
    elsewhere = [
        f"{file}: {target.id}"
        for file, module in modules().items()
        if file.startswith(FOREIGN) and not file.startswith("local/") and file != "pipeline/bounds.py"
        for statement in module.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and re.search(r"_(BYTES|CHARACTERS|DIGITS|LEVELS)$", target.id)
        if target.id not in UNBOUNDED
    ]

    assert elsewhere == []


# ── shape ──


def test_few_functions_are_long() -> None:
    long = measure.long_functions(modules())

    assert len(long) <= MAX_LONG_FUNCTIONS * len(list(measure.functions(modules()))), "\n".join(long)


def test_no_class_has_many_attributes() -> None:
    large = measure.large_classes(modules())

    assert large == [], "\n".join(large)


def test_docstrings_start_with_a_verb_or_a_noun() -> None:
    clauses = measure.clause_docstrings(modules())

    assert len(clauses) <= MAX_CLAUSE_DOCSTRINGS * len(list(measure.docstrings(modules()))), "\n".join(clauses)


def test_names_of_tests_are_short() -> None:
    long = measure.long_test_names(modules())

    assert long == [], "\n".join(long)


LARGE = "class Large:\n    def __init__(self):\n" + "".join(f"        self.a{number} = 0\n" for number in range(11))
RECORD = "@dataclass\nclass Record:\n" + "".join(f"    a{number}: int\n" for number in range(11))


@pytest.mark.parametrize(
    ("find", "source", "count"),
    [
        (measure.long_functions, "def a():\n" + "    pass\n" * 40, 1),
        (measure.long_functions, "def a():\n" + "    pass\n" * 39, 0),
        (measure.large_classes, LARGE, 1),
        (measure.large_classes, RECORD, 0),
        (measure.clause_docstrings, '"""What it is."""\nA = 1\n"""How many."""\ndef a():\n    """Whether."""', 3),
        (measure.clause_docstrings, '"""Whatever."""\nA = """What"""\n', 0),
        (measure.long_test_names, f"def test_{'a' * 56}(): pass", 1),
        (measure.long_test_names, f"def test_{'a' * 55}(): pass", 0),
    ],
)
def test_measures(find: Callable[[Mapping[str, ast.Module]], list[str]], source: str, count: int) -> None:
    assert len(find({"a.py": ast.parse(source)})) == count
