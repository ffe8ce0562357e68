"""What a setting is, and how settings are read: every variable parsed, every fault said at once."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pipeline.errors import SettingsError

Environ = Mapping[str, str]
T = TypeVar("T")

REQUIRED: Any = object()
"""The default of a setting that has none."""


class Secret:
    """A credential: prints as ***, so that it reaches no log and no error text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclasses.dataclass(frozen=True)
class Variable:
    """One setting's description: what README's table has in its row."""

    name: str
    parse: Callable[[str], Any]
    meaning: str
    example: str
    default: Any
    """As a user would write it; None if it may stay unset, `REQUIRED` if not."""


def setting(name: str, parse: Callable[[str], Any], meaning: str, *, example: str, default: Any = REQUIRED) -> Any:
    """A dataclass field read from the variable *name*.

    *parse* turns the text into the value and raises ValueError with what is wrong ("is not a duration"). *default* is
    given as text, as a user would write it; None means that the setting may stay unset (the field is then None).
    """
    variable = Variable(name, parse, meaning, example, default)
    if default is REQUIRED:
        return dataclasses.field(metadata={"variable": variable})
    return dataclasses.field(
        default_factory=lambda: None if default is None else parse(default), metadata={"variable": variable}
    )


def variables(settings: type) -> list[Variable]:
    """The variables of a settings class, in order, those of nested settings classes included."""
    found: list[Variable] = []
    for field in dataclasses.fields(settings):
        if "variable" in field.metadata:
            found.append(field.metadata["variable"])
        elif isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
            found.extend(variables(field.type))
    return found


def read(settings: type[T], environ: Environ) -> T:
    """*settings* as *environ* says; an empty variable counts as unset.

    Raises `SettingsError` with every fault of every variable at once, each naming the variable and an example.
    """
    faults: list[str] = []
    value = _read(settings, environ, faults)
    if faults:
        raise SettingsError(faults)
    assert value is not None  # noqa: S101 - only a fault makes it None, and none was found
    return value


def _read(settings: type[T], environ: Environ, faults: list[str]) -> T | None:
    values: dict[str, Any] = {}
    before = len(faults)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # every settings class is a dataclass
        variable = field.metadata.get("variable")
        if variable is None:
            if isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
                values[field.name] = _read(field.type, environ, faults)
            continue
        given = environ.get(variable.name, "").strip()
        if given:
            values[field.name] = _parse(variable, given, faults)
        elif field.default_factory is dataclasses.MISSING:
            values[field.name] = None
            example = f"{variable.name}={variable.example}"
            faults.append(f"{variable.name} is not set ({variable.meaning}); for example {example}")
    made = settings(**values)
    # What is wrong with values together is said along with the rest, so that one start shows every fault.
    faults.extend(getattr(made, "errors", list)())
    return made if len(faults) == before else None


def _parse(variable: Variable, given: str, faults: list[str]) -> Any:
    try:
        return variable.parse(given)
    except ValueError as error:
        faults.append(f"{variable.name} {error}; for example {variable.name}={variable.example}")
        return None
