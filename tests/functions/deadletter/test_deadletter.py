"""deadletter: letters with their reason, and back again; at the end through a Broker that retries."""

import base64
import json
import queue
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest
from flask.testing import FlaskClient

import func
from functions.deadletter import Deadletter, create
from functions.deadletter.handover import hand_over
from functions.deadletter.letters import Letters
from launcher import LARGEST_BODY_BYTES
from local.engine import Engine
from pipeline import cloudevents
from pipeline.cloudevents import CloudEvent, to_binary
from pipeline.errors import SettingsError, TemporaryError
from tests.support.client import get_json, post
from tests.support.headers import event_headers
from tests.support.manifests import BROKER_WITH_DEAD_LETTERS
from tests.support.recorder import Recorder, Request, Response
from tests.support.serving import Served
from tests.support.waiting import wait_until

SERVICE = Path(__file__).parents[3] / "config" / "130-deadletter.yaml"
VCENTER = "https://vcenter.example/sdk"


def letter(number: str = "1", arrival: str = "2026-11-20T10:00:00Z", **attributes: str) -> CloudEvent:
    """An event as a Broker sends it to its dead-letter sink."""
    attributes = {
        "id": number,
        "source": VCENTER,
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "subject": "VirtualMachine/vm-12",
        "datacontenttype": "application/json",
        "knativearrivaltime": arrival,
        "knativeerrordest": "http://tag.vcenter-events.svc",
        "knativeerrorcode": "500",
        "knativeerrordata": base64.b64encode(b"no such tag").decode(),
        **attributes,
    }
    return cloudevents.create({name: value for name, value in attributes.items() if value}, {"Key": int(number)})


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def open_api(function: Deadletter) -> FlaskClient:
    return func.application("deadletter", function).test_client()


def only(function: Deadletter) -> dict[str, Any]:
    """The one letter that the API lists."""
    [found] = (open_api(function).get("/api/letters").json or {})["letters"]
    return dict(found)


# ── keeping ──


def test_letter_says_what_failed_where_why_how_often_and_since_when() -> None:
    function = Deadletter(Letters(None, 10, 10**6, 3600), None, Clock())

    function.handle(letter())

    assert only(function) == {
        "letter": 1,
        "source": VCENTER,
        "id": "1",
        "type": "com.vmware.vsphere.VmPoweredOffEvent.v0",
        "subject": "VirtualMachine/vm-12",
        "time": only(function)["time"],
        "destination": "http://tag.vcenter-events.svc",
        "code": 500,
        "answer": "no such tag",
        "arrival": "2026-11-20T10:00:00Z",
        "failures": 1,
        "firstFailed": "2026-11-20T12:00:00.000+00:00",
        "lastFailed": "2026-11-20T12:00:00.000+00:00",
        "state": "waiting",
        "redrives": 0,
        "changed": "2026-11-20T12:00:00.000+00:00",
        "note": "",
    }


def test_one_letter_shows_the_event_as_it_first_came_to_the_broker() -> None:
    function = create({})
    function.handle(letter(knativebrokerttl="254"))

    event = (open_api(function).get("/api/letters/1").json or {})["event"]

    assert not [name for name in event["attributes"] if name.startswith("knative")]
    assert event["payload"] == '{\n  "Key": 1\n}'


def test_same_letter_delivered_three_times_is_one_failure() -> None:
    function = create({})

    for _ in range(3):
        function.handle(letter())

    assert only(function)["failures"] == 1


def test_event_that_fails_at_two_subscribers_is_two_letters() -> None:
    function = create({})

    function.handle(letter())
    function.handle(letter(knativeerrordest="http://notify.vcenter-events.svc"))

    assert (open_api(function).get("/api/letters").json or {})["counts"]["waiting"] == 2


def test_letter_without_a_reason_is_kept() -> None:
    function = create({})

    function.handle(letter(knativeerrordest="", knativeerrorcode="", knativeerrordata=""))

    assert [only(function)[name] for name in ("destination", "code", "answer")] == ["", None, ""]


