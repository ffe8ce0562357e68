"""apprise's plugins. Only those that the URLs need are imported, because all of them take 0.2 s of CPU at the start."""

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import apprise


def load(urls: Sequence[str]) -> None:
    """Load the plugins of *urls*. If the scheme of one names no plugin, apprise loads all at the first use.

    Such URLs are the addresses that services show, for example `https://hooks.slack.com/…`.
    """
    manager = apprise.NotificationManager()
    schemes = {url.partition("://")[0].lower() for url in urls}
    if not manager:
        # apprise loads the modules that a folder names. Without a folder for it, it loads all.
        with contextlib.suppress(OSError), tempfile.TemporaryDirectory() as folder:
            for name in modules_of(schemes, Path(manager.module_path)):
                Path(folder, f"{name}.py").touch()
            manager.load_modules(path=folder, name=manager.module_name_prefix)
    if not all(scheme in manager for scheme in schemes):
        manager.unload_modules()


def modules_of(schemes: Iterable[str], plugins: Path) -> Iterator[str]:
    """Return the names of the modules in the folder *plugins* whose source names one of *schemes* as its protocol.

    No two modules have the same. Those that are called like a scheme are read first, and nothing after the last scheme.
    """
    missing = set(schemes)
    for entry in sorted(plugins.iterdir(), key=lambda entry: not any(scheme in entry.name for scheme in missing)):
        if not missing:
            return
        for source in entry.glob("*.py") if entry.is_dir() else [entry]:
            text = source.read_bytes()
            # Most sources have none of the names, and this is faster than the expression.
            named = {scheme for scheme in missing if b'"%b"' % scheme.encode() in text and _is_protocol(scheme, text)}
            if named:
                missing -= named
                yield entry.stem
                break


def _is_protocol(scheme: str, source: bytes) -> bool:
    quoted = re.escape(f'"{scheme}"'.encode())
    return re.search(rb"""protocol = \(?[^)=]*%b""" % quoted, source) is not None
