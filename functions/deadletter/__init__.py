"""deadletter: where events go that could not be delivered, and from where they come back.

`letters.py` keeps them, `api.py` lists, redrives and drops them, `handover.py` gives them to the next pod. It is the
Broker's dead-letter sink, so it takes whatever comes: an error answered here makes the Broker try again and then lose
the event. Nothing is redriven by itself and nothing is replied, so letters cannot go round in circles. What never
belongs here: mending what refused the event.
"""

import base64
import binascii
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import requests
import structlog
from flask import Blueprint

from functions import Environ
from functions.deadletter import api
from functions.deadletter.handover import hand_over
from functions.deadletter.letters import Failure, Letter, Letters
from functions.deadletter.settings import DeadletterSettings
from pipeline import settings
from pipeline.cloudevents import LENIENT, CloudEvent, from_json, to_binary
from pipeline.errors import SettingsError, TemporaryError, cut

ADDED_BY_BROKER = ("knativeerrordest", "knativeerrorcode", "knativeerrordata", "knativearrivaltime", "knativebrokerttl")
"""What a Broker adds to an event: not the event's own, and added anew when it is redriven."""

ANSWER_CHARACTERS = 1024
"""As much of the subscriber's answer as Knative hands on."""

REDRIVE_SECONDS = 10.0
"""How long the Broker may take to accept one event; it does not wait for the delivery."""

log = structlog.get_logger()


def utc_now() -> datetime:
    """The time, for what happened when."""
    return datetime.now(UTC)


class Deadletter:
    """Keeps dead letters until a person redrives or drops them."""

    def __init__(
        self,
        letters: Letters,
        broker_url: str | None,
        clock: Callable[[], datetime] = utc_now,
        handover_url: str | None = None,
    ) -> None:
        self._letters = letters
        self._broker_url = broker_url
        self._clock = clock
        self._handover_url = handover_url
        self.name = uuid.uuid4().hex
        """This process, so that it hands nothing over to itself."""
        self.unstored = 0
        """Letters that could not be stored, and stand whole in the log instead."""
        self.blueprint: Blueprint | None = api.blueprint(self, letters)

    def handle(self, event: CloudEvent) -> None:
        """Keep *event*. One that cannot be stored is logged whole, because here nobody comes after.

        Raises `TemporaryError` only when the process is ending: the Broker tries again, and the next pod takes it.
        """
        try:
            failure = failure_of(event)
            number, failures = self._letters.keep(own_part(event), failure, self._clock())
        except TemporaryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, to answer with an error is to lose the event
            self.unstored += 1
            log.error("dead letter could not be stored, it is only here", fault=repr(error), letter=repr(event))
            return
        log.warning(
            "dead letter kept",
            letter=number,
            failures=failures,
            id=event["id"],
            source=event["source"],
            destination=failure.destination,
            code=failure.code,
            answer=cut(failure.answer),
        )

    def redrive(self, chosen: Sequence[Letter]) -> dict[int, str]:
        """Send the *chosen* to the Broker again; letter → why not, for those that it did not take.

        An event that failed at several subscribers is sent once: the Broker hands it to all of them anyway. Raises
        `TemporaryError` where there is no Broker to send to.
        """
        if self._broker_url is None:
            raise TemporaryError("redrive: K_SINK is not set, so there is no Broker to send to")
        failed: dict[int, str] = {}
        with requests.Session() as session:
            session.trust_env = False  # the Broker is in the cluster: no proxy is for it
            for letters in by_event(chosen):
                reason = self._send(session, letters[0].number)
                for letter in letters:
                    if reason:
                        self._letters.note(letter, reason)
                        failed[letter.number] = reason
                    else:
                        self._letters.redriven(letter, self._clock())
        log.info("dead letters redriven", letters=len(chosen) - len(failed), failed=len(failed))
        return failed

    def drop(self, chosen: Sequence[Letter], reason: str) -> None:
        """Give the *chosen* up, for *reason*; they stay listed as dropped until they make room for others."""
        for letter in chosen:
            self._letters.drop(letter, reason, self._clock())
            log.warning("dead letter dropped", letter=letter.number, id=letter.id, source=letter.source, reason=reason)

    def take(self, handed: Sequence[tuple[Letter, str]]) -> None:
        """Keep letters, with their events, that another pod had. Raises `TemporaryError` when this one is ending."""
        self._letters.take(handed, self._clock())
        log.info("dead letters taken over", letters=len(handed))

    def _send(self, session: requests.Session, number: int) -> str:
        """Send a letter's event to the Broker; why it did not take it, or ""."""
        document = self._letters.document(number)
        if document is None:
            return "the letter is gone"
        headers, body = to_binary(from_json(document, LENIENT), percent_encoded=False)
        try:
            answer = session.post(self._broker_url or "", data=body, headers=headers, timeout=REDRIVE_SECONDS)
        except requests.RequestException as error:
            return f"the Broker cannot be reached: {cut(str(error))}"
        return "" if answer.ok else f"the Broker answered {answer.status_code}: {cut(answer.text)}".removesuffix(": ")

    def close(self) -> None:
        """Hand the letters over, then close the store."""
        self._letters.seal()
        try:
            if self._handover_url is not None:
                hand_over(self._letters, self._handover_url, self.name)
        finally:
            self._letters.close()


def failure_of(event: CloudEvent) -> Failure:
    """What the Broker says of the failed delivery; it says nothing when the request timed out."""
    code = str(event.get("knativeerrorcode") or "")
    return Failure(
        destination=str(event.get("knativeerrordest") or ""),
        code=int(code) if code.isdecimal() and len(code) < 4 else None,
        answer=answer_in(str(event.get("knativeerrordata") or "")),
        arrival=str(event.get("knativearrivaltime") or ""),
    )


def answer_in(data: str) -> str:
    """The subscriber's answer in `knativeerrordata`: base64 since Knative 1.0, plain text before."""
    try:
        answer = base64.b64decode(data, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        answer = data
    return answer[:ANSWER_CHARACTERS].strip()


def own_part(event: CloudEvent) -> CloudEvent:
    """*event* as it first came to the Broker."""
    attributes = {name: value for name, value in event.attributes.items() if name not in ADDED_BY_BROKER}
    return CloudEvent(attributes, event.data)


def by_event(letters: Sequence[Letter]) -> list[list[Letter]]:
    """The letters of each event together, in order."""
    together: dict[tuple[str, str], list[Letter]] = {}
    for letter in letters:
        together.setdefault((letter.source, letter.id), []).append(letter)
    return list(together.values())


def create(environ: Environ) -> Deadletter:
    """deadletter with the settings in *environ*. Raises `SettingsError` with every fault."""
    wanted = settings.read(DeadletterSettings, environ)
    try:
        letters = Letters(wanted.file, wanted.most, wanted.megabytes * 1_000_000, wanted.age_seconds)
    except sqlite3.Error as error:
        raise SettingsError([f"DEADLETTER_FILE is {wanted.file}, which cannot be opened: {error}"]) from error
    return Deadletter(letters, wanted.broker_url, handover_url=wanted.handover_url)
