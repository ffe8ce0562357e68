"""The values of a manifest. Each knows its place, so that an error names file, object and field."""

import dataclasses
from collections.abc import Iterator

from pipeline.errors import cut

TOP = ("apiVersion", "kind", "metadata")
"""The fields that each object has."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One value of an object's YAML. Reading a value of the wrong type adds an error and returns an empty value."""

    value: object
    path: str
    origin: str
    """The file and the object, as in "config/110-display.yaml: Service display"."""
    errors: list[str] = dataclasses.field(repr=False)

    def reject(self, reason: str) -> None:
        """Report that this value is unusable, and why."""
        self.errors.append(f"{self.origin}: {self.path}: {reason}")

    def _shown(self) -> str:
        """Return the value as a message shows it: it may be a whole document."""
        return cut(repr(self.value), 200)

    def __bool__(self) -> bool:
        return self.value is not None

    def __getitem__(self, name: str) -> "Field":
        """Return the field *name*, with the value None if it is not set."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Field(value, f"{self.path}.{name}" if self.path else name, self.origin, self.errors)

    def only(self, *names: str, ignored: tuple[str, ...] = ()) -> "Field":
        """Return this object after rejecting all fields except *names* and *ignored*, which have no meaning here."""
        for name in self.names():
            if name not in names and name not in ignored:
                self[name].reject("local does not support this field")
        return self

    def names(self) -> list[str]:
        """Return the names of an object's fields."""
        if self.value is None:
            return []
        if not isinstance(self.value, dict):
            self.reject("is not an object")
            return []
        return [str(name) for name in self.value]

    def __iter__(self) -> Iterator["Field"]:
        """Yield the items of a list, none if it is not set."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.reject("is not a list")
            return
        for index, item in enumerate(self.value):
            yield Field(item, f"{self.path}[{index}]", self.origin, self.errors)

    def text(self, default: str = "", *, required: bool = False) -> str:
        """Return a text, or *default* if it is not set."""
        if isinstance(self.value, str) and (self.value or not required):
            return self.value
        if self.value is None and not required:
            return default
        self.reject("is missing" if self.value in (None, "") else f"is {self._shown()}, not a text; quote it")
        return default

    def texts(self) -> dict[str, str]:
        """Return an object of texts."""
        return {name: self[name].text() for name in self.names()}

    def number(self, default: int, minimum: int) -> int:
        """Return a whole number of at least *minimum*, or *default* if it is not set."""
        if self.value is None:
            return default
        if isinstance(self.value, int) and not isinstance(self.value, bool) and self.value >= minimum:
            return self.value
        self.reject(f"is {self._shown()}, not a whole number of {minimum} or more")
        return default

    def flag(self) -> bool:
        """Return true or false, false if it is not set."""
        if self.value not in (None, True, False):
            self.reject(f"is {self._shown()}, not true or false")
        return self.value is True

    def one_of(self, *choices: str) -> str:
        """Return one of *choices*, or "" if it is not set."""
        if self.value is None:
            return ""
        if self.value not in choices:
            self.reject(f"is {self._shown()}, not {' or '.join(choices)}")
        return str(self.value)
