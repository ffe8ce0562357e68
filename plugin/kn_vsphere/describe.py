"""`describe`: one object, with its conditions, its checkpoint and its latest Events, for a person."""

import datetime
import json
from typing import Any

from cluster.resources import CONFIG_MAPS, EVENTS, Object, Resource
from kn_vsphere import ages, table
from kn_vsphere.call import Call
from kn_vsphere.errors import CheckError
from kn_vsphere.site import Site, at_site, failing
from sources.kinds import HORIZON_SOURCES, VSPHERE_BINDINGS, VSPHERE_SOURCES
from sources.names import config_map_name

MAX_EVENTS = 10
MARKS = {"True": "++", "False": "!!", "Unknown": "??"}
"""The marks of conditions that `kn service describe` uses."""

Field = tuple[str, str]
"""A title and a text. A field without text is left out."""


def source(call: Call) -> None:
    """Print a VSphereSource."""
    _describe(call, VSPHERE_SOURCES, "source")


def horizon_source(call: Call) -> None:
    """Print a HorizonSource."""
    _describe(call, HORIZON_SOURCES, "Horizon source")


def binding(call: Call) -> None:
    """Print a VSphereBinding."""
    _describe(call, VSPHERE_BINDINGS, "binding")


def _describe(call: Call, resource: Resource, noun: str) -> None:
    name = call.flags.text("name") or next(iter(call.flags.arguments), "")
    if not name:
        raise CheckError("'name' requires a nonempty name provided with the --name option")
    with at_site(call) as site, failing(f"failed to describe {noun}", site.url):
        obj = site.client.get(resource, site.namespace, name)
        record = _checkpoint(site, name) if resource is not VSPHERE_BINDINGS else {}
        events = _events(site, obj)
    now = datetime.datetime.now(datetime.UTC)
    sections = [
        fields([*_identity(obj, now), *_spec(obj), *_status(obj)]),
        titled("Conditions", table.lines(condition_rows(obj, now))),
        *([titled("Checkpoint", fields(checkpoint_fields(record, now)))] if resource is not VSPHERE_BINDINGS else []),
        titled("Events", table.lines(event_rows(events, now)) if events else ["none in the last hour"]),
    ]
    call.out.write("\n\n".join("\n".join(lines) for lines in sections) + "\n")


def _checkpoint(site: Site, name: str) -> dict[str, Any]:
    """Return the record of a source's checkpoint. Empty if there is none."""
    config_map = site.client.find(CONFIG_MAPS, site.namespace, config_map_name(name)) or {}
    try:
        record = json.loads((config_map.get("data") or {}).get("checkpoint", "{}"))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _events(site: Site, obj: Object) -> list[Object]:
    """Return the latest Events on an object, the latest first."""
    uid = obj["metadata"]["uid"]
    events = site.client.list(EVENTS, site.namespace, field_selector=f"involvedObject.uid={uid}").items
    return sorted(events, key=_last_time, reverse=True)[:MAX_EVENTS]


def _last_time(event: Object) -> str:
    metadata = event["metadata"]
    return str(event.get("lastTimestamp") or event.get("eventTime") or metadata.get("creationTimestamp") or "")


# ── pure ──


def titled(title: str, lines: list[str]) -> list[str]:
    """Return *lines* below a title."""
    return [f"{title}:", *(f"  {line}" for line in lines)]


def fields(pairs: list[Field]) -> list[str]:
    """Return lines with the titles and texts that are not empty, aligned."""
    present = [(title, text) for title, text in pairs if text]
    width = max((len(title) for title, _ in present), default=0) + 3
    return [f"{title + ':':<{width}}{text}" for title, text in present]


