"""`python -m tools.measure`: figures of the code. `tests/test_architecture.py` has their limits.

A finding is one line, `file:line: name: figure`.
"""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MAX_FUNCTION_LINES = 40
MAX_ATTRIBUTES = 10
MAX_TEST_NAME = 60
CLAUSES = re.compile(r"(What|How|Whether|Who)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path = ROOT) -> dict[str, ast.Module]:
    """Return the parsed Python files that git knows, by path."""
    files = subprocess.run(["git", "ls-files", "*.py"], cwd=root, capture_output=True, text=True, check=True).stdout
    return {
        name: ast.parse((root / name).read_text(encoding="utf-8")) for name in files.split() if (root / name).exists()
    }


def functions(modules: Mapping[str, ast.Module]) -> Iterator[tuple[str, Function]]:
    """Yield each function and method, with its file."""
    for file, module in modules.items():
        for node in ast.walk(module):
            if isinstance(node, Function):
                yield file, node


def function_lines(function: Function) -> int:
    """Return the number of lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def long_functions(modules: Mapping[str, ast.Module]) -> list[str]:
    """Return the functions with more than `MAX_FUNCTION_LINES` lines."""
    return [
        f"{file}:{function.lineno}: {function.name}: {function_lines(function)} lines"
        for file, function in functions(modules)
        if function_lines(function) > MAX_FUNCTION_LINES
    ]


def large_classes(modules: Mapping[str, ast.Module]) -> list[str]:
    """Return the classes with more than `MAX_ATTRIBUTES` attributes.

    Attributes are those that methods assign to `self`. Fields of dataclasses and NamedTuples do not count: a record of
    settings lists variables, and a plain record has no state to lose track of.
    """
    return [
        f"{file}:{node.lineno}: {node.name}: {len(names)} attributes ({', '.join(sorted(names))})"
        for file, module in modules.items()
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and len(names := assigned_attributes(node)) > MAX_ATTRIBUTES
    ]


def assigned_attributes(node: ast.ClassDef) -> set[str]:
    """Return the names that the methods of a class assign to `self`."""
    return {
        target.attr
        for method in node.body
        if isinstance(method, Function)
        for target in ast.walk(method)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    }


def docstrings(modules: Mapping[str, ast.Module]) -> Iterator[tuple[str, int, str]]:
    """Yield the docstrings of modules, classes, functions and attributes: file, line, text."""
    for file, module in modules.items():
        for node in ast.walk(module):
            body = getattr(node, "body", None)
            if not isinstance(body, list):
                continue
            for index, statement in enumerate(body):
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                    continue
                follows_name = index > 0 and isinstance(body[index - 1], ast.Assign | ast.AnnAssign)
                is_first = index == 0 and isinstance(node, ast.Module | ast.ClassDef | Function)
                if isinstance(statement.value.value, str) and (is_first or follows_name):
                    yield file, statement.lineno, statement.value.value.strip()


def clause_docstrings(modules: Mapping[str, ast.Module]) -> list[str]:
    """Return the docstrings that start with a clause (`CLAUSES`) in place of a verb or a noun."""
    return [f"{file}:{line}: {text.splitlines()[0]}" for file, line, text in docstrings(modules) if CLAUSES.match(text)]


def long_test_names(modules: Mapping[str, ast.Module]) -> list[str]:
    """Return the tests whose names have more than `MAX_TEST_NAME` characters."""
    return [
        f"{file}:{function.lineno}: {function.name}: {len(function.name)} characters"
        for file, function in functions(modules)
        if function.name.startswith("test_") and len(function.name) > MAX_TEST_NAME
    ]


def share(part: int, whole: int) -> str:
    """Return *part* with its percentage of *whole*."""
    return f"{part} ({100 * part / whole:.2f} %)"


def main() -> int:
    """Print the figures and the findings. Returns 0."""
    modules = sources()
    lengths = [function_lines(function) for _, function in functions(modules)]
    documented = sum(1 for _ in docstrings(modules))
    clauses = clause_docstrings(modules)
    long = long_functions(modules)
    figures = {
        "functions": f"{len(lengths)}, median {statistics.median(lengths):.0f} lines, maximum {max(lengths)}",
        f"functions over {MAX_FUNCTION_LINES} lines": share(len(long), len(lengths)),
        f"classes with more than {MAX_ATTRIBUTES} attributes": str(len(large_classes(modules))),
        "docstrings that start with What, How, Whether, Who": share(len(clauses), documented),
        f"test names over {MAX_TEST_NAME} characters": str(len(long_test_names(modules))),
    }
    lines = [f"{name}: {figure}" for name, figure in figures.items()]
    findings = [*long, *large_classes(modules), *clauses, *long_test_names(modules)]
    sys.stdout.write("\n".join([*lines, "", *findings]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
