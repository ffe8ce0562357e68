"""YAML files, read into documents whose values know where they stand."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from local.fields import Field
from local.objects import Name

DEFAULT_NAMESPACE = "default"

MAX_VALUES = 100_000
"""Maximum number of values in a document, with every alias written out. A short file of aliases of aliases has millions
of them."""

MAX_LEVELS = 50
"""Maximum levels of a document. Real ones have less than 20, and Python's stack is finite."""


class _Loader(yaml.SafeLoader):
    """YAML as the Kubernetes API server reads it: a repeated key is an error, and a document has a limit of size."""

    levels = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.levels += 1
        if self.levels > MAX_LEVELS:
            raise _too_deep(self.get_mark())
        try:
            return super().compose_node(parent, index)
        finally:
            self.levels -= 1

    def construct_document(self, node: yaml.Node) -> object:
        _measure(node, MAX_LEVELS, {})
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        keys: set[object] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key is not text"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if key.value in keys:
                problem = f"the key {key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def _too_deep(mark: yaml.Mark) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, f"more than {MAX_LEVELS} levels", mark)


def _measure(node: yaml.Node, levels: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return the number of values in *node*, with every alias written out, and of its levels.

    *known* has the results of nodes by their identity. Raises `yaml.YAMLError` if there are too many of either.
    """
    if id(node) in known:
        return known[id(node)]
    if levels <= 0:  # also if a node contains itself
        raise _too_deep(node.start_mark)
    children = [] if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(node, yaml.MappingNode):
        children = [child for pair in children for child in pair]
    measures = [_measure(child, levels - 1, known) for child in children]
    size, height = 1 + sum(size for size, _ in measures), 1 + max((height for _, height in measures), default=0)
    if size > MAX_VALUES or height > MAX_LEVELS:
        problem = f"more than {MAX_VALUES} values or {MAX_LEVELS} levels"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    known[id(node)] = size, height
    return size, height


def read_documents(paths: Iterable[Path], errors: list[str]) -> Iterator[Field]:
    """Yield the objects of files and folders (`*.yaml` in order of name, without subfolders).

    What cannot be read is added to *errors*.
    """
    for path in paths:
        if not path.exists():
            errors.append(f"{path}: there is no such file or folder")
            continue
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            yield from _documents_of(file, errors)


def _documents_of(file: Path, errors: list[str]) -> Iterator[Field]:
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _Loader))
    except (yaml.YAMLError, OSError, ValueError) as error:
        errors.append(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}")
        return
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            errors.append(f"{file}: holds something that is not an object")
            continue
        if document.get("kind") == "Kustomization":
            continue
        metadata = document.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        yield Field(document, "", f"{file}: {document.get('kind', 'object without kind')} {name}".rstrip(), errors)


def read_name(document: Field) -> Name:
    """Return the name in an object's metadata."""
    metadata = document["metadata"].only("name", "namespace", ignored=("labels", "annotations"))
    namespace = read_label(metadata["namespace"]) if metadata["namespace"] else DEFAULT_NAMESPACE
    return Name(namespace, read_label(metadata["name"]))


def read_label(field: Field) -> str:
    """Return a name as Kubernetes allows it, which is also safe as the name of a file."""
    text = field.text(required=True)
    if text and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", text, re.ASCII):
        field.reject(f"is {text!r}, not a name of lower-case letters, digits, '-' and '.'")
    return text
