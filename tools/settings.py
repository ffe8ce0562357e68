"""`python -m tools.settings` writes docs/reference/settings.md, the list of all settings.

It finds the settings by convention: each function has them in `functions/NAME.py` or `functions/NAME/settings.py`. A
settings class is a dataclass with fields made by `pipeline.settings.setting`.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import functions
from delivery.settings import CheckpointSettings, SinkSettings
from pipeline.settings import ServerSettings, Variable
from pipeline.settings.variable import REQUIRED
from runtime.settings import LimitSettings
from vsphere.settings import VCenterSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "settings.md"

SHARED = {"vCenter": VCenterSettings, "Delivery": SinkSettings}
"""Title of a section that several functions share → the settings class by which they include it."""

INTRODUCTION = """\
<!-- `make settings` writes this page from the code. -->

# Settings

Every setting is an environment variable. An empty variable counts as unset. If settings are invalid, the process lists
every error and exits.

Durations are written as `250ms`, `10s`, `5m`, `1h30m` or a number of seconds.
"""


def page() -> str:
    """Return docs/reference/settings.md."""
    sections = [
        _section("Every function", [ServerSettings, LimitSettings]),
        _section("vCenter", [VCenterSettings], "For the functions that say so."),
        _section("Delivery", [SinkSettings, CheckpointSettings], "For the functions that say so."),
    ]
    for name, module in function_settings():
        classes = settings_classes(module)
        if not classes:
            continue
        sections.append(_section(name, classes, _shared(module)))
    return "\n".join([INTRODUCTION, *sections])


def function_settings() -> Iterator[tuple[str, ModuleType]]:
    """Yield the name of each function and the module that has its settings, by name."""
    for module in pkgutil.iter_modules(functions.__path__):
        suffix = ".settings" if module.ispkg else ""
        yield module.name, importlib.import_module(f"functions.{module.name}{suffix}")


def settings_classes(module: ModuleType) -> list[type]:
    """Return the settings classes that *module* defines, in order."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and dataclasses.is_dataclass(value)]
    return [cls for cls in classes if cls.__module__ == module.__name__ and _own_variables(cls)]


def _shared(module: ModuleType) -> str:
    """Return a sentence that links the shared sections whose settings the classes of *module* include."""
    classes = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
    types = {field.type for cls in classes if dataclasses.is_dataclass(cls) for field in dataclasses.fields(cls)}
    links = [f"[{title}](#{title.lower()})" for title, cls in SHARED.items() if cls in types]
    return f"Also the settings of {' and '.join(links)}." if links else ""


def _own_variables(cls: type) -> list[Variable]:
    return [field.metadata["variable"] for field in dataclasses.fields(cls) if "variable" in field.metadata]


def _section(title: str, classes: list[type], note: str = "") -> str:
    tables = [f"{(cls.__doc__ or '').partition(chr(10))[0]}\n\n{_table(_own_variables(cls))}" for cls in classes]
    return "\n".join([f"## {title}\n", *([f"{note}\n"] if note else []), *tables])


def _table(variables: list[Variable]) -> str:
    lines = ["| variable | meaning | default | example |", "|---|---|---|---|"]
    for variable in variables:
        cells = [f"`{variable.name}`", variable.meaning, _default(variable), f"`{variable.example}`"]
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join([*lines, ""])


def _default(variable: Variable) -> str:
    if variable.default is REQUIRED:
        return "required"
    return f"`{variable.default}`" if variable.default else variable.unset


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