def test_reason_that_is_not_base64_is_shown_as_it_came() -> None:
    function = create({})

    function.handle(letter(knativeerrordata="no such tag!"))

    assert only(function)["answer"] == "no such tag!"


def test_letters_outlive_the_process_in_a_file(tmp_path: Path) -> None:
    environ = {"DEADLETTER_FILE": str(tmp_path / "letters.sqlite")}
    first = create(environ)
    first.handle(letter())
    first.close()

    second = create(environ)

    assert only(second)["id"] == "1"
    second.close()


def test_letter_that_cannot_be_stored_is_taken_and_logged_whole(capsys: pytest.CaptureFixture[str]) -> None:
    letters = Letters(None, 10, 10**6, 3600)
    function = Deadletter(letters, None)
    letters.close()

    function.handle(letter())

    said = capsys.readouterr().out
    assert VCENTER in said
    assert "Key" in said
    assert function.unstored == 1


def test_file_that_is_no_database_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "letters.sqlite"
    path.write_text("not a database, and longer than the header of one, which has a hundred bytes" * 9)

    with pytest.raises(SettingsError, match=r"DEADLETTER_FILE is .*letters\.sqlite, which cannot be opened"):
        create({"DEADLETTER_FILE": str(path)})


# ── bounds ──


def test_settled_letters_make_room_before_waiting_ones(capsys: pytest.CaptureFixture[str]) -> None:
    function = create({"DEADLETTER_LETTERS": "3"})
    api = open_api(function)
    for number in ("1", "2", "3"):
        function.handle(letter(number))
    api.post("/api/letters/drop", json={"letters": [2], "reason": "known"})

    function.handle(letter("4"))
    assert [each["letter"] for each in (api.get("/api/letters").json or {})["letters"]] == [4, 3, 1]
    assert "lost to its bounds" not in capsys.readouterr().out

    function.handle(letter("5"))
    assert [each["letter"] for each in (api.get("/api/letters").json or {})["letters"]] == [5, 4, 3]
    assert "lost to its bounds" in capsys.readouterr().out


def test_letters_are_bounded_by_the_size_of_their_events() -> None:
    function = Deadletter(Letters(None, 100, 2000, 3600), None)

    for number in range(9):
        function.handle(letter(str(number), partitionkey="x" * 500))

    assert 1 <= (open_api(function).get("/api/letters").json or {})["counts"]["waiting"] < 4


def test_letters_older_than_the_setting_go() -> None:
    clock = Clock()
    function = Deadletter(Letters(None, 10, 10**6, 3600), None, clock)
    function.handle(letter("1"))
    clock.now += timedelta(seconds=3601)

    function.handle(letter("2"))

    assert only(function)["id"] == "2"


# ── redriving and dropping ──


def test_redriven_event_is_what_first_came_and_is_sent_once_for_two_failed_subscribers() -> None:
    with Recorder() as broker:
        function = create({"K_SINK": broker.url})
        function.handle(letter(knativebrokerttl="3"))
        function.handle(letter(knativeerrordest="http://notify.vcenter-events.svc"))

        answer = open_api(function).post("/api/letters/redrive", json={"all": True})

    assert answer.json == {"redriven": [1, 2], "failed": []}
    [sent] = broker.accepted
    assert not [name for name in sent.headers if name.startswith("ce-knative")]
    assert (sent.headers["ce-id"], sent.headers["ce-source"], json.loads(sent.body)) == ("1", VCENTER, {"Key": 1})


def test_redriven_event_that_fails_again_returns_to_its_letter() -> None:
    with Recorder() as broker:
        function = create({"K_SINK": broker.url})
        function.handle(letter())
        open_api(function).post("/api/letters/redrive", json={"letters": [1]})
        assert only(function)["state"] == "redriven"

        function.handle(letter(arrival="2026-11-20T11:00:00Z", knativeerrorcode="503"))

    again = only(function)
    assert [again[name] for name in ("letter", "state", "failures", "redrives", "code")] == [1, "waiting", 2, 1, 503]
    assert len(broker.accepted) == 1, "nothing is redriven by itself"


