"""The YAML that a cluster takes, read into the objects of a local run.

Everything is checked before anything starts: what local cannot run, it refuses by file, object and field. A field is
either read, known to have no meaning on one machine (limits, security, scale), or refused.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from apscheduler.triggers.base import BaseTrigger

from local.delivery import read_retries
from local.environment import CHECKPOINT
from local.fields import Field
from local.objects import (
    Broker,
    ConfigMap,
    Delivery,
    Destination,
    Import,
    KeyRef,
    Manifests,
    Mount,
    Name,
    Object,
    PingSource,
    Secret,
    Service,
    SinkBinding,
    Trigger,
    Variable,
)  # fmt: skip
from local.references import missing
from local.schedule import parse_schedule
from pipeline.errors import PermanentError
from pipeline.filter import FilterError, Matches, compile_filter

Kind = TypeVar("Kind", bound=Object)

IMAGE = re.compile(r"(?:[^\s/]+/)*vcenter-events(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?", re.ASCII)
"""The images that local can stand in for: this project's own, from any registry, with any tag or digest."""

DEFAULT_NAMESPACE = "default"
BROKER_CLASS = "MTChannelBasedBroker"


class ManifestError(PermanentError):
    """The manifests cannot be run here. *faults* holds one sentence for each fault, all of them at once."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("the manifests cannot be run locally:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


def load(paths: Iterable[Path]) -> Manifests:
    """The objects of files and folders (`*.yaml` by name, no folders below), a later one replacing an earlier one.

    Raises `ManifestError` with every fault of every file.
    """
    faults: list[str] = []
    documents: dict[tuple[str, Name], Field] = {}
    for document in _documents(paths, faults):
        # The kind without its version: an object applied again is the same object.
        documents[document["kind"].text(), _name(document)] = document
    objects = [_read(kind, name, document) for (kind, name), document in documents.items()]
    manifests = Manifests(
        config_maps=_of(ConfigMap, objects),
        secrets=_of(Secret, objects),
        services=_of(Service, objects),
        brokers=_of(Broker, objects),
        triggers=_of(Trigger, objects),
        ping_sources=_of(PingSource, objects),
        sink_bindings=_of(SinkBinding, objects),
    )
    # References are judged only when every object could be read: a missing one may just be a faulty one.
    if not faults:
        faults.extend(missing(manifests))
    if faults:
        raise ManifestError(faults)
    return manifests


def _read(kind: str, name: Name, document: Field) -> Object | None:
    read = _READERS.get((document["apiVersion"].text(), kind))
    if read is None:
        document["kind"].refuse(f"local does not run {kind} of {document['apiVersion'].text() or 'no apiVersion'}")
        return None
    return read(name, document)


def _of(kind: type[Kind], objects: Iterable[Object | None]) -> dict[Name, Kind]:
    return {found.name: found for found in objects if type(found) is kind}


# ── files → documents ──


class _Loader(yaml.SafeLoader):
    """YAML as the Kubernetes API server takes it: a key given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key {key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _documents(paths: Iterable[Path], faults: list[str]) -> Iterator[Field]:
    for path in paths:
        if not path.exists():
            faults.append(f"{path}: there is no such file or folder")
            continue
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            yield from _objects_of(file, faults)


def _objects_of(file: Path, faults: list[str]) -> Iterator[Field]:
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _Loader))
    except (yaml.YAMLError, OSError, ValueError) as error:
        faults.append(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}")
        return
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            faults.append(f"{file}: holds something that is no object")
            continue
        if document.get("kind") == "Kustomization":
            continue
        metadata = document.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        yield Field(document, "", f"{file}: {document.get('kind', 'object without kind')} {name}".rstrip(), faults)


def _name(document: Field) -> Name:
    metadata = document["metadata"].only("name", "namespace", ignored=("labels", "annotations"))
    namespace = _label(metadata["namespace"]) if metadata["namespace"] else DEFAULT_NAMESPACE
    return Name(namespace, _label(metadata["name"]))


def _label(field: Field) -> str:
    """A name as Kubernetes allows it, which is also safe as the name of a file."""
    text = field.text(required=True)
    if text and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", text, re.ASCII):
        field.refuse(f"is {text!r}, not a name of lower-case letters, digits, '-' and '.'")
    return text


def _keys(field: Field) -> None:
    """Refuse keys of a ConfigMap or Secret that could not be names of files."""
    for key in field.names():
        if not re.fullmatch(r"[\w.-]+", key, re.ASCII) or key in (".", ".."):
            field[key].refuse("is no key: letters, digits, '-', '_' and '.'")


# ── documents → objects: one reader a kind ──

_TOP = ("apiVersion", "kind", "metadata")


def _config_map(name: Name, document: Field) -> ConfigMap:
    document.only(*_TOP, "data", "binaryData", ignored=("immutable",))
    _keys(document["data"])
    _keys(document["binaryData"])
    plain = {key: text.encode() for key, text in document["data"].texts().items()}
    return ConfigMap(name, document.origin, {**plain, **_decoded(document["binaryData"])})


