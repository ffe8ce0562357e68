"""Puts virtual modules in the place of `threading`, `time`, `aiohttp` and others, in the modules of the poller only."""

import asyncio
import contextlib
import datetime
import functools
import random
from collections.abc import Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import functions.poller
from delivery import (
    checkpoint_writer,
    checkpointed_sink,
    dispatcher,
    in_flight,
    progress,
    reports,
    sink,
    stores,
)
from functions.poller import first_login, poll
from pipeline import body
from vsphere import history, session, vcenter_catalog

SUBSTITUTED: Mapping[ModuleType, tuple[str, ...]] = {
    functions.poller: ("threading", "time", "log"),
    poll: ("threading", "time", "log"),
    checkpoint_writer: ("threading", "time", "log"),
    checkpointed_sink: ("log",),
    in_flight: ("threading",),
    progress: ("datetime",),
    reports: ("log",),
    sink: ("threading", "time", "uvloop", "log"),
    dispatcher: ("time", "random", "aiohttp", "log"),
    stores: ("datetime", "fcntl", "os"),
    body: ("time",),
    first_login: ("threading", "log"),
    history: ("log",),
    session: ("datetime", "time", "ElementTree", "log"),
    vcenter_catalog: ("log",),
}
"""Module → the names in it that are virtual during a run."""


@contextlib.contextmanager
def substituted(virtual: Mapping[str, Any]) -> Iterator[None]:
    """Use *virtual*, name → module, in place of the real ones."""
    real = [(module, name, getattr(module, name)) for module, names in SUBSTITUTED.items() for name in names]
    for module, name, _ in real:
        setattr(module, name, virtual[name])
    try:
        yield
    finally:
        for module, name, value in real:
            setattr(module, name, value)
        asyncio.set_event_loop(None)


def datetime_of(time: Any) -> SimpleNamespace:
    """Return a `datetime` whose `datetime.now` reads the clock `time.time`."""
    return SimpleNamespace(
        datetime=SimpleNamespace(now=lambda zone: datetime.datetime.fromtimestamp(time.time(), zone)),
        timedelta=datetime.timedelta,
        UTC=datetime.UTC,
    )


def elements_of() -> SimpleNamespace:
    """Return an `ElementTree` that parses a response without results once, since nobody changes what it returns."""
    parse_once = functools.cache(ElementTree.fromstring)

    def parse(text: bytes | str) -> ElementTree.Element:
        is_common = isinstance(text, bytes) and b"<returnval" not in text
        return parse_once(text) if is_common else ElementTree.fromstring(text)

    return SimpleNamespace(fromstring=parse, ParseError=ElementTree.ParseError)


def random_of(generator: random.Random) -> SimpleNamespace:
    """Return a `random` of *generator*."""
    return SimpleNamespace(random=generator.random)