def test_event_that_fails_again_before_the_broker_has_answered_keeps_waiting() -> None:
    function: Deadletter

    def fails_at_once(_: Request) -> Response:
        function.handle(letter(arrival="2026-11-20T11:00:00Z"))
        return Response()

    with Recorder(fails_at_once) as broker:
        function = create({"K_SINK": broker.url})
        function.handle(letter())
        open_api(function).post("/api/letters/redrive", json={"all": True})

    again = only(function)
    assert [again[name] for name in ("state", "failures", "redrives")] == ["waiting", 2, 1]


def test_selection_by_destination_and_type_redrives_only_what_waits_there() -> None:
    with Recorder() as broker:
        function = create({"K_SINK": broker.url})
        for number, destination in (("1", "http://tag"), ("2", "http://notify"), ("3", "http://tag")):
            function.handle(letter(number, knativeerrordest=destination))
        api = open_api(function)
        api.post("/api/letters/drop", json={"letters": [3], "reason": "known"})

        answer = api.post("/api/letters/redrive", json={"destination": "http://tag"})

    assert answer.json == {"redriven": [1], "failed": []}
    assert broker.ids == [1]


@pytest.mark.parametrize("status", [400, 429, 503, 0])
def test_letter_that_the_broker_does_not_take_keeps_waiting_and_says_why(status: int) -> None:
    with Recorder(lambda _: Response(status)) as broker:
        function = create({"K_SINK": broker.url})
        function.handle(letter())

        answer = open_api(function).post("/api/letters/redrive", json={"all": True})

    assert answer.status_code == 502
    assert only(function)["state"] == "waiting"
    assert only(function)["note"].startswith("the Broker")


def test_without_a_broker_redriving_says_what_is_not_set() -> None:
    function = create({})
    function.handle(letter())

    answer = open_api(function).post("/api/letters/redrive", json={"all": True})

    assert (answer.status_code, "K_SINK" in answer.text) == (503, True)


def test_dropped_letter_keeps_its_reason() -> None:
    function = create({})
    function.handle(letter())

    answer = open_api(function).post("/api/letters/drop", json={"letters": [1, 7], "reason": " the VM is gone "})

    assert answer.json == {"dropped": [1], "failed": [{"letter": 7, "reason": "there is no such letter"}]}
    assert (only(function)["state"], only(function)["note"]) == ("dropped", "the VM is gone")


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("redrive", {}, "select with"),
        ("redrive", {"letters": ["1"]}, "not a list of numbers"),
        ("redrive", {"letters": 1}, "not a list of numbers"),
        ("redrive", [1], "not a JSON object"),
        ("redrive", {"type": 3}, "are text"),
        ("drop", {"letters": [1]}, "say why"),
        ("drop", {"letters": [1], "reason": " "}, "say why"),
    ],
)
def test_request_that_says_too_little_changes_nothing(path: str, body: Any, reason: str) -> None:
    function = create({})
    function.handle(letter())

    answer = open_api(function).post(f"/api/letters/{path}", json=body)

    assert answer.status_code == 400
    assert reason in (answer.json or {})["error"]
    assert only(function)["state"] == "waiting"


def test_form_of_a_foreign_page_changes_nothing() -> None:
    function = create({})
    function.handle(letter())

    answer = open_api(function).post(
        "/api/letters/drop", data='{"all": true, "reason": "x"}', content_type="text/plain"
    )

    assert answer.status_code == 415
    assert only(function)["state"] == "waiting"


def test_list_is_paged_and_filtered() -> None:
    function = create({})
    for number in range(5):
        function.handle(letter(str(number), knativeerrordest="http://even" if number % 2 == 0 else "http://odd"))
    api = open_api(function)

    first = api.get("/api/letters?limit=2").json or {}
    second = api.get(f"/api/letters?limit=2&before={first['next']}").json or {}
    even = api.get("/api/letters?destination=http://even&state=waiting").json or {}

    assert [each["letter"] for each in first["letters"] + second["letters"]] == [5, 4, 3, 2]
    assert [each["id"] for each in even["letters"]] == ["4", "2", "0"]
    assert api.get("/api/letters?state=lost").status_code == 400