def condition_rows(obj: Object, now: datetime.datetime) -> list[list[str]]:
    """Return the rows of the table of conditions: `Ready` first, as kn has them."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    rows = [
        [
            MARKS.get(entry.get("status", ""), "??"),
            entry["type"],
            ages.age(entry.get("lastTransitionTime"), now),
            " : ".join(text for text in (entry.get("reason", ""), entry.get("message", "")) if text),
        ]
        for entry in sorted(conditions, key=lambda entry: (entry["type"] != "Ready", entry["type"]))
    ]
    return [["OK", "TYPE", "AGE", "REASON"], *rows]


def checkpoint_fields(record: dict[str, Any], now: datetime.datetime) -> list[Field]:
    """Return the fields of a checkpoint: its event, its age, and the lag, the time from that event to its record."""
    if not record:
        return [("Position", "none yet: no event was sent")]
    created, saved = _event_time(record), ages.parse(record.get("createdTimestamp"))
    parts = [
        str(record.get("lastEventType") or ""),
        f"key {record['lastEventKey']}" if "lastEventKey" in record else "",
    ]
    ids = ", ".join(str(identity) for identity in record.get("lastEventIds") or ())
    position = ", ".join(part for part in (*parts, f"ids {ids}" if ids else "") if part)
    event_time = f"{created.isoformat(timespec='seconds').replace('+00:00', 'Z')}" if created else ""
    return [
        ("Position", position),
        ("Event time", f"{event_time} ({ages.duration((now - created).total_seconds())} ago)" if created else ""),
        ("Saved", f"{ages.duration((now - saved).total_seconds())} ago" if saved else ""),
        (
            "Lag",
            f"{max((saved - created).total_seconds(), 0):.1f} s from the event to its record"
            if saved and created
            else "",
        ),
    ]


def event_rows(events: list[Object], now: datetime.datetime) -> list[list[str]]:
    """Return the rows of the table of Kubernetes Events."""
    rows = [
        [
            ages.age(_last_time(event), now),
            str(event.get("type", "")),
            str(event.get("reason", "")) + (f" (x{event['count']})" if (event.get("count") or 1) > 1 else ""),
            " ".join(str(event.get("message", "")).split()),
        ]
        for event in events
    ]
    return [["AGE", "TYPE", "REASON", "MESSAGE"], *rows]


def _event_time(record: dict[str, Any]) -> datetime.datetime | None:
    if isinstance(milliseconds := record.get("lastEventTime"), int):
        return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    return ages.parse(record.get("lastEventKeyTimestamp"))


def _identity(obj: Object, now: datetime.datetime) -> list[Field]:
    metadata = obj["metadata"]
    return [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("Age", ages.age(metadata.get("creationTimestamp"), now)),
    ]


def _spec(obj: Object) -> list[Field]:
    spec = obj.get("spec") or {}
    title = "Horizon" if obj["kind"] == HORIZON_SOURCES.kind else "VCenter"
    checkpoint = spec.get("checkpointConfig") or {}
    return [
        (title, f"{spec.get('address', '')}{' (certificate not verified)' if spec.get('skipTLSVerify') else ''}"),
        ("Credentials", f"Secret {(spec.get('secretRef') or {}).get('name', '')}"),
        ("Subject", _subject(spec.get("subject"))),
        ("Sink", _sink(spec.get("sink"))),
        ("Encoding", spec.get("payloadEncoding", "")),
        (
            "Replay",
            f"events of up to {ages.duration(checkpoint['maxAgeSeconds'])} after a restart"
            if checkpoint.get("maxAgeSeconds")
            else "",
        ),
        ("Service Account", spec.get("serviceAccountName", "")),
    ]


def _status(obj: Object) -> list[Field]:
    return [("Sink URI", (obj.get("status") or {}).get("sinkUri", ""))]


def _sink(sink: dict[str, Any] | None) -> str:
    if not sink:
        return ""
    ref = sink.get("ref") or {}
    label = f"{ref['kind']} {ref['name']}" if ref.get("kind") else ""
    return " ".join(part for part in (label, str(sink.get("uri") or "")) if part)


def _subject(subject: dict[str, Any] | None) -> str:
    if not subject:
        return ""
    kind = f"{subject.get('kind')} ({subject.get('apiVersion')})"
    if subject.get("name"):
        return f"{kind} {subject['name']}"
    selector = subject.get("selector") or {}
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        values = f" ({','.join(expression['values'])})" if expression.get("values") else ""
        terms.append(f"{expression['key']} {expression['operator']}{values}")
    return f"{kind} with {', '.join(terms) or 'any labels'}"
