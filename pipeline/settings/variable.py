"""Settings as dataclass fields, and the function that reads them from the environment."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pipeline.errors import SettingsError

Environ = Mapping[str, str]
T = TypeVar("T")

REQUIRED: Any = object()
"""The default of a setting that must be set."""


class Secret:
    """A credential. It prints as ***, so that no log and no error message contains it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the credential, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclasses.dataclass(frozen=True)
class Variable:
    """The description of a setting: its row in `docs/reference/settings.md`."""

    name: str
    parse: Callable[[str], Any]
    meaning: str
    """Sentences or sentence fragments in Markdown, each with a full stop."""
    example: str
    default: Any
    """As a user would write it. None if the setting may stay unset, `REQUIRED` if it must be set."""
    unset: str
    """For a setting that may stay unset: what then applies, or ""."""


def setting(
    name: str, parse: Callable[[str], Any], meaning: str, *, example: str, default: Any = REQUIRED, unset: str = ""
) -> Any:
    """Return a dataclass field that is read from the variable *name*.

    *parse* turns the text into the value, and raises ValueError with a predicate ("is not a duration"). *default* is
    text, as a user would write it. With None the setting may stay unset. The field is then None, and *unset* documents
    what applies.
    """
    variable = Variable(name, parse, meaning, example, default, unset)
    if default is REQUIRED:
        return dataclasses.field(metadata={"variable": variable})
    return dataclasses.field(
        default_factory=lambda: None if default is None else parse(default), metadata={"variable": variable}
    )


def variables(settings: type) -> list[Variable]:
    """Return the variables of a settings class in order, including those of nested settings classes."""
    result: list[Variable] = []
    for field in dataclasses.fields(settings):
        if "variable" in field.metadata:
            result.append(field.metadata["variable"])
        elif isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
            result.extend(variables(field.type))
    return result


def read(settings: type[T], environ: Environ) -> T:
    """Return an instance of the class *settings* with the values in *environ*. An empty variable counts as unset.

    A settings class may have a method `errors`, which returns the errors of values that contradict each other. Raises
    `SettingsError` with the errors of all variables, each with the variable's name and an example.
    """
    errors: list[str] = []
    value = _read(settings, environ, errors)
    if errors:
        raise SettingsError(errors)
    assert value is not None  # noqa: S101 - it is None only with an error
    return value


def _read(settings: type[T], environ: Environ, errors: list[str]) -> T | None:
    values: dict[str, Any] = {}
    errors_before = len(errors)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # every settings class is a dataclass
        variable = field.metadata.get("variable")
        if variable is None:
            if isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
                values[field.name] = _read(field.type, environ, errors)
            continue
        value = environ.get(variable.name, "").strip()
        if value:
            values[field.name] = _parse(variable, value, errors)
        elif field.default_factory is dataclasses.MISSING:
            values[field.name] = None
            errors.append(f"{variable.name} is not set. {variable.meaning} {_example(variable)}")
    instance = settings(**values)
    errors.extend(getattr(instance, "errors", list)())
    return instance if len(errors) == errors_before else None


def _parse(variable: Variable, value: str, errors: list[str]) -> Any:
    try:
        return variable.parse(value)
    except ValueError as error:
        errors.append(f"{variable.name} {error}. {_example(variable)}")
        return None


def _example(variable: Variable) -> str:
    return f"Example: {variable.name}={variable.example}"
