"""A pod template of this project's own image, read into the process that stands in for the pod."""

import re
from collections.abc import Iterator

from local.documents import read_label
from local.environment import CHECKPOINT, Import, KeyRef, Mount, Service, Variable
from local.fields import Field
from local.objects import Name

IMAGE = re.compile(r"(?:[^\s/]+/)*vcenter-events(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?", re.ASCII)
"""The images that local stands in for: this project's own, from any registry, with any tag or digest."""

_CONTAINER_FIELDS = ("image", "env", "envFrom", "volumeMounts", "readinessProbe", "command", "args")
_POD_IGNORED = (
    "automountServiceAccountToken", "containerConcurrency", "enableServiceLinks", "idleTimeoutSeconds",
    "imagePullSecrets", "nodeSelector", "responseStartTimeoutSeconds", "securityContext", "serviceAccountName",
    "timeoutSeconds", "tolerations",
)  # fmt: skip
_CONTAINER_IGNORED = (
    "imagePullPolicy", "livenessProbe", "name", "ports", "resources", "securityContext", "startupProbe",
    "terminationMessagePath", "terminationMessagePolicy",
)  # fmt: skip


def read_pod(name: Name, origin: str, template: Field) -> Service | None:
    """Return the process of a pod with one container of the project's own image. None if there are errors."""
    spec = template.only("spec", ignored=("metadata",))["spec"].only("containers", "volumes", ignored=_POD_IGNORED)
    containers = list(spec["containers"])
    if len(containers) != 1:
        spec["containers"].reject(f"has {len(containers)} containers; local runs exactly one")
        return None
    container = containers[0].only(*_CONTAINER_FIELDS, ignored=_CONTAINER_IGNORED)
    image = container["image"]
    if not IMAGE.fullmatch(image.text(required=True)):
        image.reject(f"is {image.text()!r}; local runs only the project's own image, vcenter-events")
    for field in (container["command"], container["args"]):
        if field:
            field.reject("local runs only the project's own image, by the Procfile's web line")
    return Service(
        name,
        origin,
        variables=tuple(_variable(field, name) for field in container["env"]),
        imports=tuple(imported for field in container["envFrom"] for imported in _imports(field, name)),
        mounts=tuple(_mounts(container["volumeMounts"], spec["volumes"], name)),
        readiness_path=container["readinessProbe"]["httpGet"]["path"].text("/health/readiness"),
    )


def _variable(field: Field, service: Name) -> Variable:
    field.only("name", "value", "valueFrom")
    name = field["name"].text(required=True)
    source = field["valueFrom"].only("secretKeyRef", "configMapKeyRef", "fieldRef")
    for kind, ref in (("Secret", source["secretKeyRef"]), ("ConfigMap", source["configMapKeyRef"])):
        if ref:
            ref.only("name", "key", "optional")
            config = Name(service.namespace, ref["name"].text(required=True))
            return Variable(
                name, KeyRef(ref.path, kind, config, ref["key"].text(required=True), ref["optional"].flag())
            )
    if source["fieldRef"]:
        return Variable(name, _pod_field(source["fieldRef"], service))
    value = field["value"].text()
    if "$(" in value:
        field["value"].reject("local does not expand $(NAME)")
    if name == "CHECKPOINT" and value.startswith("configmap:") and not CHECKPOINT.fullmatch(value):
        field["value"].reject(f"is {value!r}, which does not name a ConfigMap")
    return Variable(name, value)


def _pod_field(ref: Field, service: Name) -> str:
    path = ref.only("fieldPath", ignored=("apiVersion",))["fieldPath"]
    known = {"metadata.name": f"{service.name}-local", "metadata.namespace": service.namespace}
    if path.text(required=True) not in known:
        path.reject(f"local knows only {' and '.join(known)}")
    return known.get(path.text(), "")


def _imports(field: Field, service: Name) -> Iterator[Import]:
    field.only("prefix", "configMapRef", "secretRef")
    for kind, ref in (("ConfigMap", field["configMapRef"]), ("Secret", field["secretRef"])):
        if ref:
            ref.only("name", "optional")
            config = Name(service.namespace, ref["name"].text(required=True))
            yield Import(ref.path, kind, config, field["prefix"].text(), ref["optional"].flag())


def _mounts(mounts: Field, volumes: Field, service: Name) -> Iterator[Mount]:
    by_name = {read_label(volume["name"]): volume for volume in volumes}
    for mount in mounts:
        mount.only("name", "mountPath", ignored=("readOnly",))
        name = mount["name"].text(required=True)
        if name not in by_name:
            mount["name"].reject(f"there is no volume {name!r}")
            continue
        volume = by_name[name].only("name", "secret", "configMap", "emptyDir")
        folder = "/" + mount["mountPath"].text(required=True).strip("/")
        for kind, field, name_field in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
            if volume[field]:
                source = volume[field].only(name_field, "optional", "items", ignored=("defaultMode",))
                config = Name(service.namespace, source[name_field].text(required=True))
                files = dict(_files(source["items"]))
                yield Mount(source.path, folder, name, kind, config, source["optional"].flag(), files)
                break
        else:
            yield Mount(volume.path, folder, name, "", None, optional=True)


def _files(items: Field) -> Iterator[tuple[str, str]]:
    """Yield key and file name of each item of a volume."""
    for item in items:
        item.only("key", "path", ignored=("mode",))
        yield item["key"].text(required=True), read_label(item["path"])
