"""The reactions but notify: those that change vCenter, those that watch it, and the webhook."""

import dataclasses
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pipeline.settings.parsers import duration, existing_file, flag, one_of, text, whole_number
from pipeline.settings.templates import IF_EXAMPLE, IF_MEANING, jinja_expression, jinja_template
from pipeline.settings.variable import Secret, setting
from vsphere.settings import VCenterSettings


def dedup_size_setting(name: str) -> Any:
    """The setting *name*: how many events a reaction remembers."""
    meaning = "Events remembered to detect duplicate deliveries."
    return setting(name, whole_number(1, 1_000_000), meaning, example="10000", default="10000")


def objects(value: str) -> str:
    """One of the objects that an event may name (`pipeline.payload.OBJECTS`)."""
    return one_of("vm", "host", "datastore", "cluster", "datacenter", "network", "switch", "entity")(value)


def attribute_values(value: str) -> Mapping[str, Mapping[str, str]]:
    """Event type → attribute → template, from JSON."""
    try:
        found = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error
    wrong = "is not JSON of the form {type: {attribute: template}}"
    if not isinstance(found, dict):
        raise ValueError(wrong)
    for type_, attributes in found.items():
        if not isinstance(attributes, dict) or not all(isinstance(each, str) for each in attributes.values()):
            raise ValueError(wrong)
        for name, template in attributes.items():
            try:
                jinja_template(template)
            except ValueError as error:
                raise ValueError(f"has under {type_} for {name!r} what {error}") from error
    return MappingProxyType(found)


_CREATED = {"owner": "{{ user }}", "created": "{{ time }}"}
_ATTRIBUTE_VALUES = {
    **dict.fromkeys(("VmCreatedEvent", "VmClonedEvent", "VmDeployedEvent", "VmRegisteredEvent"), _CREATED),
    "VmPoweredOnEvent": {"last powered on": "{{ time }}"},
}


@dataclasses.dataclass(frozen=True)
class TagSettings:
    """The tag reaction."""

    vcenter: VCenterSettings
    category: str = setting("TAG_CATEGORY", text, "the tag's category", example="lifecycle")
    name: str = setting("TAG_NAME", text, "the tag", example="created-today")
    action: str = setting(
        "TAG_ACTION", one_of("attach", "remove"), "attach the tag or remove it", example="remove", default="attach"
    )
    object: str = setting(
        "TAG_OBJECT",
        objects,
        "which of the event's objects: vm, host, datastore, cluster, datacenter, network, switch, entity (an alarm's)",
        example="host",
        default="vm",
    )
    create: bool = setting(
        "TAG_CREATE", flag, "make category and tag if they do not exist", example="true", default="false"
    )
    dedup_size: int = dedup_size_setting("TAG_DEDUP_SIZE")


@dataclasses.dataclass(frozen=True)
class AttributeSettings:
    """The attribute reaction."""

    vcenter: VCenterSettings
    values: Mapping[str, Mapping[str, str]] = setting(
        "ATTRIBUTE_VALUES",
        attribute_values,
        "event type → custom attribute → Jinja2 template of its value, as JSON",
        example='{"VmPoweredOnEvent": {"last powered on": "{{ time }}"}}',
        default=json.dumps(_ATTRIBUTE_VALUES),
    )
    dedup_size: int = dedup_size_setting("ATTRIBUTE_DEDUP_SIZE")


@dataclasses.dataclass(frozen=True)
class MaintenanceSettings:
    """The maintenance reaction."""

    vcenter: VCenterSettings
    attribute: str = setting(
        "MAINTENANCE_ATTRIBUTE",
        text,
        "custom attribute of the host that notes what its alarm actions were before",
        example="alarm actions before maintenance",
        default="alarm actions before maintenance",
    )
    dedup_size: int = dedup_size_setting("MAINTENANCE_DEDUP_SIZE")


@dataclasses.dataclass(frozen=True)
class FailoverSettings:
    """The failover reaction."""

    vcenter: VCenterSettings
    window_seconds: float = setting(
        "FAILOVER_WINDOW", duration, "how long before its completion a fail-over began", example="15m", default="15m"
    )
    settle_seconds: float = setting(
        "FAILOVER_SETTLE",
        duration,
        "how long restarts may still be reported after it",
        example="30s",
        default="30s",
    )
    dedup_size: int = dedup_size_setting("FAILOVER_DEDUP_SIZE")


@dataclasses.dataclass(frozen=True)
class CapacitySettings:
    """The capacity reaction."""

    vcenter: VCenterSettings
    dedup_size: int = dedup_size_setting("CAPACITY_DEDUP_SIZE")