# ── handing over to the next pod ──


def described(letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Letters but for their numbers, in an order of their own."""
    return sorted(({**each, "letter": 0} for each in letters), key=lambda each: (each["source"], each["id"]))


def test_pod_that_ends_hands_its_letters_to_the_next_one_as_they_are() -> None:
    with Recorder() as broker, Served("deadletter", K_SINK=broker.url) as second:
        with Served("deadletter", K_SINK=broker.url, DEADLETTER_HANDOVER=second.address) as first:
            for number in range(1, 6):
                headers, body = to_binary(letter(str(number)))
                assert first.request("POST", "/", body, headers)[0] == 202
            as_json = {"content-type": "application/json"}
            assert first.request("POST", "/api/letters/redrive", '{"letters": [2]}', as_json)[0] == 200
            dropping = '{"letters": [3], "reason": "ist größer"}'.encode()
            assert first.request("POST", "/api/letters/drop", dropping, as_json)[0] == 200
            before = json.loads(first.request("GET", "/api/letters")[1])
            events = [json.loads(first.request("GET", f"/api/letters/{number}")[1])["event"] for number in range(1, 6)]

            first.signal(SIGTERM)
            assert first.wait() == 0
            assert "dead letters handed over" in [line["message"] for line in first.lines]

        after = json.loads(second.request("GET", "/api/letters")[1])
        ids = {each["id"]: each["letter"] for each in after["letters"]}
        assert described(after["letters"]) == described(before["letters"])
        assert after["counts"] == {"waiting": 3, "redriven": 1, "dropped": 1, "unstored": 0}
        assert [
            json.loads(second.request("GET", f"/api/letters/{ids[str(number)]}")[1])["event"] for number in range(1, 6)
        ] == events


def test_letter_that_failed_at_the_next_pod_meanwhile_stays_as_it_is_there() -> None:
    with Served("deadletter") as second:
        headers, body = to_binary(letter(knativeerrorcode="503"))
        assert second.request("POST", "/", body, headers)[0] == 202
        first = create({"DEADLETTER_HANDOVER": second.address})
        first.handle(letter(knativeerrorcode="500"))

        first.close()

        [kept] = json.loads(second.request("GET", "/api/letters")[1])["letters"]

    assert (kept["code"], kept["failures"]) == (503, 1)


def test_handing_over_waits_for_a_pod_that_is_not_ready_and_sends_as_much_as_a_request_may_hold() -> None:
    with Recorder(lambda _: Response(200)) as following:
        following.statuses = [503, 503]
        function = create({"DEADLETTER_HANDOVER": following.url})
        for number in range(8):
            function.handle(letter(str(number), subject="größer" * 30_000))
        function.close()

    assert [each.status for each in following.requests] == [503, 503, *[200] * (len(following.requests) - 2)]
    assert len(following.accepted) > 1
    assert max(len(each.body) for each in following.accepted) < LARGEST_BODY_BYTES
    assert [each["id"] for body in following.bodies for each in body["letters"]] == [str(each) for each in range(8)]


@pytest.mark.parametrize("status", [0, 400, 409])
def test_letters_that_nobody_takes_are_told_of_at_once(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with Recorder(lambda _: Response(status)) as following:
        function = create({"DEADLETTER_HANDOVER": following.url})
        function.handle(letter())
        function.close()

    said = capsys.readouterr().out
    assert "dead letters not handed over" in said
    assert "waiting=1" in said
    assert len(following.requests) == 1


def test_letters_that_there_is_no_time_for_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    letters = Letters(None, 10, 10**8, 3600)
    function = Deadletter(letters, None)
    for number in range(8):
        function.handle(letter(str(number), subject="größer" * 30_000))

    with Recorder() as following:
        following.gate.clear()
        hand_over(letters, following.url, function.name, seconds=0.5)

    assert "waiting=8" in capsys.readouterr().out
    assert len(following.requests) == 1, "each of the others would take time that the process does not have"


def test_pod_hands_nothing_to_itself() -> None:
    function = create({})
    function.handle(letter())

    answer = open_api(function).post("/api/letters/handover", json={"from": function.name, "letters": []})

    assert answer.status_code == 409


def test_nothing_is_kept_by_a_pod_that_has_handed_its_letters_over() -> None:
    function = create({})
    api = open_api(function)
    function.close()

    with pytest.raises(TemporaryError, match="the next one takes"):
        function.handle(letter())
    assert api.post("/api/letters/handover", json={"from": "another", "letters": []}).status_code == 503


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"failures": "2"}, "not as a letter has it: failures"),
        ({"source": None}, "not as a letter has it: source"),
        ({"state": "lost"}, "state is 'lost'"),
        ({"firstFailed": "yesterday"}, "cannot be read"),
        ({"event": None}, "cannot be read"),
        ({"event": {"id": "1"}}, "cannot be read"),
        ({"id": "2"}, "another event's source or id"),
    ],
)
def test_handed_over_letter_that_is_none_is_refused_with_all_that_came_along(
    change: dict[str, Any], reason: str
) -> None:
    with Recorder(lambda _: Response(200)) as following:
        first = create({"DEADLETTER_HANDOVER": following.url})
        first.handle(letter())
        first.close()
    [body] = following.bodies
    body["letters"].append({**body["letters"][0], **change})
    api = open_api(create({}))

    answer = api.post("/api/letters/handover", json=body)

    assert (answer.status_code, reason in answer.text) == (400, True), answer.text
    assert (api.get("/api/letters").json or {})["letters"] == []
    assert api.post("/api/letters/handover", json={"from": "another", "letters": 3}).status_code == 400


# ── through a Broker ──

TRIGGER = """
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: reaction, namespace: vcenter-events}}
spec:
  broker: default
  subscriber:
    uri: {reaction}/
