"""Sending events: to the sink or to the display, nowhere else."""

from collections.abc import Mapping

import pytest

from functions.display.send import Sender
from pipeline.errors import PermanentError, TemporaryError
from tests.support.display import EVENT
from tests.support.recorder import Recorder


def receive(headers: Mapping[str, str], body: bytes) -> None:
    pass


def test_event_goes_to_the_sink(sink: Recorder) -> None:
    result = Sender(sink.url, receive).send("sink", EVENT)

    assert result["status"] == 202
    assert sink.bodies == [EVENT]


def test_event_goes_nowhere_else(sink: Recorder) -> None:
    with pytest.raises(PermanentError, match="not one of sink, display"):
        Sender(sink.url, receive).send("http://elsewhere.example", EVENT)


def test_invalid_event_is_not_sent(sink: Recorder) -> None:
    with pytest.raises(PermanentError, match="missing attributes: specversion, source, type"):
        Sender(sink.url, receive).send("sink", {"id": "1"})
    assert sink.requests == []


def test_proxy_is_not_used(sink: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    assert Sender(sink.url, receive).send("sink", EVENT)["status"] == 202


def test_sink_that_cannot_be_reached_is_a_temporary_error() -> None:
    with pytest.raises(TemporaryError, match=r"send to http://127\.0\.0\.1:9: "):
        Sender("http://127.0.0.1:9", receive).send("sink", EVENT)