def regular_expression(value: str) -> str:
    """The text of a regular expression."""
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is {value!r}, not a regular expression: {error}") from error
    return value


@dataclasses.dataclass(frozen=True)
class PreemptSettings:
    """The preempt reaction."""

    vcenter: VCenterSettings
    category: str = setting("PREEMPT_CATEGORY", text, "category of the tag", example="lifecycle")
    tag: str = setting("PREEMPT_TAG", text, "tag of the machines that give way", example="preemptible")
    action: str = setting(
        "PREEMPT_ACTION",
        one_of("suspend", "poweroff"),
        "what happens to them; poweroff is as pulling the plug",
        example="poweroff",
        default="suspend",
    )
    most: int = setting(
        "PREEMPT_MOST", whole_number(1, 1000), "machines that give way at once, at most", example="3", default="3"
    )
    dry_run: bool = setting("PREEMPT_DRY_RUN", flag, "only tell what would be done", example="false", default="true")
    alarms: str = setting(
        "PREEMPT_ALARMS",
        regular_expression,
        "regular expression that the alarm's name matches, in upper or lower case",
        example="cpu|memory",
        default="cpu|memory",
    )
    pause_seconds: float = setting(
        "PREEMPT_PAUSE", duration, "least time between two preemptions in a cluster", example="10m", default="10m"
    )
    age_seconds: float = setting(
        "PREEMPT_AGE",
        duration,
        "age from which an event is no reason any more: one that was redriven, for example",
        example="10m",
        default="10m",
    )
    dedup_size: int = dedup_size_setting("PREEMPT_DEDUP_SIZE")


def secret_http_url(value: str) -> Secret:
    """An absolute http or https URL that may hold a token, and so is secret as a whole."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// URL with a host")
    return Secret(value)


def headers(value: str) -> Mapping[str, Secret]:
    """Name → value, from JSON; the values may be credentials."""
    wrong = "is not JSON of the form {name: value}"
    try:
        found = json.loads(value)
    except ValueError as error:
        raise ValueError(wrong) from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError(wrong)
    sound = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
    bad = [name for name, each in found.items() if not sound.fullmatch(name) or not each.isprintable()]
    if bad:
        raise ValueError(f"has {', '.join(map(repr, bad))}, which cannot be sent as headers")
    return MappingProxyType({name: Secret(each) for name, each in found.items()})


@dataclasses.dataclass(frozen=True)
class WebhookSettings:
    """The webhook reaction."""

    url: Secret = setting(
        "WEBHOOK_URL", secret_http_url, "where events are sent", example="https://hooks.example/T012/B345"
    )
    condition: str | None = setting("WEBHOOK_IF", jinja_expression, IF_MEANING, example=IF_EXAMPLE, default=None)
    method: str = setting(
        "WEBHOOK_METHOD", one_of("POST", "PUT", "PATCH", "DELETE"), "how", example="PUT", default="POST"
    )
    headers: Mapping[str, Secret] = setting(
        "WEBHOOK_HEADERS",
        headers,
        "headers to add, as JSON",
        example='{"Authorization": "Bearer …"}',
        default="{}",
    )
    content_type: str = setting(
        "WEBHOOK_CONTENT_TYPE", text, "what the body is", example="text/plain", default="application/json"
    )
    body: str | None = setting(
        "WEBHOOK_BODY",
        jinja_template,
        "Jinja2 template of the body; unset: the whole event as CloudEvents' JSON, which is also {{ event }}",
        example='{"text": {{ message | tojson }}}',
        default=None,
    )
    key: Secret | None = setting(
        "WEBHOOK_KEY", Secret, "key that the body is signed with (HMAC, SHA-256); unset: no signature", example="'…'",
        default=None,
    )  # fmt: skip
    signature_header: str = setting(
        "WEBHOOK_SIGNATURE_HEADER",
        text,
        "header of the signature, sha256=HEX as GitHub sends it",
        example="X-Signature",
        default="X-Hub-Signature-256",
    )
    ca_bundle: str | None = setting(
        "WEBHOOK_CA_BUNDLE",
        existing_file,
        "file of the authorities that signed the receiver's certificate, in PEM; unset: the usual public ones",
        example="/etc/webhook/ca.pem",
        default=None,
    )
    timeout_seconds: float = setting(
        "WEBHOOK_TIMEOUT", duration, "longest wait for the answer", example="30s", default="10s"
    )
    dedup_size: int = dedup_size_setting("WEBHOOK_DEDUP_SIZE")
