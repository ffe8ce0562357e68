"""The page as one document: HTML with the style and the modules of `static/` inside.

So a first load is one request, and the Content-Security-Policy can name the very bytes that may run. The modules are
ordinary ES modules that import each other; here they are put in order and joined, which asks of them that no two have a
top-level name in common (the page's tests would see nothing else).
"""

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import\s+(?:[^;]*?\sfrom\s+)?"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) )", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """What `GET /` answers."""

    plain: bytes
    compressed: bytes
    etag: str
    policy: str
    """The Content-Security-Policy under which it runs."""


def assemble(folder: Path = STATIC) -> Document:
    """The page from `index.html`, `display.css`, `icon.svg` and `display.js` with what that imports."""
    style = (folder / "display.css").read_text(encoding="utf-8")
    script = join_modules(folder, "display.js")
    icon = base64.b64encode((folder / "icon.svg").read_bytes()).decode()
    html = (folder / "index.html").read_text(encoding="utf-8")
    for line, inside in (
        ('<link rel="icon" href="icon.svg">', f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">'),
        ('<link rel="stylesheet" href="display.css">', f"<style>{style}</style>"),
        ('<script type="module" src="display.js"></script>', f'<script type="module">{script}</script>'),
    ):
        before, found, after = html.partition(line)
        if not found:
            raise ValueError(f"index.html has no {line}")
        html = before + inside + after
    plain = html.encode()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    etag = hashlib.sha256(plain).hexdigest()[:16]
    return Document(plain, gzip.compress(plain, 9, mtime=0), etag, policy)


def join_modules(folder: Path, entry: str) -> str:
    """The module *entry* and all that it imports as one module, what is imported first."""
    ordered: list[str] = []
    _visit(folder, entry, ordered, set())
    return "\n".join(ordered)


def _visit(folder: Path, name: str, ordered: list[str], seen: set[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    source = (folder / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        _visit(folder, imported, ordered, seen)
    ordered.append(f"// ── {name} ──\n" + _EXPORT.sub("", _IMPORT.sub("", source)))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
