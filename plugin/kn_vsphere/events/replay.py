"""`kn vsphere events replay`."""

import dataclasses
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from kn_vsphere.call import Call
from kn_vsphere.errors import CheckError, CommandError
from kn_vsphere.events import login, values
from kn_vsphere.events.follow import Reader
from kn_vsphere.events.post import Interrupts, Poster, Rejected
from kn_vsphere.events.progress import Progress
from kn_vsphere.events.state import Replay, load, save
from kn_vsphere.grammar import Invocation
from vsphere.cloudevent import to_cloudevent
from vsphere.cursor import DISORDER
from vsphere.event import VCenterEvent
from vsphere.session import Session
from vsphere.vcenter_catalog import EventTypes

SAVE_SECONDS = 1.0
"""Time after which the position is saved. A replay that is killed sends the events since then twice."""


def run(call: Call) -> None:
    """Send the events of a period to a sink, oldest first."""
    check(call.flags)
    with login.session(call) as session, Interrupts() as interrupts:
        replay = _begin(call, session)
        progress = Progress(call, replay)
        poster = Poster(replay.sink, interrupts, call.report)
        try:
            _send_all(call, session, replay, poster, progress)
        except (KeyboardInterrupt, CommandError):
            save(call.environ, replay)
            progress.end()
            call.report(f"Stopped after {progress.events()}. Continue with: {_continuation(replay, session)}")
            raise
    replay.done = True
    save(call.environ, replay)
    progress.end()
    call.print(progress.summary())


def check(flags: Invocation) -> None:
    """Raise `CheckError` for the first flag that is missing, malformed or contradicts another one."""
    sink = flags.text("sink")
    if urlsplit(sink).scheme not in ("http", "https") or not urlsplit(sink).hostname:
        raise CheckError(f"--sink is {sink!r}, not a URL such as http://broker.example/ns/default")
    if flags.is_set("resume"):
        if extra := sorted(flags.given & {"since", "until", "type", "entity", "encoding"}):
            raise CheckError(f"--resume continues a replay as it began: it excludes --{extra[0]}")
    elif not flags.text("since"):
        raise CheckError("name the period with --since, or continue a replay with --resume")
    values.one_of(flags, "encoding")


def _begin(call: Call, session: Session) -> Replay:
    """Return the replay that the flags describe, or the interrupted one. Raises `CheckError` and `CommandError`."""
    flags, url = call.flags, session.settings.sdk_url
    if flags.is_set("resume"):
        interrupted = load(call.environ, url, flags.text("sink"))
        if interrupted is None:
            raise CommandError(f"no replay from {url} to {flags.text('sink')} was interrupted: begin one with --since")
        session.settings = dataclasses.replace(
            session.settings, event_types=interrupted.types, entity=interrupted.entity
        )
        return interrupted
    now = session.server_time()
    since = values.moment("since", flags.text("since"), now)
    until = min(now, values.moment("until", flags.text("until") or "0", now))
    if since >= until:
        raise CheckError(f"--since is {since:%Y-%m-%dT%H:%M:%SZ}, not before --until, {until:%Y-%m-%dT%H:%M:%SZ}")
    settings = session.settings
    return Replay(url, flags.text("sink"), since, until, settings.event_types, settings.entity, flags.text("encoding"))


def _send_all(call: Call, session: Session, replay: Replay, poster: Poster, progress: Progress) -> None:
    skips_rejected = call.flags.is_set("skip-rejected")
    saved_at = time.monotonic()
    types = EventTypes()
    types.refresh(session)
    for event in _events(session, replay, progress):
        encoding = f"application/{replay.encoding}"
        try:
            poster.send(to_cloudevent(event, replay.vcenter, session.api_version, encoding, types.catalog))
            replay.sent += 1
        except Rejected as error:
            if not skips_rejected:
                raise CommandError(f"{error}. --skip-rejected goes on without such events") from error
            progress.report(str(error))
            replay.rejected += 1
        replay.position = event.position
        progress.show()
        if time.monotonic() - saved_at > SAVE_SECONDS:
            save(call.environ, replay)
            saved_at = time.monotonic()


def _events(session: Session, replay: Replay, progress: Progress) -> Iterator[VCenterEvent]:
    """Yield the events of the period that were not sent, oldest first."""
    reader = Reader(session, replay.since, replay.position, progress.report)
    for page in reader.pages(follow=False):
        yield from (event for event in page if replay.since <= event.created_time < replay.until)
        if page[-1].created_time > replay.until + DISORDER:
            return


def _continuation(replay: Replay, session: Session) -> str:
    return f"kn vsphere events replay --vc-address {session.settings.url} --sink {replay.sink} --resume"
