"""YAML files, read into documents whose values know where they stand."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from local.fields import Field
from local.objects import Name

DEFAULT_NAMESPACE = "default"


class _Loader(yaml.SafeLoader):
    """YAML as the Kubernetes API server reads it: a repeated key is an error."""

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
