"""The Broker over real HTTP: the ingress's responses, and what reaches subscribers and dead-letter sinks."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import structlog

from local.broker import MAX_RESPONSE_BYTES, Broker, BrokerServer, Limits, Subscription
from local.delivery import Retries
from local.objects import Name
from pipeline.filter import compile_filter
from tests.support import client
from tests.support.flood import flood
from tests.support.headers import event_headers
from tests.support.malformed_requests import MALFORMED, MalformedRequest
from tests.support.recorder import Recorder, Response
from tests.support.waiting import wait_until_async

NAME = Name("default", "main")
EVERYTHING = compile_filter({})
NO_RETRIES = Retries()
USUAL = Limits()
MakeSubscriber = Callable[..., Recorder]


def to(url: str, *, name: str = "one", retries: Retries = NO_RETRIES, dead_letter_url: str = "") -> Subscription:
    return Subscription(Name("default", name), EVERYTHING, url, retries, dead_letter_url)


@contextlib.asynccontextmanager
async def running(*subscriptions: Subscription, limits: Limits = USUAL) -> AsyncIterator[Broker]:
    server = BrokerServer(limits)
    await server.start()
    try:
        yield server.add(NAME, subscriptions)
    finally:
        await server.close()


async def send(url: str, headers: dict[str, str], body: bytes = b"", method: str = "POST") -> tuple[int, str]:
    return await asyncio.to_thread(client.send, method, url, headers, body)


def delivered(
    subscription: Subscription, done: Callable[[Broker], bool], headers: dict[str, str], body: bytes = b""
) -> Broker:
    """Send one event through a Broker with *subscription*, wait until *done*, and give the Broker."""

    async def run() -> Broker:
        async with running(subscription) as broker:
            assert (await send(broker.url, headers, body))[0] == 202
            await wait_until_async(lambda: done(broker) and broker.counts.pending == 0)
            return broker

    return asyncio.run(run())


# ── ingress ──


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "reason"),
    [
        ("/default/main", "POST", event_headers(), 202, ""),
        ("/default/main/", "POST", event_headers(), 202, ""),
        ("/default/other", "POST", event_headers(), 404, "no Broker default/other"),
        ("/", "POST", event_headers(), 404, "/<namespace>/<name>"),
        ("/default", "POST", event_headers(), 400, "/<namespace>/<name>"),
        ("/default/main", "GET", {}, 405, "POST"),
        ("/default/main", "OPTIONS", {}, 200, ""),
        ("/default/other", "POST", {}, 400, "ce-specversion"),
        ("/default/main", "POST", event_headers(knativebrokerttl="1"), 400, "loop"),
    ],
)
def test_ingress_answers_as_knatives_does(
    path: str, method: str, headers: dict[str, str], status: int, reason: str
) -> None:
    async def run() -> tuple[int, str]:
        async with running() as broker:
            return await send(broker.url.removesuffix("/default/main") + path, headers, method=method)

    answered, text = asyncio.run(run())

    assert answered == status
    assert reason in text


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_ingress_rejects_a_malformed_request_with_every_problem(malformed: MalformedRequest) -> None:
    async def run() -> tuple[int, str]:
        async with running() as broker:
            return await send(broker.url, dict(malformed.headers), malformed.body)

    status, text = asyncio.run(run())

    assert status == 400
    assert text.startswith(f"not a CloudEvent: {malformed.strict}")


def test_full_broker_responds_429_until_it_has_room(subscriber: MakeSubscriber) -> None:
    there = subscriber()
    there.gate.clear()

    async def run() -> list[int]:
        async with running(to(there.url), limits=Limits(events=2)) as broker:
            statuses = [(await send(broker.url, event_headers(str(number))))[0] for number in range(3)]
            there.gate.set()
            await wait_until_async(lambda: broker.counts.pending == 0)
            return [*statuses, (await send(broker.url, event_headers("4")))[0]]

    assert asyncio.run(run()) == [202, 202, 429, 202]


def test_broker_is_full_by_bytes_too(subscriber: MakeSubscriber) -> None:
    there = subscriber()
    there.gate.clear()

    async def run() -> list[int]:
        async with running(to(there.url), limits=Limits(bytes=20_000)) as broker:
            statuses = [(await send(broker.url, event_headers(), b"x" * 8_000))[0] for _ in range(3)]
            statuses.append((await send(broker.url, event_headers(), b"x" * 30_000))[0])
            return statuses

    assert asyncio.run(run()) == [202, 202, 429, 413]


# ── delivery ──


def test_delivered_event_has_its_arrival_time_and_no_ttl(
    subscriber: MakeSubscriber,
) -> None:
    there = subscriber()

    delivered(
        to(there.url + "/in"),
        lambda broker: broker.counts.delivered == 1,
        {**event_headers(subject="vm-1", custom="x"), "content-type": "text/xml", "x-request-id": "r", "cookie": "no"},
        b"<a/>",
    )

    request = there.next()
    assert (request.path, request.body) == ("/in", b"<a/>")
    assert request.headers["content-type"] == "text/xml"
    assert request.headers["ce-custom"] == "x"
    assert request.headers["prefer"] == "reply"
    assert request.headers["x-request-id"] == "r"
    assert request.headers["ce-knativearrivaltime"].endswith("Z")
    assert "ce-knativebrokerttl" not in request.headers
    assert "cookie" not in request.headers


def test_structured_format_is_sent_if_the_trigger_has_it(subscriber: MakeSubscriber) -> None:
    there = subscriber()

    delivered(
        to(there.url, retries=Retries(structured=True)), lambda broker: broker.counts.delivered == 1, event_headers()
    )

    assert there.next().headers["content-type"] == "application/cloudevents+json"


def test_only_triggers_that_match_get_the_event(subscriber: MakeSubscriber) -> None:
    first, second = subscriber(), subscriber()
    matching = Subscription(
        Name("default", "a"), compile_filter({"filter": {"attributes": {"type": "a.b"}}}), first.url
    )
    other = Subscription(Name("default", "b"), compile_filter({"filter": {"attributes": {"type": "c"}}}), second.url)

    async def run() -> None:
        async with running(matching, other) as broker:
            await send(broker.url, event_headers("1", "a.b"))
            await send(broker.url, event_headers("2", "a.b"))
            await send(broker.url, event_headers("3", "none"))
            await wait_until_async(lambda: broker.counts.delivered == 2)

    asyncio.run(run())
    assert {first.next().headers["ce-id"], first.next().headers["ce-id"]} == {"1", "2"}
    assert len(first.requests) == 2
    assert not second.requests


def test_filter_cannot_see_the_brokers_own_mark(subscriber: MakeSubscriber) -> None:
    there = subscriber()
    marked = compile_filter({"filter": {"attributes": {"knativebrokerttl": ""}}})

    async def run() -> int:
        async with running(Subscription(NAME, marked, there.url)) as broker:
            await send(broker.url, event_headers())
            return broker.counts.pending

    assert asyncio.run(run()) == 0


def test_waiting_retries_do_not_hold_up_other_events(subscriber: MakeSubscriber) -> None:
    there = subscriber(lambda request: Response(503 if request.headers["ce-id"].startswith("bad") else 200))
    retries = Retries(maximum=1, policy="exponential", delay_seconds=3600)

    async def run() -> None:
        async with running(to(there.url, retries=retries), limits=Limits(requests=2)) as broker:
            for event_id in ("bad1", "bad2", "bad3", "good"):
                await send(broker.url, event_headers(event_id))
            await wait_until_async(lambda: broker.counts.delivered == 1)

    asyncio.run(run())


def test_concurrent_requests_are_bounded_for_each_trigger(subscriber: MakeSubscriber) -> None:
    there = subscriber()
    there.gate.clear()

    async def run() -> None:
        async with running(to(there.url), limits=Limits(requests=3)) as broker:
            for number in range(8):
                await send(broker.url, event_headers(str(number)))
            await wait_until_async(lambda: len(there.requests) == 3)
            there.gate.set()
            await wait_until_async(lambda: broker.counts.delivered == 8)

    asyncio.run(run())
    assert there.waiting.maximum == 3


# ── retries and dead letters ──


def test_failed_delivery_is_repeated_until_it_succeeds(subscriber: MakeSubscriber) -> None:
    statuses = iter([503, 404, 429, 200])
    there = subscriber(lambda _: Response(next(statuses)))

    broker = delivered(
        to(there.url, retries=Retries(maximum=5)), lambda broker: broker.counts.delivered == 1, event_headers()
    )

    assert len(there.requests) == 4
    assert broker.counts.failed == 0


def test_permanent_failure_goes_to_the_dead_letter_sink(subscriber: MakeSubscriber) -> None:
    there, sink = subscriber(lambda _: Response(400, b"no such virtual machine")), subscriber()

    broker = delivered(
        to(there.url, retries=Retries(maximum=5), dead_letter_url=sink.url),
        lambda broker: broker.counts.dead_lettered == 1,
        {**event_headers(), "content-type": "text/plain"},
        b"data",
    )

    dead_letter = sink.next()
    assert len(there.requests) == 1
    assert broker.counts.failed == 1
    assert dead_letter.body == b"data"
    assert dead_letter.headers["ce-knativeerrordest"] == there.url
    assert dead_letter.headers["ce-knativeerrorcode"] == "400"
    assert base64.b64decode(dead_letter.headers["ce-knativeerrordata"]) == b"no such virtual machine"


def test_dead_letter_sink_is_retried_too(subscriber: MakeSubscriber) -> None:
    sink_statuses = iter([503, 202])
    there, sink = subscriber(lambda _: Response(500)), subscriber(lambda _: Response(next(sink_statuses)))

    delivered(
        to(there.url, retries=Retries(maximum=2), dead_letter_url=sink.url),
        lambda broker: broker.counts.dead_lettered == 1,
        event_headers(),
    )

    assert len(there.requests) == 3
    assert len(sink.requests) == 2


def test_unreachable_subscriber_is_a_500_in_the_dead_letter(subscriber: MakeSubscriber) -> None:
    sink, closed = subscriber(), subscriber()
    closed.stop()

    delivered(
        to(closed.url, dead_letter_url=sink.url), lambda broker: broker.counts.dead_lettered == 1, event_headers()
    )

    headers = sink.next().headers
    assert headers["ce-knativeerrorcode"] == "500"
    assert base64.b64decode(headers["ce-knativeerrordata"]).startswith(b"dispatch error: ")


def test_dead_letter_of_a_timeout_has_no_reason(subscriber: MakeSubscriber) -> None:
    there, sink = subscriber(), subscriber()
    there.gate.clear()
    delivered(
        to(there.url, retries=Retries(maximum=1, timeout_seconds=0.1), dead_letter_url=sink.url),
        lambda broker: broker.counts.dead_lettered == 1,
        event_headers(),
    )

    assert len(there.requests) == 2
    assert "ce-knativeerrorcode" not in sink.next().headers


def test_success_with_a_body_that_is_not_an_event_is_a_failure(subscriber: MakeSubscriber) -> None:
    there = subscriber(lambda _: Response(200, b"OK"))

    broker = delivered(
        to(there.url, retries=Retries(maximum=1)), lambda broker: broker.counts.failed == 1, event_headers()
    )

    assert len(there.requests) == 2
    assert broker.counts.delivered == 0


def test_event_without_dead_letter_sink_is_counted_as_failed(subscriber: MakeSubscriber) -> None:
    there = subscriber(lambda _: Response(403))

    broker = delivered(to(there.url), lambda broker: broker.counts.failed == 1, event_headers())

    assert broker.counts.dead_lettered == 0


def test_response_that_would_make_knative_panic_is_reported(subscriber: MakeSubscriber) -> None:
    there = subscriber(lambda _: Response(400, b"x" * 769))

    with structlog.testing.capture_logs() as logs:
        delivered(to(there.url), lambda broker: broker.counts.failed == 1, event_headers())

    assert [line["max_bytes"] for line in logs if "survives" in line["event"]] == [768]


# ── replies ──


def with_reply(subscriber: MakeSubscriber, reply: Response) -> tuple[Recorder, list[Subscription]]:
    """Return a subscriber of `reply`, and the subscriptions of it and of one that answers a `request` with *reply*."""
    replier, receiver = subscriber(lambda _: reply), subscriber()
    return receiver, [
        Subscription(Name("default", event_type), compile_filter({"filter": {"attributes": {"type": event_type}}}), url)
        for event_type, url in (("request", replier.url), ("reply", receiver.url))
    ]


def exchanged(subscriptions: list[Subscription], done: Callable[[Broker], bool]) -> None:
    async def run() -> None:
        async with running(*subscriptions) as broker:
            await send(broker.url, event_headers("1", "request"))
            await wait_until_async(lambda: done(broker))

    asyncio.run(run())


def test_reply_event_goes_back_to_the_broker(subscriber: MakeSubscriber) -> None:
    reply = Response(200, b"<b/>", {**event_headers("2", "reply"), "content-type": "text/xml"})
    receiver, subscriptions = with_reply(subscriber, reply)

    exchanged(subscriptions, lambda broker: broker.counts.delivered == 2)

    request = receiver.next()
    assert (request.headers["ce-id"], request.body) == ("2", b"<b/>")


def test_structured_reply_is_understood(subscriber: MakeSubscriber) -> None:
    body = b'{"specversion":"1.0","id":"2","source":"/r","type":"reply","data":{"a": 1}}'
    receiver, subscriptions = with_reply(
        subscriber, Response(200, body, {"content-type": "application/cloudevents+json"})
    )

    exchanged(subscriptions, lambda broker: broker.counts.delivered == 2)

    assert receiver.next().body == b'{"a": 1}'


def test_invalid_reply_is_a_failure(subscriber: MakeSubscriber) -> None:
    _, subscriptions = with_reply(subscriber, Response(200, b"", {"ce-specversion": "1.0", "ce-id": "2"}))

    exchanged(subscriptions, lambda broker: broker.counts.failed == 1)


def test_replies_that_go_round_end(subscriber: MakeSubscriber) -> None:
    replier = subscriber(lambda _: Response(200, b"", event_headers("again", "request")))

    async def run() -> int:
        async with running(to(replier.url)) as broker:
            await send(broker.url, event_headers("1", "request", knativebrokerttl="4"))
            await wait_until_async(lambda: broker.counts.failed == 1 and broker.counts.pending == 0)
            return broker.counts.received

    assert asyncio.run(run()) == 3


def test_stopped_broker_drops_what_waits(subscriber: MakeSubscriber) -> None:
    there = subscriber(lambda _: Response(503))

    async def run() -> None:
        async with running(to(there.url, retries=Retries(1, "exponential", 3600))) as broker:
            await send(broker.url, event_headers())
            await wait_until_async(lambda: there.requests)
            assert broker.counts.pending == 1

    asyncio.run(asyncio.wait_for(run(), 5))


def test_reply_longer_than_a_function_accepts_is_a_failure(subscriber: MakeSubscriber) -> None:
    """Its size times `Limits.requests` is what replies may take of the memory."""
    dead_letters = subscriber()
    with flood(200, megabytes=3) as url:
        broker = delivered(
            to(url, dead_letter_url=dead_letters.url), lambda broker: broker.counts.dead_lettered == 1, event_headers()
        )

    reason = base64.b64decode(dead_letters.next().headers["ce-knativeerrordata"]).decode()
    assert reason == f"dispatch error: the response is longer than {MAX_RESPONSE_BYTES} bytes"
    assert MAX_RESPONSE_BYTES * Limits().requests <= 64 * 1024 * 1024
    assert broker.counts.delivered == 0
