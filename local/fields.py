"""A manifest's values, each knowing where it stands, so that every fault names its file, object and field."""

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Field:
    """One value of an object's YAML. Reading it wrongly typed reports a fault and goes on with an empty value."""

    value: object
    path: str
    origin: str
    """The file and the object, as in "config/110-display.yaml: Service display"."""
    faults: list[str] = dataclasses.field(repr=False)

    def refuse(self, reason: str) -> None:
        """Report that this value is unusable, and why."""
        self.faults.append(f"{self.origin}: {self.path}: {reason}")

    def __bool__(self) -> bool:
        return self.value is not None

    def __getitem__(self, name: str) -> "Field":
        """The value under *name*; one of None if there is none."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Field(value, f"{self.path}.{name}" if self.path else name, self.origin, self.faults)

    def only(self, *names: str, ignored: tuple[str, ...] = ()) -> "Field":
        """This object itself, having refused every field but *names* and those *ignored* as meaning nothing here."""
        for name in self.names():
            if name not in names and name not in ignored:
                self[name].refuse("local does not support this field")
        return self

    def names(self) -> list[str]:
        """The names of an object's fields."""
        if self.value is None:
            return []
        if not isinstance(self.value, dict):
            self.refuse("is not an object")
            return []
        return [str(name) for name in self.value]

    def __iter__(self) -> Iterator["Field"]:
        """The items of a list; none if it is not set."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.refuse("is not a list")
            return
        for index, item in enumerate(self.value):
            yield Field(item, f"{self.path}[{index}]", self.origin, self.faults)

    def text(self, default: str = "", *, required: bool = False) -> str:
        """A text; *default* if it is not set."""
        if isinstance(self.value, str) and (self.value or not required):
            return self.value
        if self.value is None and not required:
            return default
        self.refuse("is missing" if self.value in (None, "") else f"is {self.value!r}, not a text; quote it")
        return default

    def texts(self) -> dict[str, str]:
        """An object of texts."""
        return {name: self[name].text() for name in self.names()}

    def number(self, default: int, least: int) -> int:
        """A whole number of *least* or more; *default* if it is not set."""
        if self.value is None:
            return default
        if isinstance(self.value, int) and not isinstance(self.value, bool) and self.value >= least:
            return self.value
        self.refuse(f"is {self.value!r}, not a whole number of {least} or more")
        return default

    def flag(self) -> bool:
        """true or false; false if it is not set."""
        if self.value not in (None, True, False):
            self.refuse(f"is {self.value!r}, not true or false")
        return self.value is True

    def one_of(self, *choices: str) -> str:
        """One of *choices*, or "" if it is not set."""
        if self.value is None:
            return ""
        if self.value not in choices:
            self.refuse(f"is {self.value!r}, not {' or '.join(choices)}")
        return str(self.value)
