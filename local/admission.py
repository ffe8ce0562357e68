"""VSphereBinding's part of admission: a Knative Service gets the login before it is read, as the webhook does it."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from local.fields import Field
from local.objects import Name
from sources.binding import MOUNT_PATH, Binding, InvalidSubject, bind, select

SECRET_PATH = "VC_SECRET_PATH"  # noqa: S105 - the name of a variable

Documents = dict[tuple[str, Name], Field]
"""The objects of a run, by kind and name."""


def bind_services(documents: Documents) -> Documents:
    """Return *documents* with the Knative Services bound that VSphereBindings select.

    Bindings that cannot be read bind nothing. Reading them reports why.
    """
    bindings = list(_bindings(documents))
    bound = dict(documents)
    for (kind, name), document in documents.items():
        template = document["spec"]["template"].value
        if kind == "Service" and isinstance(template, dict) and isinstance(template.get("spec"), dict):
            chosen = select(bindings, _placed(document.value, name))
            if chosen:
                spec = {**_object(document["spec"].value), "template": bind_here(template, chosen.spec)}
                service = {**_object(document.value), "spec": spec}
                bound[kind, name] = Field(service, document.path, document.origin, document.errors)
    return bound


def bind_here(template: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod template *template* bound by *spec*, with the variable that names the folder of the login.

    A container finds the Secret at its usual place. Here, it is in a folder below the state folder.
    """
    bound = copy.deepcopy(bind(template, spec))
    for container in bound["spec"].get("containers") or []:
        container["env"] = [entry for entry in container["env"] if entry.get("name") != SECRET_PATH]
        container["env"].append({"name": SECRET_PATH, "value": MOUNT_PATH})
    return bound


def _bindings(documents: Documents) -> Iterator[Binding]:
    for number, ((kind, name), document) in enumerate(documents.items()):
        spec = document["spec"]
        if kind != "VSphereBinding" or not spec["address"].value or not spec["secretRef"]["name"].value:
            continue
        content = _placed(document.value, name)
        content["metadata"]["creationTimestamp"] = f"{number:09}"  # of two bindings, the one that was read first wins
        try:
            yield Binding.read(content)
        except InvalidSubject:
            continue


def _placed(value: object, name: Name) -> dict[str, Any]:
    """Return the object *value* with its namespace."""
    content = _object(value)
    return {**content, "metadata": {**content.get("metadata", {}), "namespace": name.namespace, "name": name.name}}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
