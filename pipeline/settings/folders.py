"""Settings in mounted ConfigMaps and Secrets, whose change a running process sees.

Kubernetes never changes the environment of a process, but it updates mounted files within about a minute.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

Content = Mapping[Path, str]
"""The files in the folders, and what they contain."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def folders(value: str) -> tuple[Path, ...]:
    """Parse paths, separated by colons."""
    return tuple(Path(path) for path in value.split(":") if path)


def read_folders(environ: Mapping[str, str]) -> Content:
    """Return the content of the folders that `SETTINGS_PATH` names. A folder that cannot be read is empty."""
    return dict(file for folder in folders(environ.get("SETTINGS_PATH", "")) for file in _files(folder))


def settings_in(content: Content) -> dict[str, str]:
    """Return the settings: the files that are named like an environment variable. The first folder wins."""
    named = [(path.name, text.rstrip("\r\n")) for path, text in content.items() if _NAME.fullmatch(path.name)]
    return dict(reversed(named))


def complete(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* and the settings in its folders. The environment wins."""
    return {**settings_in(read_folders(environ)), **{name: value for name, value in environ.items() if value}}


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    try:
        # A mounted ConfigMap has entries that start with a dot, which Kubernetes uses to update it atomically.
        for file in sorted(folder.iterdir()):
            if not file.name.startswith(".") and file.is_file():
                yield file, file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
