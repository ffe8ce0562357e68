"""Archives whose bytes depend on the names and contents of the files alone."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath


def files_below(folder: Path) -> dict[str, Path]:
    """Return name → path of every file below *folder*. Names are relative, with slashes."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def write_tar(target: Path, files: Mapping[str, Path], top: str, seconds: int) -> None:
    """Write *files* below the folder *top* into *target*, a `.tar` or `.tar.gz`, all with the time *seconds*.

    They are sorted by name and belong to root. Those that a user may execute stay executable.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(str(PurePosixPath(top) / name))
            entry.mtime, entry.size = seconds, path.stat().st_size
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                archive.addfile(entry, file)
    data = content.getvalue()
    target.write_bytes(gzip.compress(data, mtime=0) if target.suffix == ".gz" else data)
