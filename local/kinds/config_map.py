"""ConfigMap and Secret."""

import base64
import re

from local.config import ConfigMap, Secret
from local.fields import TOP, Field
from local.objects import Name
from local.run import Kind


def read_config_map(name: Name, document: Field) -> ConfigMap:
    """Read a ConfigMap."""
    document.only(*TOP, "data", "binaryData", ignored=("immutable",))
    return ConfigMap(name, document.origin, {**_plain(document["data"]), **_decoded(document["binaryData"])})


def read_secret(name: Name, document: Field) -> Secret:
    """Read a Secret. Its `stringData` wins over its `data`."""
    document.only(*TOP, "data", "stringData", ignored=("immutable", "type"))
    return Secret(name, document.origin, {**_decoded(document["data"]), **_plain(document["stringData"])})


def _plain(field: Field) -> dict[str, bytes]:
    return {key: text.encode() for key, text in _checked(field).texts().items()}


def _decoded(field: Field) -> dict[str, bytes]:
    decoded = {}
    for key, text in _checked(field).texts().items():
        try:
            decoded[key] = base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            field[key].reject("is not base64")
    return decoded


def _checked(field: Field) -> Field:
    """Return *field*, after rejecting keys that cannot be names of files."""
    for key in field.names():
        if not re.fullmatch(r"[\w.-]+", key, re.ASCII) or key in (".", ".."):
            field[key].reject("is not a key of letters, digits, '-', '_' and '.'")
    return field


KINDS = (
    Kind("v1", "ConfigMap", ConfigMap, read_config_map),
    Kind("v1", "Secret", Secret, read_secret),
)