def _secret(name: Name, document: Field) -> Secret:
    document.only(*_TOP, "data", "stringData", ignored=("immutable", "type"))
    _keys(document["data"])
    _keys(document["stringData"])
    plain = {key: text.encode() for key, text in document["stringData"].texts().items()}
    return Secret(name, document.origin, {**_decoded(document["data"]), **plain})


def _decoded(field: Field) -> dict[str, bytes]:
    decoded = {}
    for key, text in field.texts().items():
        try:
            decoded[key] = base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            field[key].refuse("is no base64")
    return decoded


def _service(name: Name, document: Field) -> Service | None:
    document.only(*_TOP, "spec")
    template = document["spec"].only("template")["template"].only("spec", ignored=("metadata",))
    spec = template["spec"].only("containers", "volumes", ignored=_POD_IGNORED)
    containers = list(spec["containers"])
    if len(containers) != 1:
        spec["containers"].refuse(f"has {len(containers)} containers; local runs exactly one")
        return None
    container = containers[0].only(*_CONTAINER_FIELDS, ignored=_CONTAINER_IGNORED)
    image = container["image"]
    if not IMAGE.fullmatch(image.text(required=True)):
        image.refuse(f"is {image.text()!r}; local runs only the project's own image, vcenter-events")
    for own in ("command", "args"):
        if container[own]:
            container[own].refuse("local runs only the project's own image, by the Procfile's web line")
    return Service(
        name,
        document.origin,
        variables=tuple(_variable(field, name) for field in container["env"]),
        imports=tuple(found for field in container["envFrom"] for found in _imports(field, name)),
        mounts=tuple(_mounts(container["volumeMounts"], spec["volumes"], name)),
        readiness_path=container["readinessProbe"]["httpGet"]["path"].text("/health/readiness"),
    )


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


def _variable(field: Field, service: Name) -> Variable:
    field.only("name", "value", "valueFrom")
    name = field["name"].text(required=True)
    source = field["valueFrom"].only("secretKeyRef", "configMapKeyRef", "fieldRef")
    for kind, ref in (("Secret", source["secretKeyRef"]), ("ConfigMap", source["configMapKeyRef"])):
        if ref:
            ref.only("name", "key", "optional")
            named = Name(service.namespace, ref["name"].text(required=True))
            return Variable(name, KeyRef(ref.path, kind, named, ref["key"].text(required=True), ref["optional"].flag()))
    if source["fieldRef"]:
        path = source["fieldRef"].only("fieldPath", ignored=("apiVersion",))["fieldPath"]
        known = {"metadata.name": f"{service.name}-local", "metadata.namespace": service.namespace}
        if path.text(required=True) not in known:
            path.refuse(f"local knows only {' and '.join(known)}")
        return Variable(name, known.get(path.text(), ""))
    value = field["value"].text()
    if "$(" in value:
        field["value"].refuse("local does not expand $(NAME)")
    if name == "CHECKPOINT" and value.startswith("configmap:") and not CHECKPOINT.fullmatch(value):
        field["value"].refuse(f"is {value!r}, which names no ConfigMap")
    return Variable(name, value)


def _imports(field: Field, service: Name) -> Iterator[Import]:
    field.only("prefix", "configMapRef", "secretRef")
    for kind, ref in (("ConfigMap", field["configMapRef"]), ("Secret", field["secretRef"])):
        if ref:
            ref.only("name", "optional")
            named = Name(service.namespace, ref["name"].text(required=True))
            yield Import(ref.path, kind, named, field["prefix"].text(), ref["optional"].flag())


def _mounts(mounts: Field, volumes: Field, service: Name) -> Iterator[Mount]:
    by_name = {_label(volume["name"]): volume for volume in volumes}
    for mount in mounts:
        mount.only("name", "mountPath", ignored=("readOnly",))
        name = mount["name"].text(required=True)
        if name not in by_name:
            mount["name"].refuse(f"there is no volume {name!r}")
            continue
        volume = by_name[name].only("name", "secret", "configMap", "emptyDir")
        folder = "/" + mount["mountPath"].text(required=True).strip("/")
        for kind, field, called in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
            if volume[field]:
                source = volume[field].only(called, "optional", ignored=("defaultMode",))
                named = Name(service.namespace, source[called].text(required=True))
                yield Mount(source.path, folder, name, kind, named, source["optional"].flag())
                break
        else:
            yield Mount(volume.path, folder, name, "", None, optional=True)


def _broker(name: Name, document: Field) -> Broker:
    document.only(*_TOP, "spec")
    annotation = document["metadata"]["annotations"]["eventing.knative.dev/broker.class"]
    if annotation.text(BROKER_CLASS) != BROKER_CLASS:
        annotation.refuse(f"is {annotation.text()!r}; local runs only {BROKER_CLASS}")
    spec = document["spec"].only("config", "delivery")
    config = spec["config"].only("apiVersion", "kind", "name", "namespace")
    if config and config.texts() != _IN_MEMORY_CONFIG:
        config.refuse("is not ConfigMap config-br-default-channel in knative-eventing (InMemoryChannel)")
    return Broker(name, document.origin, _delivery(spec["delivery"], name.namespace))


