"""The state of a replay, in a file, so that an interrupted one continues."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kn_vsphere.errors import CommandError
from pipeline.times import rfc3339, utc
from vsphere.event import Position


@dataclasses.dataclass
class Replay:
    """One replay and its progress."""

    vcenter: str
    """The SDK's address."""
    sink: str
    since: datetime.datetime
    until: datetime.datetime
    types: tuple[str, ...] = ()
    entity: str | None = None
    encoding: str = "json"
    position: Position | None = None
    """The last event that was sent."""
    sent: int = 0
    rejected: int = 0
    done: bool = False


def load(environ: Mapping[str, str], vcenter: str, sink: str) -> Replay | None:
    """Return the interrupted replay from *vcenter* to *sink*, if there is one. Raises `CommandError`."""
    file = path(environ, vcenter, sink)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return _from_document(document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"read the state of the replay in {file}: {type(error).__name__}: {error}") from error


def save(environ: Mapping[str, str], replay: Replay) -> None:
    """Save *replay*, or remove its file if it is done. Raises `CommandError`."""
    file = path(environ, replay.vcenter, replay.sink)
    try:
        if replay.done:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(_document(replay)), encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            file.with_suffix(f".{os.getpid()}").unlink()
        raise CommandError(f"save the state of the replay in {file}: {error}") from error


def path(environ: Mapping[str, str], vcenter: str, sink: str) -> Path:
    """Return the file of the replay from *vcenter* to *sink*."""
    state = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME', '~')}/.local/state"
    digest = hashlib.sha256(f"{vcenter}\0{sink}".encode()).hexdigest()[:16]
    return Path(state).expanduser() / "kn-vsphere" / f"replay-{digest}.json"


def _document(replay: Replay) -> dict[str, Any]:
    position = replay.position
    return {
        "vcenter": replay.vcenter,
        "sink": replay.sink,
        "since": rfc3339(replay.since),
        "until": rfc3339(replay.until),
        "types": list(replay.types),
        "entity": replay.entity,
        "encoding": replay.encoding,
        "position": [position.key, rfc3339(position.created_time), position.event_type] if position else None,
        "sent": replay.sent,
        "rejected": replay.rejected,
    }


def _from_document(document: Mapping[str, Any]) -> Replay:
    position = document["position"]
    return Replay(
        document["vcenter"],
        document["sink"],
        utc(document["since"]),
        utc(document["until"]),
        tuple(document["types"]),
        document["entity"],
        document["encoding"],
        Position(int(position[0]), utc(position[1]), str(position[2])) if position else None,
        int(document["sent"]),
        int(document["rejected"]),
    )