"""


def test_event_that_a_reaction_refuses_is_retried_kept_redriven_and_handled_once_it_is_mended(
    tmp_path: Path, subscriber: Callable[..., Any]
) -> None:
    mended = queue.SimpleQueue[bool]()

    def answer(_: Request) -> Response:
        return Response(500, b"the tag is missing") if mended.empty() else Response()

    reaction = subscriber(answer)
    objects = tmp_path / "objects.yaml"
    objects.write_text(BROKER_WITH_DEAD_LETTERS + TRIGGER.format(reaction=reaction.url))

    with Engine([SERVICE, objects], tmp_path / "state") as engine:
        engine.start()
        letters = f"{engine.url('deadletter')}/api/letters"
        status, _ = post(engine.broker_url("vcenter-events", "default"), event_headers("4711"), b'{"a": 1}')
        assert status == 202
        attempts = [reaction.next() for _ in range(2)]
        wait_until(lambda: get_json(letters)["counts"]["waiting"] == 1)
        [kept] = get_json(letters)["letters"]
        assert (kept["code"], kept["answer"], kept["failures"]) == (500, "the tag is missing", 1)
        assert kept["destination"].rstrip("/") == reaction.url

        # Redriven before it is mended, it fails and is back under its number.
        everything = {"content-type": "application/json"}, b'{"all": true}'
        assert post(f"{letters}/redrive", *everything) == (200, '{"redriven": [1], "failed": []}')
        attempts += [reaction.next() for _ in range(2)]
        wait_until(lambda: get_json(letters)["counts"]["waiting"] == 1)
        [again] = get_json(letters)["letters"]
        assert (again["letter"], again["failures"], again["redrives"]) == (1, 2, 1)

        mended.put(True)
        assert post(f"{letters}/redrive", *everything) == (200, '{"redriven": [1], "failed": []}')
        attempts.append(reaction.next())
        wait_until(lambda: engine.status().brokers[next(iter(engine.status().brokers))].pending == 0)
        assert get_json(letters)["counts"] == {"waiting": 0, "redriven": 1, "dropped": 0, "unstored": 0}

    assert len(attempts) == 5
    assert len(reaction.requests) == 5
    assert {(each.headers["ce-id"], each.body) for each in attempts} == {("4711", b'{"a": 1}')}