_IN_MEMORY_CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "config-br-default-channel",
    "namespace": "knative-eventing",
}


def _trigger(name: Name, document: Field) -> Trigger:
    document.only(*_TOP, "spec")
    spec = document["spec"].only("broker", "filter", "filters", "subscriber", "delivery")
    matches: Matches = _nothing
    try:
        matches = compile_filter(spec.value if isinstance(spec.value, dict) else {})
    except FilterError as error:
        for path, fault in error.faults:
            spec[path].refuse(fault)
    return Trigger(
        name,
        document.origin,
        broker=Name(name.namespace, spec["broker"].text(required=True)),
        matches=matches,
        subscriber=_destination(spec["subscriber"], name.namespace),
        delivery=_delivery(spec["delivery"], name.namespace),
    )


def _nothing(_: Mapping[str, str]) -> bool:
    return False


def _delivery(field: Field, namespace: str) -> Delivery | None:
    if not field:
        return None
    sink = _destination(field["deadLetterSink"], namespace) if field["deadLetterSink"] else None
    return Delivery(read_retries(field), sink)


def _destination(field: Field, namespace: str) -> Destination:
    field.only("ref", "uri")
    ref, uri = field["ref"], field["uri"].text()
    if not ref:
        if not re.match(r"https?://[^/\s]+", uri):
            field.refuse("has neither a ref nor an absolute http(s) uri")
        return Destination(field.path, uri=uri)
    ref.only("apiVersion", "kind", "name", "namespace")
    kind, version = ref["kind"].text(required=True), ref["apiVersion"].text(required=True)
    if (version, kind) not in _ADDRESSABLE:
        ref.refuse(f"local has no address for {kind} of {version}, only for a Knative Service and a Broker")
    return Destination(field.path, kind, Name(ref["namespace"].text(namespace), ref["name"].text(required=True)), uri)


_ADDRESSABLE = {("serving.knative.dev/v1", "Service"), ("eventing.knative.dev/v1", "Broker")}


def _ping_source(name: Name, document: Field) -> PingSource:
    document.only(*_TOP, "spec")
    spec = document["spec"].only("schedule", "timezone", "contentType", "data", "dataBase64", "sink", "ceOverrides")
    schedule: BaseTrigger = None
    try:
        schedule = parse_schedule(spec["schedule"].text("* * * * *"), spec["timezone"].text())
    except ValueError as error:
        spec["schedule"].refuse(str(error))
    content_type = spec["contentType"].text()
    if spec["data"].text() and spec["dataBase64"].text():
        spec["data"].refuse("is set, and dataBase64 too; Knative takes one")
    data = spec["data"].text().encode() or _decoded_one(spec["dataBase64"])
    if content_type == "application/json" and data and not _is_json_object(data):
        (spec["data"] or spec["dataBase64"]).refuse("is no JSON object, as its contentType says")
    return PingSource(
        name,
        document.origin,
        schedule=schedule,
        content_type=content_type,
        data=data,
        sink=_destination(spec["sink"], name.namespace),
        extensions=spec["ceOverrides"].only("extensions")["extensions"].texts(),
    )


def _decoded_one(field: Field) -> bytes:
    try:
        return base64.b64decode(field.text(), validate=True)
    except ValueError:
        field.refuse("is no base64")
        return b""


def _is_json_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _sink_binding(name: Name, document: Field) -> SinkBinding:
    document.only(*_TOP, "spec")
    spec = document["spec"].only("subject", "sink", "ceOverrides")
    subject = spec["subject"].only("apiVersion", "kind", "name", "namespace")
    if (subject["apiVersion"].text(), subject["kind"].text()) != ("serving.knative.dev/v1", "Service"):
        subject.refuse("local binds only a Knative Service")
    if subject["namespace"].text(name.namespace) != name.namespace:
        subject["namespace"].refuse("must be the SinkBinding's own")
    extensions = spec["ceOverrides"].only("extensions")["extensions"].texts()
    return SinkBinding(
        name,
        document.origin,
        service=Name(name.namespace, subject["name"].text(required=True)),
        sink=_destination(spec["sink"], name.namespace),
        overrides=json.dumps({"extensions": extensions}) if extensions else "",
    )


def _no_local_meaning(name: Name, document: Field) -> None:
    """Namespaces and permissions: there is one machine, and one user."""


_READERS: dict[tuple[str, str], Callable[[Name, Field], Object | None]] = {
    ("v1", "Namespace"): _no_local_meaning,
    ("v1", "ServiceAccount"): _no_local_meaning,
    ("rbac.authorization.k8s.io/v1", "Role"): _no_local_meaning,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _no_local_meaning,
    ("v1", "ConfigMap"): _config_map,
    ("v1", "Secret"): _secret,
    ("serving.knative.dev/v1", "Service"): _service,
    ("eventing.knative.dev/v1", "Broker"): _broker,
    ("eventing.knative.dev/v1", "Trigger"): _trigger,
    ("sources.knative.dev/v1", "PingSource"): _ping_source,
    ("sources.knative.dev/v1", "SinkBinding"): _sink_binding,
}
