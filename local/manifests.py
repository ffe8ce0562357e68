"""The YAML that a cluster takes, read into the objects of a local run.

Everything is checked before anything starts: local rejects what it cannot run, by file, object and field. A field is
either read, known to have no meaning on one machine (limits, security, scale), or rejected.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from local.admission import bind_services
from local.documents import read_documents, read_name
from local.fields import Field
from local.kinds import KINDS
from local.objects import Name, Object, Objects
from pipeline.errors import PermanentError


class ManifestError(PermanentError):
    """The manifests cannot be run here. *errors* holds one sentence for each error, all of them at once."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("the manifests cannot be run locally:\n" + "\n".join(f"  - {error}" for error in self.errors))


def load(paths: Iterable[Path]) -> Objects:
    """Return the objects of files and folders. A later one replaces an earlier one of the same kind and name.

    Raises `ManifestError` with every error of every file.
    """
    errors: list[str] = []
    documents: dict[tuple[str, Name], Field] = {}
    for document in read_documents(paths, errors):
        # The kind without its version: an object applied again is the same object.
        documents[document["kind"].text(), read_name(document)] = document
    documents = bind_services(documents)
    contents = [_read(kind, name, document) for (kind, name), document in documents.items()]
    present = [content for content in contents if content is not None]
    objects = Objects([*present, *(service for content in present for service in _services(content))])
    # References are checked only when all objects could be read: a missing one may be one with an error.
    for check in (_unaddressable, _missing):
        if not errors:
            errors.extend(check(objects))
    if errors:
        raise ManifestError(errors)
    return objects


def _read(kind: str, name: Name, document: Field) -> Object | None:
    version = document["apiVersion"].text()
    if (version, kind) not in KINDS:
        document["kind"].reject(f"local does not run {kind} of {version or 'no apiVersion'}")
        return None
    content: Object | None = KINDS[version, kind].read(name, document)
    return content


def _services(content: Object) -> Iterable[Object]:
    """Return the processes that *content* brings along."""
    return next(kind for kind in KINDS.values() if kind.object_type is type(content)).services(content)


def _unaddressable(objects: Objects) -> Iterator[str]:
    """Yield an error for each destination of a kind that has no address."""
    addressable = {key: kind for key, kind in KINDS.items() if kind.address is not None}
    names = " and ".join(f"{kind.name} of {kind.api_version}" for kind in addressable.values())
    for kind in KINDS.values():
        for content in objects.of(kind.object_type).values():
            for destination in kind.destinations(content):
                if destination.name and destination.kind not in addressable:
                    version, name = destination.kind
                    yield (
                        f"{content.origin}: {destination.path}.ref: local has no address for {name} of {version}, "
                        f"only for {names}"
                    )


def _missing(objects: Objects) -> Iterator[str]:
    """Yield an error for each reference to something that is not among the objects."""
    for kind in KINDS.values():
        for content in objects.of(kind.object_type).values():
            for error in kind.missing(content, objects):
                yield f"{content.origin}: {error}"
            for destination in kind.destinations(content):
                if destination.name is None:
                    continue
                target = KINDS[destination.kind]
                if destination.name not in objects.of(target.object_type):
                    yield f"{content.origin}: {destination.path}: there is no {target.name} {destination.name}"
