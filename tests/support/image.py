"""The files of the image: those that `.funcignore` leaves."""

import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def image_files() -> list[str]:
    """Return the names in the project's folder that builders put into the image, in alphabetical order."""
    lines = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    names = sorted(path.name for path in ROOT.iterdir())
    return [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
